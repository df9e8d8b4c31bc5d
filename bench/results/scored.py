"""The cells of a results folder as arrays, and the same bootstrap samples for all cells of a setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import classification, resampling
from bench.metrics.classification import Tally, tally
from bench.results.folder import Entry, Results
from bench.results.scores import Scores
from bench.types import OK

#: The cells of a table: they are shown, averaged, compared and resampled together.
SETTING = ("train", "train_protocol", "dataset", "protocol", "perturbation", "task")
Key = tuple[str, str]
Draws = NDArray[np.float32]
Compute = Callable[..., Mapping[Any, Any]]


def scored(scores: Scores) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and labels, both [N], of the images that were scored."""
    usable = np.asarray([status == OK for status in scores.status], bool)
    return np.asarray(scores.logit, np.float32)[usable], np.asarray(scores.label, np.int64)[usable]


@dataclass(frozen=True)
class Scored:
    """One cell: its entry, the scores of the images that could be scored, and all that follows from them.

    ``image_ids`` and ``row_ids`` are those of ``logits`` and ``labels`` [N]; ``listed`` are the row ids of the whole
    slice. ``draws`` are the metrics of bootstrap samples.
    """

    entry: Entry
    logits: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    image_ids: tuple[str, ...] = ()
    row_ids: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    threshold: float | None = None
    draws: Mapping[Key, Draws] = field(default_factory=dict)

    @cached_property
    def counts(self) -> Tally:
        """Its images at each distinct score."""
        return tally(self.logits, self.labels)

    @cached_property
    def values(self) -> dict[Key, float]:
        """Every metric by (metric, threshold rule); empty for a hole."""
        if self.entry.status != OK:
            return {}
        return {key: float(value) for key, value in classification.compute_all(self.counts, self.threshold).items()}

    def only(self, rows: Collection[str]) -> Scored:
        """The cell on some of its images, in the order of their row ids."""
        kept = [place for place in np.argsort(self.row_ids) if self.row_ids[place] in rows]
        images, names = (tuple(ids[place] for place in kept) for ids in (self.image_ids, self.row_ids))
        return replace(self, logits=self.logits[kept], labels=self.labels[kept], image_ids=images, row_ids=names)

    @property
    def n_real(self) -> int:
        """Number of scored reals."""
        return int((self.labels == 0).sum())

    @property
    def n_fake(self) -> int:
        """Number of scored fakes."""
        return int((self.labels == 1).sum())


class Thresholds:
    """The threshold of every fit, chosen on its own validation images, all training sources together."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._known: dict[tuple[str, ...], tuple[float, int, int]] = {}

    def of(self, files: tuple[str, ...]) -> tuple[float, int, int] | None:
        """The threshold (logit) and the numbers of reals and fakes that chose it; None without files."""
        if files and files not in self._known:
            parts = [scored(self._results.read_scores(file)) for file in files]
            logits, labels = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
            cut = classification.best_threshold(tally(logits, labels))
            self._known[files] = cut, int((labels == 0).sum()), int((labels == 1).sum())
        return self._known.get(files)

    def cut(self, files: tuple[str, ...]) -> float | None:
        """The threshold alone."""
        chosen = self.of(files)
        return chosen[0] if chosen else None


def read(results: Results, entry: Entry, threshold: float | None = None) -> Scored:
    """The scores of one cell; a cell without readable images of both classes becomes a hole."""
    if entry.status != OK:
        return Scored(entry)
    scores = results.read_scores(entry.scores)
    logits, labels = scored(scores)
    if len(set(labels.tolist())) < 2:
        reason = f"no readable {'fake' if 0 in labels else 'real'} image among {len(scores.label)}"
        return Scored(replace(entry, status="failed", reason=reason), listed=scores.row_id)
    usable = [place for place, status in enumerate(scores.status) if status == OK]
    rows = tuple(scores.row_id[place] for place in usable)
    images = tuple(scores.image_id[place] or scores.row_id[place] for place in usable)
    return Scored(entry, logits, labels, images, rows, scores.row_id, threshold)


def pooled(members: Sequence[Scored], entry: Entry) -> Scored:
    """All images of several cells as one cell."""
    logits, labels = (np.concatenate([getattr(m, name) for m in members]) for name in ("logits", "labels"))
    images, rows, listed = (
        tuple(name for m in members for name in getattr(m, names)) for names in ("image_ids", "row_ids", "listed")
    )
    return Scored(entry, logits, labels, images, rows, listed, members[0].threshold)


def of_setting(entry: Entry) -> tuple[Any, ...]:
    """The values of :data:`SETTING` of a cell."""
    return tuple(getattr(entry, name) for name in SETTING)


def by_setting(results: Results) -> Iterable[list[Scored]]:
    """The test cells of each setting, in the order of the matrix."""
    groups: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for entry in results.read_matrix().entries:
        if entry.role == "test":
            groups[of_setting(entry)].append(entry)
    thresholds = Thresholds(results)
    for entries in groups.values():
        yield [read(results, entry, thresholds.cut(entry.val)) for entry in entries]


#: Metrics that are no estimates need no bootstrap samples.
_WITHOUT = tuple(name for name, metric in classification.METRICS.items() if not metric.estimates)
_ESTIMATES = partial(classification.compute_all, without=_WITHOUT)


def resampled(cells: Sequence[Scored], compute: Compute = _ESTIMATES) -> list[Scored]:
    """The cells with the metrics of bootstrap samples; an image counts equally often wherever it appears."""
    usable = [cell for cell in cells if cell.entry.status == OK]
    arrays = [resampling.Cell(c.logits, c.labels, c.image_ids, partial(compute, threshold=c.threshold)) for c in usable]
    drawn = iter(resampling.draws(arrays))
    return [replace(cell, draws=next(drawn)) if cell.entry.status == OK else cell for cell in cells]
