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

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Runtime:
    """The device of a fit or prediction, and what it reads and reports through.

    ``workers`` is the number of data loading processes. ``exact``: predict in batches of one size, so that the last
    bits of a score do not depend on the number of images. Otherwise the last batch may be smaller, and each batch is
    loaded while the one before is computed. ``half``: the half precision of networks, see :mod:`bench.numerics`.
    """

    reader: Reader
    device: str
    meter: Meter
    progress: Progress
    workers: int = 0
    lost: Lost = field(default_factory=dict)
    exact: bool = True
    half: str = ""

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which networks are evaluated."""
        return autocast(self.device, self.half)


class Views(torch.utils.data.Dataset[Batch | Fault]):
    """Views of references as tensors, each a function of (seed, epoch, image, kind) alone."""

    def __init__(
        self, detector: Detector, refs: Sequence[Reference], reader: Reader, stage: Stage, seed: tuple[int, int]
    ) -> None:
        self._detector, self._refs, self._reader, self._stage, self._seed = detector, refs, reader, stage, seed
        self.ragged = detector.ragged

    def __len__(self) -> int:
        return len(self._refs)

    def __getitem__(self, index: int) -> Batch | Fault:
        return shown(index, self._refs[index], lambda: self._view(index))

    def _view(self, index: int) -> Batch:
        ref = self._refs[index]
        words = [*self._seed, *(int(ref.item.image_id[i : i + 8], 16) for i in (0, 8)), len(ref.example.pixels)]
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


def _find_faults(views: Views, order: Sequence[int], known: Sequence[Fault], runtime: Runtime) -> list[Fault]:
    """All faults among the examples of an order; those that are ``known`` are not read again."""
    left = sorted(set(order) - {fault.index for fault in known})
    loader = torch.utils.data.DataLoader(
        views, sampler=left, batch_size=1, num_workers=runtime.workers, collate_fn=_faults
    )
    return [*known, *(fault for faults in loader for fault in faults)]


def _faults(views: list[Batch | Fault]) -> list[Fault]:
    return [view for view in views if isinstance(view, Fault)]


def batches(views: Views, order: Sequence[int], size: int, runtime: Runtime) -> Iterator[Batch]:
    """Batches of views in an order, on the device. Raises BadImages naming every example that cannot be used."""
    sampler = [list(order[start : start + size]) for start in range(0, len(order), size)]
    loader = torch.utils.data.DataLoader(
        views, batch_sampler=sampler, num_workers=runtime.workers, collate_fn=_ragged if views.ragged else _collate
    )
    for batch in loader:
        if isinstance(batch, list):
            raise BadImages(_find_faults(views, order, batch, runtime))
        yield {name: tensor.to(runtime.device, non_blocking=True) for name, tensor in batch.items()}


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each loaded by another thread while the previous one is computed."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield batch
