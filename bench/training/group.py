"""Several processes that train one fit together: each computes its share of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from torch import nn

#: The fewest images of a batch that a process gets: batch norm cannot train on one.
_FEWEST = 2


@dataclass(frozen=True)
class Group:
    """The place of this process among those that train a fit: ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    def batches(self, order: Sequence[int], size: int) -> list[Sequence[int]]:
        """Cut an order into the batches of all processes, of ``size`` images each.

        The last batch may be smaller. If it is too small for every process to have a share of two images (in a single
        process: if it has one image), it is filled up with images from the beginning.
        """
        found = [order[start : start + size] for start in range(0, len(order), size)]
        lacking = min(_FEWEST * self.size, size) - len(found[-1]) if len(order) > 1 else 0
        if lacking > 0:
            found[-1] = [*found[-1], *(order[i % len(order)] for i in range(lacking))]
        return found

    def share(self, values: Sequence[Any]) -> Sequence[Any]:
        """The part of some values that this process computes."""
        return values[self.rank :: self.size]

    def joined(self, part: Sequence[float]) -> list[float]:
        """The values of which ``part`` is this process's :meth:`share`, in their order."""
        if self.size == 1:
            return list(part)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, list(part))
        values = [0.0] * sum(map(len, parts))
        for rank, found in enumerate(parts):
            values[rank :: self.size] = found
        return values

    def prepared(self, model: nn.Module, device: str) -> nn.Module:
        """The network with batch norms that see the whole batch, if there are several processes on GPUs."""
        return nn.SyncBatchNorm.convert_sync_batchnorm(model) if self.size > 1 and device == "cuda" else model

    def wrapped(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are averaged over the processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    def apart(self, module: nn.Module, apart: bool) -> AbstractContextManager[Any]:
        """A context in which a :meth:`wrapped` module keeps its gradients to itself, if ``apart``."""
        if apart and isinstance(module, nn.parallel.DistributedDataParallel):
            return module.no_sync()
        return nullcontext()


ALONE = Group()
