"""Scores of detectors that live elsewhere, from a CSV file, as a results folder."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import UserError, unknown
from bench.labels import label_in, not_labels
from bench.recipe import content_key
from bench.results import derived
from bench.results.folder import Column, Entry, Matrix, Results
from bench.results.scores import Scores
from bench.types import EXTERNAL, OK

#: Logits are cut here: beyond it, probabilities are 0 and 1 in single precision.
_LIMIT = 30.0
_NAMES = {"id": ("id", "path", "image", "file"), "label": ("label",), "subset": ("subset", "generator")}


@dataclass(frozen=True)
class Form:
    """Which columns of a CSV file are what.

    ``id``, ``label`` and ``subset`` are names of columns, or empty for the usual ones. In a long file ``method`` and
    ``score`` are columns; in a wide file each column that matches a pattern of ``scores`` is a method. If ``logits``,
    scores are logits; otherwise they are P(fake) in 0…1.
    """

    id: str = ""
    label: str = ""
    subset: str = ""
    scores: tuple[str, ...] = ()
    logits: bool = False
    dataset: str = ""


@dataclass
class Imported:
    """What was read: the number of images and of scores that are missing, by method."""

    images: int
    methods: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)


def _column(table: pd.DataFrame, given: str, name: str) -> str:
    """The column that ``given`` names, else the first usual one. Raises UserError if there is none."""
    wanted = (given,) if given else _NAMES[name]
    found = next((column for column in wanted if column in table), None)
    if found is None and given:
        raise unknown("column in the file", given, list(table))
    if found is None:
        raise UserError(
            f"The file has no column {' or '.join(wanted)}.",
            f"It has: {', '.join(map(str, table))}.",
            f"Name the column with --{name} COLUMN.",
        )
    return found


def _long(table: pd.DataFrame, form: Form, fixed: Sequence[str]) -> pd.DataFrame:
    """The table with one line per image and method: columns ``method`` and ``score`` beside ``fixed``."""
    if form.scores:
        names = [c for c in table if any(fnmatch.fnmatchcase(str(c), pattern) for pattern in form.scores)]
        names = [name for name in names if name not in fixed]
        if not names:
            raise UserError(
                f"No column matches --scores {', '.join(form.scores)}.",
                f"The file has: {', '.join(map(str, table))}.",
                "Give a pattern such as 'prob_*', in quotes.",
            )
        return table.melt(id_vars=list(fixed), value_vars=names, var_name="method", value_name="score")
    if "score" not in table and "p_fake" in table:  # As `score --out FILE.csv` writes it.
        table = table.rename(columns={"p_fake": "score"})
    absent = [name for name in ("method", "score") if name not in table]
    if absent:
        raise UserError(
            f"The file has no column {' and '.join(absent)}.",
            f"It has: {', '.join(map(str, table))}.",
            "A long file has method and score; of a wide one, name the columns of scores: --scores 'prob_*'.",
        )
    return table[[*fixed, "method", "score"]]


def _labels(table: pd.DataFrame, column: str) -> pd.Series:
    labels = {word: label_in(word) for word in table[column].unique()}
    strange = sorted(word for word, label in labels.items() if label is None)
    if strange:
        raise not_labels(column, strange[:5])
    return table[column].map(labels).astype("int64")


def _logits(table: pd.DataFrame, form: Form) -> pd.Series:
    """Scores as logits; missing ones and words are NaN. Raises UserError for probabilities outside 0…1."""
    scores = pd.to_numeric(table["score"], errors="coerce").astype("float64")
    if form.logits:
        return scores.clip(-_LIMIT, _LIMIT)
    outside = scores[(scores < 0) | (scores > 1)]
    if len(outside):
        raise UserError(
            f"{len(outside)} scores are no probabilities, the first: {outside.iloc[0]:g}.",
            "Scores are P(fake) in 0…1, a large one for a fake.",
            "If they are logits, add --logits; if a large score means real, subtract it from 1 first.",
        )
    with np.errstate(divide="ignore"):
        return pd.Series(np.log(scores) - np.log1p(-scores), scores.index).clip(-_LIMIT, _LIMIT)


def read(path: Path, form: Form) -> pd.DataFrame:
    """Columns ``id``, ``subset``, ``label``, ``method``, ``logit`` (NaN for a missing score). Raises UserError.

    An image with two labels, or with two scores of one method in a subset, is an error.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(
            f"{path} cannot be read.",
            f"{type(error).__name__}: {error}.",
            "Give a CSV file with a first line of names.",
        ) from error
    own = {name: _column(table, getattr(form, name), name) for name in ("id", "label")}
    if form.subset or any(name in table for name in _NAMES["subset"]):
        own["subset"] = _column(table, form.subset, "subset")
    long = _long(table, form, list(own.values())).rename(columns={column: name for name, column in own.items()})
    long = long.assign(subset=long.get("subset", "all"), label=_labels(long, "label"), logit=_logits(long, form))
    twice = long.duplicated(["id", "subset", "method"])
    if twice.any():
        line = long[twice].iloc[0]
        raise UserError(
            f"{int(twice.sum())} scores are there twice, the first: {line['method']} of {line['id']}.",
            f"In {path}.",
            "Keep one score of each image and method in each subset.",
        )
    both = long.groupby("id")["label"].nunique()
    if (both > 1).any():
        raise UserError(
            f"{int((both > 1).sum())} images have two labels, the first: {both.index[both > 1][0]}.",
            f"In {path}.",
            "Give each image one label.",
        )
    return long[["id", "subset", "label", "method", "logit"]]


def write(path: Path, form: Form, results: Results) -> Imported:
    """Read a CSV file of scores and write a results folder from it; scores are never flipped. Raises UserError."""
    long = read(path, form)
    dataset = form.dataset or path.stem
    made = Imported(long["id"].nunique(), sorted(long["method"].unique()))
    entries = []
    for (method, subset), part in long.groupby(["method", "subset"], sort=True):
        made.missing[str(method)] = made.missing.get(str(method), 0) + int(part["logit"].isna().sum())
        entries.append(_entry(results, dataset, str(method), str(subset), part))
    columns = tuple(Column(dataset, subset, subset) for subset in long["subset"].unique())
    label = f"external scores from {path.name}; this harness has not seen the images"
    results.write_matrix(Matrix(tuple(entries), columns, label))
    cards = {
        method: {"kind": "detector", "title": method, "origin": EXTERNAL, "paper": "", "code": ""}
        for method in made.methods
    }
    results.write_json(results.cards, cards)
    derived.write(results)
    return made


def _entry(results: Results, dataset: str, method: str, subset: str, part: pd.DataFrame) -> Entry:
    """Write one method's scores on one subset; returns the entry of the matrix."""
    key = content_key([EXTERNAL, method, subset, part[["id", "label"]].to_csv(), part["logit"].to_csv()])
    file = f"scores/{key}.parquet"
    known = part["logit"].notna()
    ids = tuple(content_key([EXTERNAL, identity]) for identity in part["id"])
    status = tuple(OK if ok else "failed" for ok in known)
    reason = tuple("" if ok else "the file has no score" for ok in known)
    scores = Scores(tuple(part["id"]), ids, tuple(part["label"].tolist()), tuple(part["logit"]), status, reason)
    results.write_scores(results.root / file, scores, key)
    classes = [int((part["label"] == label).sum()) for label in (0, 1)]
    entry = Entry(
        method=method,
        variant="",
        train=EXTERNAL,
        train_protocol=EXTERNAL,
        seed=0,
        task="detect",
        dataset=dataset,
        subset=subset,
        role="test",
        protocol="raw",
        perturbation="none",
        relation="out",
        fit=key,
        key=key,
        scores=file,
    )
    if min(classes) == 0:
        lacking = "photograph" if classes[0] == 0 else "fake"
        return Entry(**{**vars(entry), "scores": "", "status": "missing", "reason": f"{subset} has no {lacking}"})
    return entry
