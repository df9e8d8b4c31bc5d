"""Networks that a module uses and does not own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class BesideFrozen(nn.Module):
    """A module that uses frozen networks: they move between devices with it, but are not trained or saved."""

    def __init__(self, *frozen: nn.Module) -> None:
        super().__init__()
        self._frozen = [network.eval() for network in frozen]  # A list, so that torch does not register them.

    @property
    def frozen(self) -> list[Any]:
        """The frozen networks."""
        return self._frozen

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> BesideFrozen:
        for network in self._frozen:
            network._apply(fn)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return self
