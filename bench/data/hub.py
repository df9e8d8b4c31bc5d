"""Images of a dataset on the Hugging Face Hub, or of a local copy of one, streamed into a tree of files.

``hf:REPO[:CONFIG][@REVISION]``, where REPO is ``owner/name`` or a folder. The files keep the bytes that the dataset
has: what decodes them is the same reader as for all images.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data import listed
from bench.data.dataset import Split
from bench.download import explained
from bench.errors import UserError
from bench.labels import label_in, not_labels
from bench.recipe import content_key

if TYPE_CHECKING:
    from datasets import IterableDataset

PREFIX = "hf:"
#: Must be increased if the same rows are laid out in another way.
_FORM = 1
UNKNOWN_LENGTH = 1 << 40


@dataclass(frozen=True)
class Source:
    """A dataset on the Hub: ``repo`` as ``owner/name`` or a folder, a configuration and a revision, or empty."""

    repo: str
    config: str = ""
    revision: str = ""

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return Path(self.repo).is_dir()


@dataclass(frozen=True)
class Wanted:
    """What is read: the splits, at most ``limits`` images of each class and generator, and ``rows`` of a split.

    None takes all. ``columns`` maps kinds of columns to their names; the others are guessed.
    """

    splits: tuple[Split, ...]
    limits: Mapping[Split, int | None]
    rows: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> Source:
    """``hf:REPO[:CONFIG][@REVISION]``. Raises UserError if it is neither a folder nor ``owner/name``."""
    body = text.removeprefix(PREFIX)
    if Path(body).is_dir():
        return Source(body)
    body, _, revision = body.partition("@")
    repo, _, config = body.partition(":")
    source = Source(repo, config, revision)
    if not source.local and len(repo.split("/")) != 2:
        raise UserError(
            f"--data {text!r} is no dataset on the Hub.",
            f"{repo!r} is not of the form owner/name, and there is no folder of that name.",
            "Write hf:OWNER/NAME, hf:OWNER/NAME:CONFIG, hf:OWNER/NAME@REVISION, or hf:FOLDER of a local copy.",
        )
    return source


def pinned(source: Source) -> str:
    """What identifies the dataset's content: the commit of its revision, or a hash of a local copy's files.

    Offline, a revision of 40 hex digits is taken as it is. Raises UserError if the Hub does not know it.
    """
    if source.local:
        folder = Path(source.repo)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stamps = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return content_key([str(folder.absolute()), stamps])
    if len(source.revision) == 40:
        return source.revision
    from huggingface_hub import HfApi

    with reading(source):
        return str(HfApi().dataset_info(source.repo, revision=source.revision or None).sha)


def key_of(source: Source, commit: str, wanted: Wanted) -> str:
    """The key of the tree that a dataset becomes (:mod:`bench.data.hub_rows`)."""
    limits = dict(wanted.limits)
    return content_key([_FORM, source.repo, source.config, commit, wanted.splits, limits, wanted.rows, wanted.columns])


def reading(source: Source) -> AbstractContextManager[None]:
    """Errors of the Hub's libraries while a dataset is read become one that says what to do."""
    fix = (
        "Check the network, and the dataset's name, configuration and revision; log in with `hf auth login` if it is "
        "gated. What was read is kept: run the same command again."
    )
    return explained(f"{PREFIX}{source.repo}", "cannot be read", fix)


def streams(source: Source, commit: str, wanted: Wanted) -> dict[str, tuple[Split, IterableDataset]]:
    """The splits of a dataset that are read, by their names, with what they are used for."""
    from datasets import load_dataset

    with reading(source):
        revision = None if source.local else commit
        found = load_dataset(source.repo, source.config or None, revision=revision, streaming=True)
    splits = {str(name): listed.split_in(str(name)) for name in found}
    if "split" in wanted.columns:  # The rows say which they belong to.
        return {name: ("test", stream) for name, stream in found.items()}
    if "test" not in splits.values() and "train" not in wanted.splits:  # All of it is for testing.
        return {name: ("test", stream) for name, stream in found.items()}
    used: dict[str, tuple[Split, IterableDataset]] = {
        name: (split or "test", stream) for (name, stream), split in zip(found.items(), splits.values(), strict=True)
    }
    return {name: place for name, place in used.items() if place[0] in wanted.splits}


def class_names(stream: IterableDataset, column: str) -> list[str]:
    """The names of the numbers in a column of classes; empty for other columns."""
    return list(getattr((stream.features or {}).get(column), "names", None) or [])


def columns_of(stream: IterableDataset) -> list[str]:
    """The names of the columns, ``json.label`` for a field of a column of records, as WebDataset has them.

    Of a stream that does not declare them, those of its first row.
    """
    columns: Mapping[str, Any] = stream.features or next(iter(stream.take(1)), {})
    return [
        name
        for column, kind in columns.items()
        for name in (column, *(f"{column}.{part}" for part in (kind if isinstance(kind, dict) else ())))
    ]


def length(stream: IterableDataset, rows: int | None) -> int:
    """The number of rows that are read; a very large one if the dataset does not say."""
    known = getattr((stream.info.splits or {}).get(str(stream.split)), "num_examples", None) or UNKNOWN_LENGTH
    return min(known, rows or known)


def describe(source: Source, commit: str, columns: Mapping[str, str]) -> list[str]:
    """One line per split: rows, columns and which of them are used; reads no image. Raises UserError."""
    lines = []
    for name, (_, stream) in streams(source, commit, Wanted(("train", "test"), {}, columns=columns)).items():
        present, total = columns_of(stream), length(stream, None)
        found = listed.choose_columns(present, columns, f"{PREFIX}{source.repo}")
        strange = [name for name in class_names(stream, found["label"]) if label_in(name, found) is None]
        if strange and found["label"] != found.get("generator"):
            raise not_labels(found["label"], strange[:5])
        chosen = listed.shown(found)
        rows = "an unknown number of rows" if total == UNKNOWN_LENGTH else f"{total} rows"
        lines.append(f"split {name}: {rows}, columns {', '.join(present)}; used: {chosen}. `run` downloads it.")
    return lines
