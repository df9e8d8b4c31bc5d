"""What the page shows of a results folder, as plain JSON: every number is computed here, and the page only draws it.

Shares are whole numbers in thousandths, to keep the page small; None is a hole. Lists over subsets are in the order of
``columns`` of the setting's dataset.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import curves
from bench.report.board import KINDS, Board, Setting
from bench.report.page.pictures import illustrated
from bench.results import scored
from bench.results.folder import Results
from bench.results.scored import Scored

#: (metric, threshold rule), name, what it is, whether less is better, and its value for a guess in balanced classes.
METRICS: tuple[tuple[tuple[str, str], str, str, bool, float | None], ...] = (
    (("auc", ""), "AUC", "probability that a fake has a higher score than a photograph", False, 0.5),
    (("ap", ""), "AP", "average precision, fakes are positive", False, 0.5),
    (("acc", "0.5"), "ACC at 0.5", "accuracy at the threshold P(fake) = 0.5", False, 0.5),
    (("acc", "source_val"), "ACC at source", "accuracy at the threshold of the source's validation images", False, 0.5),
    (("real_acc", "0.5"), "Photographs right", "share of photographs called real at 0.5", False, None),
    (("fake_acc", "0.5"), "Fakes right", "share of fakes called fake at 0.5", False, None),
    (("eer", ""), "EER", "error rate where both error rates are equal", True, 0.5),
    (
        ("tpr_at_5fpr", ""),
        "TPR at 5 % FPR",
        "share of fakes found while 5 % of photographs are called fake",
        False,
        0.05,
    ),
    (("ece", ""), "ECE", "expected calibration error, 15 bins", True, None),
)
MEANS = {"mean:out": "mean out", "mean:family": "mean family", "mean:all": "mean all"}
#: False positive rates at which ROC curves are drawn.
GRID = np.concatenate([np.linspace(0, 0.1, 11), np.linspace(0.1, 1, 31)[1:]])
_WHOLE = 1000


def thousandths(values: Iterable[float | None]) -> list[int | None]:
    """Shares as whole thousandths; a missing one is None."""
    return [None if value is None or not np.isfinite(value) else round(_WHOLE * value) for value in values]


class _Images:
    """The test images of a folder: which files they are, and their pictures."""

    def __init__(self, results: Results, pictures: Mapping[tuple[str, str], str]) -> None:
        self.pictures = list(pictures.values())
        self._places = {key: place for place, key in enumerate(pictures)}
        self._made = illustrated(results)
        self._known: dict[str, dict[str, Any]] = {}
        if results.images.exists():
            table = pd.read_parquet(results.images)
            lines = table[table["role"] == "test"].to_dict("records")
            self._known = {str(line["row_id"]): {str(k): v for k, v in line.items()} for line in lines}

    def of(self, slice_: tuple[str, str, str], rows: Sequence[str], labels: Mapping[str, int]) -> dict[str, Any]:
        """The images of a slice, in the order of its scores.

        Each is [label, path, facts, place of its picture or None, what engines made of it].
        """
        images: list[list[Any]] = []
        for row in rows:
            image, made = self._known.get(row), self._made.get((*slice_, row), [])
            if image is None:  # The folder does not say which file it is.
                images.append([labels.get(row, 0), row, "unknown", None, made])
                continue
            picture = self._places.get((slice_[0], str(image["path"])))
            images.append([int(image["label"]), str(image["path"]), _facts(image), picture, made])
        return {"dataset": slice_[0], "protocol": slice_[1], "subset": slice_[2], "images": images}


class Data:
    """The page's data. ``pictures`` are data URLs by (dataset, path), of those images that are embedded."""

    def __init__(self, results: Results, pictures: Mapping[tuple[str, str], str]) -> None:
        self._results, self._board = results, Board(results)
        self._images = _Images(results, pictures)
        self._settings = self._board.settings
        self._names = {s: i for i, s in enumerate(self._settings)}
        self._methods = list(dict.fromkeys(m for kind in KINDS for s in self._settings for m in self._of(s, kind)))

    def _of(self, setting: Setting, kind: str) -> list[str]:
        return self._board.methods(setting, kind)

    def document(self) -> dict[str, Any]:
        """Everything, as JSON. ``values`` are by setting, metric and method; ``curves`` and ``scores`` by setting."""
        board = self._board
        by_subset, scores, listed = self._by_image()
        return {
            "label": board.label,
            "sentence": board.sentence,
            "metrics": [
                {"name": name, "help": what, "least": least, "chance": chance and round(_WHOLE * chance)}
                for _, name, what, least, chance in METRICS
            ],
            "grid": thousandths(GRID.tolist()),
            "settings": [self._setting(s) for s in self._settings],
            "columns": {name: self._columns(name) for name in board.datasets},
            "methods": [self._method(name) for name in self._methods],
            "values": [self._values(s) for s in self._settings],
            "ranks": [self._ranks(s) for s in self._settings],
            "curves": by_subset,
            "scores": scores,
            "slices": listed,
            "pictures": self._images.pictures,
        }

    def _columns(self, dataset: str) -> list[dict[str, Any]]:
        columns = [c for c in self._board.columns if c.dataset == dataset]
        listed = [{"id": c.subset, "title": c.title, "averaged": c.averaged} for c in columns]
        return [*listed, *({"id": name, "title": title, "mean": True} for name, title in MEANS.items())]

    def _setting(self, setting: Setting) -> dict[str, Any]:
        table = self._board.summary
        same = (table["train"] == setting.train) & (table["dataset"] == setting.dataset) & (table["metric"] == "auc")
        known = dict(table.loc[same, ["subset", "relation"]].itertuples(index=False))
        relations = [known.get(column["id"], "") for column in self._columns(setting.dataset)]
        return {**setting._asdict(), "relations": relations}

    def _method(self, name: str) -> dict[str, Any]:
        card = self._board.cards[name]
        shown = {key: card[key] for key in ("paper", "code", "licence", "geometry", "deviations") if card.get(key)}
        return {"id": name, "title": self._board.title(name), "kind": card["kind"], "card": shown}

    def _values(self, setting: Setting) -> list[list[list[Any] | None]]:
        """By metric and method: per subset [value, low, high], or the reason of a hole as text."""
        subsets = [column["id"] for column in self._columns(setting.dataset)]
        known = [name for kind in KINDS for name in self._of(setting, kind)]
        made = []
        for (metric, rule), *_ in METRICS:
            cells = self._board.cells(setting, subsets, metric, rule)
            lines = [
                thousandths([v, low, high]) if not pd.isna(v) else reason
                for v, low, high, reason in cells[["value", "low", "high", "reason"]].itertuples(index=False)
            ]
            rows = {name: lines[i * len(subsets) : (i + 1) * len(subsets)] for i, name in enumerate(known)}
            made.append([rows.get(name) for name in self._methods])
        return made

    def _ranks(self, setting: Setting) -> list[list[int] | None]:
        """The first and the last place that are possible, by method; None for what is not ranked."""
        table = self._board.ranking(setting)
        known = {
            label: [int(row["first"]), int(row["last"])]
            for label, row in table.iterrows()
            if row["reason"] == "" and row["ranked"] > 1
        }
        return [known.get(name) for name in self._methods]

    def _by_image(self) -> tuple[list[Any], list[Any], list[Any]]:
        """ROC and calibration, P(fake) of every image, and the images of every slice."""
        found: list[Any] = [{} for _ in self._settings]
        scores: list[Any] = [{} for _ in self._settings]
        slices: dict[tuple[str, str, str], list[str]] = {}
        labels: dict[str, int] = {}
        for cells in self._scored():
            first = cells[0].entry
            place = self._names.get(Setting(*(getattr(first, name) for name in Setting._fields)))
            if place is None or first.perturbation != "none" or first.task != "detect":
                continue
            for (label, subset), seeds in _seeds(cells).items():
                labels |= dict(zip(seeds[0].row_ids, seeds[0].labels.tolist(), strict=True))
                method = self._methods.index(label)
                of = slices.setdefault((first.dataset, first.protocol, subset), sorted(seeds[0].listed))
                found[place].setdefault(str(method), {})[subset] = _curves(seeds)
                scores[place].setdefault(str(method), {})[subset] = _probabilities(seeds, of)
        return found, scores, [self._images.of(key, rows, labels) for key, rows in slices.items()]

    def _scored(self) -> Iterable[list[Scored]]:
        """The cells of every setting; none if the folder lacks per-image scores."""
        entries = self._results.read_matrix().entries
        files = {file for e in entries if e.status == "ok" for file in (e.scores, *e.val)}
        return scored.by_setting(self._results) if all(map(self._results.has_table, files)) else ()


def _facts(image: Mapping[str, Any]) -> str:
    quality = f" q{image['quality']}" if image["quality"] else ""
    return f"{image['container']}{quality}, {image['width']} × {image['height']}, {image['bytes']} bytes"


def _seeds(cells: Sequence[Scored]) -> dict[tuple[str, str], list[Scored]]:
    """The scored cells by method and subset, one per seed."""
    found: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for cell in cells:
        if cell.entry.status == "ok":
            found[cell.entry.label, cell.entry.subset].append(cell)
    return found


def _curves(seeds: Sequence[Scored]) -> dict[str, Any]:
    """The mean ROC of the seeds, and all their images in bins of P(fake), with the mean P(fake) of each bin."""
    counted = [curves.reliability(cell.counts) for cell in seeds]
    images, p_fake, fakes = (sum(getattr(one, name) for one in counted) for name in ("images", "p_fake", "fakes"))
    tpr = np.mean([curves.roc(cell.counts, GRID) for cell in seeds], axis=0)
    mean = np.divide(p_fake, images, out=np.full(len(images), np.nan), where=images > 0)
    whole = {"n": images.astype(int).tolist(), "fakes": fakes.astype(int).tolist()}
    return {"tpr": thousandths(tpr.tolist()), "p": thousandths(mean.tolist()), **whole}


def _probabilities(seeds: Sequence[Scored], rows: Sequence[str]) -> list[int | None]:
    """Each image's P(fake), the mean of the seeds; None where one of them has no score."""
    known = []
    for cell in seeds:
        p = 1 / (1 + np.exp(-np.clip(cell.logits.astype(np.float64), -60, 60)))
        known.append(dict(zip(cell.row_ids, p.tolist(), strict=True)))
    scored_by_all = set.intersection(*(set(one) for one in known))
    return thousandths(float(np.mean([one[r] for one in known])) if r in scored_by_all else None for r in rows)


def dumped(document: Mapping[str, Any]) -> str:
    """A document as JSON that may stand in a ``script`` element."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
