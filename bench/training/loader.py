"""Examples as batches of tensors; a tensor does not depend on the order of the examples or the number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from bench.artefacts.reader import Reader
from bench.detector import Detector, Stage
from bench.numerics import autocast
from bench.progress import Meter, Progress
from bench.training.examples import Reference
from bench.training.faults import BadImages, Fault, Lost, shown
from bench.training.group import ALONE, Group

Batch = dict[str, Tensor]
#: Views that justify starting one more data loading process.
_VIEWS_PER_WORKER = 256


@dataclass(frozen=True)
class Runtime:
    """The device of a fit or prediction, and what it reads and reports through.

    ``workers`` is the largest number of data loading processes; few images get fewer. ``exact``: predict in batches of
    one size, so that the last bits of a score do not depend on the number of images. Otherwise the last batch may be
    smaller, and each batch is loaded while the one before is computed. ``half``: the half precision of networks, see
    :mod:`bench.numerics`. ``micro_batch``: the most images whose gradient is computed at once, 0 for whole batches.
    ``group``: the processes that share a fit.
    """

    reader: Reader
    device: str
    meter: Meter
    progress: Progress
    workers: int = 0
    lost: Lost = field(default_factory=dict)
    exact: bool = True
    half: str = ""
    micro_batch: int = 0
    group: Group = ALONE

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which networks are evaluated."""
        return autocast(self.device, self.half)


class Views(torch.utils.data.Dataset[Batch | Fault]):
    """Views of references as tensors by (epoch, index), each a function of (seed, epoch, image, kind) alone."""

    def __init__(
        self, detector: Detector, refs: Sequence[Reference], reader: Reader, stage: Stage, seed: int = 0
    ) -> None:
        self._detector, self._refs, self._reader, self._stage, self._seed = detector, refs, reader, stage, seed
        self.ragged = detector.ragged

    def __len__(self) -> int:
        return len(self._refs)

    def __getitem__(self, position: tuple[int, int]) -> Batch | Fault:
        epoch, index = position
        return shown(index, self._refs[index], lambda: self._view(epoch, index))

    def _view(self, epoch: int, index: int) -> Batch:
        ref = self._refs[index]
        words = [self._seed, epoch, *(int(ref.item.image_id[i : i + 8], 16) for i in (0, 8)), len(ref.example.pixels)]
        view = self._detector.view(ref.sample(self._reader), self._stage, np.random.default_rng(words))
        return {**view, "label": torch.tensor(ref.label)}


def _collate(views: list[Batch | Fault]) -> Batch | list[Fault]:
    """Views as one batch, or the faults if any view has one."""
    faults = [view for view in views if isinstance(view, Fault)]
    batch: Batch = {} if faults else torch.utils.data.default_collate(views)
    return faults or batch


def _ragged(views: list[Batch | Fault]) -> Batch | list[Fault]:
    """:func:`_collate` for planes of different sizes."""
    faults = [view for view in views if isinstance(view, Fault)]
    return faults or padded([view for view in views if not isinstance(view, Fault)])


def padded(views: Sequence[Batch]) -> Batch:
    """Views as one batch; planes [..., H, W] of different sizes are padded with zeros at the bottom and the right."""
    batch: Batch = {}
    for name in views[0]:
        parts = [view[name] for view in views]
        sides = [max(part.shape[axis] for part in parts) for axis in (-2, -1)] if parts[0].dim() > 1 else []
        gaps = [(0, sides[1] - part.shape[-1], 0, sides[0] - part.shape[-2]) if sides else () for part in parts]
        batch[name] = torch.stack([nn.functional.pad(part, gap) for part, gap in zip(parts, gaps, strict=True)])
    return batch


def _find_faults(
    views: Views, order: Sequence[int], known: Sequence[Fault], runtime: Runtime, epoch: int
) -> list[Fault]:
    """All faults among the examples of an order; those that are ``known`` are not read again."""
    left = [(epoch, index) for index in sorted(set(order) - {fault.index for fault in known})]
    loader = torch.utils.data.DataLoader(
        views, sampler=left, batch_size=1, num_workers=runtime.workers, collate_fn=_faults
    )
    return [*known, *(fault for faults in loader for fault in faults)]


def _faults(views: list[Batch | Fault]) -> list[Fault]:
    return [view for view in views if isinstance(view, Fault)]


class _Order(torch.utils.data.Sampler[list[tuple[int, int]]]):
    """The batches of one epoch, set before each."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, int]]] = []

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Loader:
    """Loads batches of views, on the device; its processes stay for the next epoch."""

    def __init__(self, views: Views, runtime: Runtime) -> None:
        self._views, self._runtime, self._order = views, runtime, _Order()
        workers = min(runtime.workers, len(views) // _VIEWS_PER_WORKER)
        self._loader = torch.utils.data.DataLoader(
            views,
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=_ragged if views.ragged else _collate,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers else None,  # They share memory: see `pixels`.
            pin_memory=runtime.device == "cuda",
        )

    def batches(self, indices: Sequence[Sequence[int]], epoch: int = 0) -> Iterator[Batch]:
        """Batches of the views at some indices. Raises BadImages naming every example that cannot be used."""
        self._order.batches = [[(epoch, index) for index in members] for members in indices]
        for batch in self._loader:
            if isinstance(batch, list):
                order = [index for members in indices for index in members]
                raise BadImages(_find_faults(self._views, order, batch, self._runtime, epoch))
            yield {name: tensor.to(self._runtime.device, non_blocking=True) for name, tensor in batch.items()}


def batches(views: Views, order: Sequence[int], size: int, runtime: Runtime) -> Iterator[Batch]:
    """Batches of ``size`` views in an order, once; see :class:`Loader`."""
    indices = [order[start : start + size] for start in range(0, len(order), size)]
    return Loader(views, runtime).batches(indices)


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each loaded by another thread while the previous one is computed."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield batch
