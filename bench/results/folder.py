"""A results folder: its files, and how scores and the matrix are written and read."""

from __future__ import annotations

import json
import lzma
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import UserError
from bench.results.packed import Packed
from bench.results.scores import Scores
from bench.types import Cell, CellId, Item, Probe

SCHEMA = 1


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def write_packed(path: Path, text: str) -> None:
    """Write a text as ``<path>.xz``; the same text gives the same bytes."""
    packed = path.with_name(path.name + ".xz")
    partial = packed.with_name(f"{packed.name}.{os.getpid()}.part")
    partial.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    partial.replace(packed)


def read_text(path: Path) -> str | None:
    """The text of a file or of its ``.xz``; None if neither exists."""
    packed = path.with_name(path.name + ".xz")
    if path.exists():
        return path.read_text(encoding="utf-8")
    return lzma.decompress(packed.read_bytes()).decode() if packed.exists() else None


@dataclass(frozen=True)
class Entry(CellId):
    """One cell of the matrix; a hole has a ``reason`` instead of ``scores``.

    ``val`` are the files of the fit's scores on its own validation images, one per training subset, for the threshold
    rule.
    """

    fit: str = ""
    key: str = ""
    scores: str = ""
    val: tuple[str, ...] = ()
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Column:
    """A test subset as a column of tables: dataset, subset, and the title that papers use.

    One that is not ``averaged`` stands beside the averages.
    """

    dataset: str
    subset: str
    title: str
    averaged: bool = True


@dataclass(frozen=True)
class ProbeEntry:
    """One probe over one slice; ``values`` is its file, empty if it failed."""

    name: str
    dataset: str
    subset: str
    protocol: str
    values: str
    reason: str = ""


@dataclass(frozen=True)
class Matrix:
    """The content of a results folder: cells and holes, probes, columns in order, and the suite's label.

    ``pairs`` are the methods that ``comparisons.csv`` compares: (one, other) by label.
    """

    entries: tuple[Entry, ...]
    columns: tuple[Column, ...]
    label: str
    probes: tuple[ProbeEntry, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def beside(self) -> frozenset[tuple[str, str]]:
        """The subsets, as (dataset, subset), that belong to no average."""
        return frozenset((column.dataset, column.subset) for column in self.columns if not column.averaged)


_TABLES = (
    "ranks",
    "pairs",
    "comparisons",
    "thresholds",
    "nulls",
    "budgets",
    "submitted",
    "protocols",
    "controls",
    "trivial",
)
_FILES = ("images.parquet", "illustrations.parquet", "CITATIONS.bib")


class Results:
    """A results folder, with one attribute per file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.matrix, self.run, self.cards = root / "cells.json", root / "run.json", root / "methods.json"
        self.rows, self.summary, self.costs = root / "rows.csv", root / "summary.csv", root / "costs.csv"
        self.tables, self.figures, self.leaderboard = root / "tables", root / "figures", root / "leaderboard.md"
        self.images, self.illustrations, self.citations = (root / name for name in _FILES)
        tables = [root / f"{name}.csv" for name in _TABLES]
        self.ranks, self.pairs, self.comparisons, self.thresholds, self.nulls, self.budgets = tables[:6]
        self.submitted, self.protocols, self.controls, self.trivial = tables[6:]
        self._packed = Packed(root)

    def scores_path(self, cell: Cell) -> Path:
        """The path of a cell's scores."""
        return self.root / "scores" / cell.fit.label / cell.fit.key / f"{cell.name}.parquet"

    def write_scores(self, path: Path, scores: Scores, cell_key: str) -> None:
        """Write per-image scores; the same scores give the same bytes."""
        logit = np.asarray(scores.logit, np.float32)
        with np.errstate(over="ignore"):
            p_fake = 1.0 / (1.0 + np.exp(-logit.astype(np.float64)))
        columns = {
            "row_id": pa.array(scores.row_id, pa.string()),
            "image_id": pa.array(scores.image_id, pa.string()),
            "label": pa.array(scores.label, pa.int8()),
            "logit": pa.array(logit, pa.float32()),
            "p_fake": pa.array(p_fake.astype(np.float32), pa.float32()),
            "status": pa.array(scores.status, pa.string()),
            "reason": pa.array(scores.reason, pa.string()),
        }
        write_table(path, columns, cell_key)

    def has_scores(self, path: Path, cell_key: str) -> bool:
        """Whether a file contains the scores of exactly this cell; scores of an older plan do not count."""
        if not path.exists():
            return False
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowInvalid, OSError):
            return False
        return metadata.get(b"cell") == cell_key.encode() and metadata.get(b"schema") == str(SCHEMA).encode()

    def probe_path(self, probe: Probe) -> Path:
        """The path of a probe's values."""
        return self.root / "probes" / probe.recipe.key / f"{probe.slice.name}@{probe.slice.protocol}.parquet"

    def write_probe(self, path: Path, items: Sequence[Item], values: Sequence[float], key: str) -> None:
        """Write one number per image; the same numbers give the same bytes."""
        columns = {
            "row_id": pa.array([item.row_id for item in items], pa.string()),
            "image_id": pa.array([item.image_id for item in items], pa.string()),
            "label": pa.array([item.label for item in items], pa.int8()),
            "value": pa.array(values, pa.float64()),
        }
        write_table(path, columns, key)

    def read_probe(self, relative: str) -> dict[str, list[Any]]:
        """A probe's columns. Raises UserError if the file is missing or unreadable."""
        return self.table(relative)

    def read_scores(self, relative: str) -> Scores:
        """Per-image scores of a file named relative to the folder. Raises UserError if it is missing or unreadable."""
        data = self.table(relative)
        names = ("row_id", "image_id", "label", "logit", "status", "reason")
        return Scores(*(tuple(data[name]) for name in names))

    def has_table(self, relative: str) -> bool:
        """Whether the folder has a file of per-image values, packed or not; a folder may be kept without them."""
        return (self.root / relative).exists() or self._packed.knows(relative)

    def table(self, relative: str) -> dict[str, list[Any]]:
        """The columns of a file of per-image values, which may be packed. Raises UserError if it cannot be read."""
        path = self.root / relative
        if not path.exists() and self._packed.knows(relative):
            return self._packed.read(relative)
        try:
            table: dict[str, list[Any]] = pq.read_table(path, partitioning=None).to_pydict()
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise UserError(
                f"The per-image values {path} cannot be read.",
                f"{type(error).__name__}: {error}",
                "Rerun the command that made this folder: it computes only what is missing.",
            ) from error
        return table

    def write_matrix(self, matrix: Matrix) -> None:
        """Write the matrix: the folder's cells, holes and probes, and the order of the columns."""
        listed = {"columns": matrix.columns, "cells": matrix.entries, "probes": matrix.probes}
        head = {"schema": SCHEMA, "label": matrix.label, "pairs": matrix.pairs}
        document = head | {name: [vars(x) for x in members] for name, members in listed.items()}
        write_text(self.matrix, json.dumps(document, indent=1, sort_keys=True) + "\n")

    def read_matrix(self) -> Matrix:
        """Read the matrix. Raises UserError if the folder contains no results, or results of another schema."""
        text = read_text(self.matrix)
        if text is None:
            raise UserError(
                f"{self.root} contains no results.",
                f"It has no {self.matrix.name}.",
                "Run the benchmark first, or name a results folder with --results DIR.",
            )
        document = _parsed(self.matrix, text)
        if document["schema"] != SCHEMA:
            raise UserError(
                f"{self.root} was written with schema {document['schema']}.",
                f"This version reads schema {SCHEMA}.",
                "Rerun the command that made this folder, with a new --results folder.",
            )
        columns = tuple(Column(**column) for column in document["columns"])
        probes = tuple(ProbeEntry(**probe) for probe in document["probes"])
        pairs = tuple((one, other) for one, other in document.get("pairs", ()))
        entries = tuple(Entry(**cell | {"val": _files(cell["val"])}) for cell in document["cells"])
        return Matrix(entries, columns, document["label"], probes, pairs)

    def write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        """Write a JSON document of the folder."""
        write_text(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _parsed(path: Path, text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} cannot be read.",
            f"It is not valid JSON: {error}.",
            "Rerun the command that made this folder.",
        ) from error


def _files(val: str | Sequence[str]) -> tuple[str, ...]:
    """The files of ``val``; folders that were written before a fit could have several name one, or ''."""
    return ((val,) if val else ()) if isinstance(val, str) else tuple(val)


def write_table(path: Path, columns: Mapping[str, Any], key: str) -> None:
    """Write columns as parquet, completely or not at all; ``key`` is the key of the cell or probe."""
    table = pa.table(dict(columns)).replace_schema_metadata({"schema": str(SCHEMA), "cell": key})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    pq.write_table(table, partial, compression="zstd")
    partial.replace(path)
