"""Bootstrap samples of images, the same for every detector and every subset that shows an image.

A Poisson bootstrap (Hanley and MacGibbon, Comput. Methods Programs Biomed. 2006): in each sample an image counts
Poisson(1) times, independently of the others. The counts are a function of the image alone. So an image that several
subsets share counts equally often in all of them, the samples of two detectors are paired, and a number does not
depend on what else is in a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.metrics.classification import Labels, Logits, Tally, Values

#: Enough for a variance: its relative standard error is 4 %.
RESAMPLES = 1000
#: Counts in memory at once, one byte each.
_HELD = 2**28
#: Numbers in one block of samples: large enough for numpy, small enough that a processor's cache has all its arrays.
_BLOCK = 2**16
#: Images that are gathered at once: their counts lie beside each other in memory before and after.
_GATHERED = 64
#: Poisson(1) counts by a uniform 16-bit number.
_COUNTS = np.searchsorted(stats.poisson.cdf(np.arange(9), 1.0), (np.arange(2**16) + 0.5) / 2**16).astype(np.uint8)

Weights = NDArray[np.uint8]
Compute = Callable[[Tally], Mapping[Any, Values]]


def counts(images: Sequence[str], start: int = 0, stop: int = RESAMPLES) -> Weights:
    """How often each image counts in samples ``start`` to ``stop``: uint8 [images, stop − start].

    ``images`` are hexadecimal ids, of which the first 32 digits are used; ``start`` is a multiple of 16.
    """
    drawn = np.empty((len(images), stop - start), np.uint8)
    source = np.random.Philox(key=0).advance(start // 16)
    state: Any = source.state  # Setting the key takes a third of the time of a new generator.
    for row, image in zip(drawn, images, strict=True):
        state["state"]["key"][:] = int(image[16:32], 16), int(image[:16], 16)
        source.state = state
        np.take(_COUNTS, source.random_raw(-(-len(row) // 4)).view(np.uint16)[: len(row)], out=row)
    return drawn


@dataclass(frozen=True)
class Cell:
    """Scored images: ``logits`` float32 [N], ``labels`` int [N] with 1 for fake, and their hexadecimal ids ``images``.

    ``compute`` measures them: it takes counts [b, K] and gives values [b] by name.
    """

    logits: Logits
    labels: Labels
    images: Sequence[str]
    compute: Compute

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.logits, kind="stable")

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Where each distinct score begins among the sorted ones."""
        ordered = self.logits[self._order]
        return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

    def ordered(self, drawn: Weights, rows: Mapping[str, int]) -> Weights:
        """The counts of its images [B, N] by ascending score; ``rows`` says which row of ``drawn`` is an image's."""
        places = np.asarray([rows[image] for image in self.images], np.int64)[self._order]
        found = np.empty((drawn.shape[1], len(places)), np.uint8)
        for start in range(0, len(places), _GATHERED):
            part = slice(start, start + _GATHERED)
            found[:, part] = drawn[places[part]].T
        return found

    def measured(self, ordered: Weights) -> Mapping[Any, Values]:
        """The metrics of samples, from the counts of its images by ascending score: uint8 [b, N] to [b] by name."""
        weights = ordered.astype(np.float64)
        fake = weights * (self.labels[self._order] == 1)
        both = [weights - fake, fake]
        if len(self._starts) < len(self.logits):
            both = [np.add.reduceat(part, self._starts, axis=-1) for part in both]
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.compute(Tally(self.logits[self._order][self._starts], *both))


def draws(cells: Sequence[Cell], resamples: int = RESAMPLES) -> list[dict[Any, NDArray[np.float32]]]:
    """Metrics of every cell on the same samples of the images: float32 [resamples] by name, for each cell.

    A sample without images of one class gives NaN.
    """
    rows = {image: row for row, image in enumerate(sorted({image for cell in cells for image in cell.images}))}
    held = max(16, min(resamples, _HELD // max(len(rows), 1)) // 16 * 16)
    parts: list[dict[Any, list[Values]]] = [{} for _ in cells]
    for start in range(0, resamples, held):
        drawn = counts(list(rows), start, min(start + held, resamples))
        for cell, part in zip(cells, parts, strict=True):
            ordered, size = cell.ordered(drawn, rows), max(1, _BLOCK // max(len(cell.logits), 1))
            for first in range(0, len(ordered), size):
                for name, numbers in cell.measured(ordered[first : first + size]).items():
                    part.setdefault(name, []).append(numbers.astype(np.float32))
    return [{name: np.concatenate(values) for name, values in part.items()} for part in parts]
