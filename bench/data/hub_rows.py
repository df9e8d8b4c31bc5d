"""The rows of a dataset on the Hub as files below a folder; an interrupted download goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data import hub, listed
from bench.data.dataset import Split
from bench.data.decode import HEAD, kind_of
from bench.data.hub import Source, Wanted
from bench.data.listed import Place
from bench.labels import check_direction, label_in, not_labels
from bench.progress import Progress

if TYPE_CHECKING:
    from datasets import IterableDataset

#: What was read is noted after this many rows.
_EVERY = 500
_STATE = "state.json"
_USES: Mapping[Split, str] = {"train": "training", "test": "testing"}


@dataclass
class _State:
    """How far a download is: rows read by split, and images by place; what was left out, by reason."""

    rows: dict[str, int] = field(default_factory=dict)
    places: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    classes: dict[str, str] = field(default_factory=dict)

    def save(self, tree: Path) -> None:
        partial = tree / f"{_STATE}.part"
        partial.write_text(json.dumps(vars(self)), encoding="utf-8")
        partial.replace(tree / _STATE)

    @classmethod
    def load(cls, tree: Path) -> _State:
        if not (tree / _STATE).exists():
            return cls()
        kept = json.loads((tree / _STATE).read_text(encoding="utf-8"))
        return cls(kept["rows"], Counter(kept["places"]), Counter(kept["left_out"]), kept["classes"])


def _value(row: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401 - whatever the dataset has
    """The value of a column, or of a field of one."""
    head, dot, field_ = column.partition(".")
    value = row.get(column, row.get(head) if dot else None)
    return value.get(field_) if dot and column not in row and isinstance(value, Mapping) else value


def _as_bytes(stream: IterableDataset, column: str) -> IterableDataset:
    """The stream with its images as bytes, not decoded."""
    from datasets import Image

    features = stream.features or {}
    return stream.cast_column(column, Image(decode=False)) if isinstance(features.get(column), Image) else stream


def _image_bytes(value: Any) -> bytes | None:  # noqa: ANN401 - a dictionary, bytes or a path, as the dataset has it
    if isinstance(value, Mapping):
        data, path = value.get("bytes"), value.get("path")
        if data is None and path and Path(path).is_file():
            return Path(path).read_bytes()
        return data
    return value if isinstance(value, bytes) else None


class _Reader:
    """Reads the rows of one split into a tree."""

    def __init__(self, tree: Path, state: _State, wanted: Wanted, columns: Mapping[str, str], names: list[str]) -> None:
        self._tree, self._state, self._wanted, self._columns, self._names = tree, state, wanted, columns, names
        self._one_column = columns["label"] == columns.get("generator")

    def _word(self, row: Mapping[str, Any], role: str) -> str:
        value = _value(row, self._columns.get(role, ""))
        if role in ("label", "generator") and self._columns.get(role) == self._columns["label"] and self._names:
            value = self._names[value] if isinstance(value, int) and 0 <= value < len(self._names) else value
        return "" if value is None else str(value)

    def _place(self, row: Mapping[str, Any], split: Split) -> Place | str:
        """Where a row's image belongs, or why it is not used."""
        word = self._word(row, "label")
        label = label_in(word, self._columns)
        if label is None and self._one_column and word:
            label = 1
        check_direction(self._columns["label"], [word], self._columns)
        if label is None:
            if not word:
                return "no label"
            raise not_labels(self._columns["label"], [word])
        if "split" in self._columns:
            named = listed.split_in(self._word(row, "split"))
            if named is None or named not in self._wanted.splits:
                return f"of the split {self._word(row, 'split')!r}"
            split = named
        place = Place(split, label, listed.folder_name(self._word(row, "generator")))
        limit = self._wanted.limits.get(split)
        full = limit is not None and self._state.places[place.name] >= limit
        return "beyond the limit" if full else place

    def _image(self, row: Mapping[str, Any]) -> bytes | None:
        """The image of a row; in WebDataset, images of other formats have columns of their own."""
        others = (name for name in listed.COLUMNS["image"] if name in row and name != self._columns["image"])
        found = (_image_bytes(_value(row, name)) for name in (self._columns["image"], *others))
        return next((data for data in found if data), None)

    def take(self, number: int, row: Mapping[str, Any], split: Split, source: str) -> None:
        """Keep one row's image, or count why not."""
        place = self._place(row, split)
        data = None if isinstance(place, str) else self._image(row)
        if isinstance(place, str) or not data:
            self._state.left_out[place if isinstance(place, str) else "no image"] += 1
            return
        folder = place.below(self._tree / "images")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{source}-{number:08d}.{kind_of(data[:HEAD]) or 'img'}"
        (folder / name).write_bytes(data)
        self._state.places[place.name] += 1
        if word := self._word(row, "class"):
            self._state.classes[name] = word


def _read_split(
    name: str, place: tuple[Split, IterableDataset], source: Source, reader: _Reader, state: _State, tree: Path
) -> Iterator[int]:
    """Read one split; yields after every row, its number."""
    split, stream = place
    begun = state.rows.get(name, 0)
    with hub.reading(source):
        for number, row in enumerate(stream.skip(begun) if begun else stream, begun):
            reader.take(number, row, split, listed.folder_name(name))
            state.rows[name] = number + 1
            if (number + 1) % _EVERY == 0:
                state.save(tree)
            yield number


def read(source: Source, commit: str, wanted: Wanted, tree: Path, progress: Progress) -> dict[str, int]:
    """Stream the images of a dataset into ``tree/images``; an interrupted download goes on. Returns what is left out.

    Raises UserError if the dataset or its columns cannot be used.
    """
    state = _State.load(tree)
    for name, (split, stream) in hub.streams(source, commit, wanted).items():
        columns = listed.choose_columns(hub.columns_of(stream), wanted.columns, f"{hub.PREFIX}{source.repo}")
        progress.note(
            f"{hub.PREFIX}{source.repo}, split {name}, for {_USES[split]}: columns {listed.shown(columns)}; "
            "--columns chooses others"
        )
        reader = _Reader(tree, state, wanted, columns, hub.class_names(stream, columns["label"]))
        for column in listed.COLUMNS["image"]:
            stream = _as_bytes(stream, column)
        place = (split, _as_bytes(stream, columns["image"]))
        total = hub.length(stream, wanted.rows)
        with progress.stage(f"rows of {source.repo}, {name}", total) as stage:
            progress.advance(stage, min(state.rows.get(name, 0), total))
            if state.rows.get(name, 0) < total:
                for number in _read_split(name, place, source, reader, state, tree):
                    progress.advance(stage)
                    if number + 1 >= total:
                        break
        state.save(tree)
    return dict(state.left_out)


def places(tree: Path) -> tuple[list[Place], dict[str, str]]:
    """The places of the images that were read, and the classes by file name."""
    state = _State.load(tree)
    return [Place.named(name) for name in state.places], state.classes
