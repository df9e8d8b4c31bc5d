"""Networks that are compiled for the shapes at which they are evaluated often."""

from __future__ import annotations

import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench import device

#: The number of shapes for which one process compiles a network.
MOST = 4
_LOG = logging.getLogger(__name__)
#: What a compiler raises that is missing or does not know an operation.
_FAILURES = (RuntimeError, OSError, ImportError, NotImplementedError)


class Hot:
    """A network whose evaluation is compiled for an input shape once ``after`` pixels of that shape have been seen.

    Compiling takes about a minute per shape: until a shape has cost as much, and for rare shapes, the network runs as
    it is. ``after`` 0 never compiles. The first tensor is [B, C, H, W] and has B x H x W pixels, which may be latent.
    If compilation fails, a warning is logged, and the network runs as it is from then on.
    """

    def __init__(
        self, network: Callable[..., Tensor], after: int = 0, backend: str | Callable[..., Any] = "inductor"
    ) -> None:
        self._network, self.after, self._backend = network, after, backend
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._compiled: dict[tuple[int, ...], Callable[..., Tensor]] = {}

    def __call__(self, x: Tensor, *rest: Any) -> Tensor:  # noqa: ANN401 - whatever the network takes
        """The network's output."""
        shape = tuple(x.shape)
        if not self._is_hot(shape):
            return self._network(x, *rest)
        try:
            if shape not in self._compiled:
                compiled = torch.compile(self._network, fullgraph=True, dynamic=False, backend=self._backend)
                self._compiled[shape] = compiled
            return self._run(self._compiled[shape], x, *rest)
        except _FAILURES as error:
            if device.is_out_of_memory(error):
                raise
            self.after, self._compiled = 0, {}
            reason = (str(error).splitlines() or [""])[0]
            _LOG.warning("A network could not be compiled and runs as it is: %s: %s", type(error).__name__, reason)
            return self._network(x, *rest)

    def _is_hot(self, shape: tuple[int, ...]) -> bool:
        if not self.after or shape in self._compiled:
            return bool(self.after)
        self._seen[shape] += math.prod(shape) // shape[1]
        return self._seen[shape] > self.after and len(self._compiled) < MOST

    @staticmethod
    def _run(compiled: Callable[..., Tensor], x: Tensor, *rest: Any) -> Tensor:  # noqa: ANN401 - as above
        """Evaluate with cuDNN's fastest algorithms, which it finds by trying them: that pays here too."""
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of the compiler, about code of diffusers.
                return compiled(x, *rest)
        finally:
            torch.backends.cudnn.benchmark = before
