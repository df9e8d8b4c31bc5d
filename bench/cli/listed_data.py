"""``--data FILE.csv`` and ``--data hf:REPO``: images that a table lists, as a tree of links or files in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.cli.run_options import RunOptions
from bench.data import hub, hub_rows, listed, manifest
from bench.data.dataset import Split
from bench.data.hub import Source, Wanted
from bench.data.splits import VALIDATION_SHARE, Limits
from bench.errors import UserError
from bench.models.embedded import build_atomically
from bench.progress import Heard, Progress

#: Below the store.
FOLDER = "listed"
_LEFT_OUT, _SAID = "left_out.json", "said.json"


@dataclass(frozen=True)
class Listed:
    """A tree of listed images: its folder, and the dataset that reads it."""

    root: Path
    dataset: str


def is_listed(data: str | None) -> bool:
    """Whether ``--data`` names a table of images instead of a folder."""
    return bool(data) and (str(data).startswith(hub.PREFIX) or Path(str(data)).suffix.lower() == ".csv")


def tree_of(options: RunOptions, limits: Limits, trains: bool, progress: Progress) -> Listed:
    """The tree of ``--data``, made once per content and, from the Hub, per limits. Raises UserError.

    ``trains`` says whether the run trains, which needs rows of a split of training.
    """
    columns, data = listed.parse_columns(options.columns), str(options.data)
    home = options.store / FOLDER
    if data.startswith(hub.PREFIX):
        found = _of_hub(data, columns, _wanted(options, columns, limits, trains), home, progress)
    else:
        found = _of_file(Path(data), columns, home, progress)
    if trains and found.dataset != "genimage":
        raise UserError(
            f"--data {data} has no images to train on.",
            "No row belongs to a split of training.",
            "Give a column `split` with train and test, or measure released weights: --checkpoint METHOD=FILE.",
        )
    return found


def _of_file(path: Path, columns: dict[str, str], home: Path, progress: Progress) -> Listed:
    if not path.is_file():
        raise UserError(f"--data {str(path)!r} does not exist.", f"Looked at {path.absolute()}.", "Give a CSV file.")

    def fill(partial: Path) -> None:
        heard = Heard(progress)
        manifest.lay_out(manifest.read(path, columns, heard), partial, heard)
        (partial / _SAID).write_text(json.dumps(heard.said), encoding="utf-8")

    tree = home / manifest.key_of(path, columns)
    _say_again(tree, progress)
    return _dataset_in(build_atomically(tree, fill))


def _say_again(tree: Path, progress: Progress) -> None:
    """What was said of a table when it was read, its columns and the rows that are not used, holds for this run too."""
    if (tree / _SAID).is_file():
        Heard(progress).repeat(json.loads((tree / _SAID).read_text(encoding="utf-8")))


def _dataset_in(tree: Path) -> Listed:
    (name,) = (path.name for path in tree.iterdir() if path.is_dir() and path.name != "images")
    return Listed(tree, name)


def _wanted(options: RunOptions, columns: dict[str, str], limits: Limits, trains: bool) -> Wanted:
    """What a run reads of a dataset on the Hub: with a limit N, N images to train on and those held out of them."""
    train = None if limits.train is None else round(limits.train / (1 - VALIDATION_SHARE)) + 1
    splits: tuple[Split, ...] = ("train", "test") if trains else ("test",)
    return Wanted(splits, {"train": train, "test": limits.test}, options.rows, columns)


def _of_hub(data: str, columns: dict[str, str], wanted: Wanted, home: Path, progress: Progress) -> Listed:
    """The tree of a dataset on the Hub, streamed if it is not there; what an interrupted run left is continued."""
    from filelock import FileLock

    source = hub.parse(data)
    commit = hub.pinned(source)
    tree = home / hub.key_of(source, commit, wanted)
    with FileLock(_lock(tree)):
        _say_again(tree, progress)
        if not tree.is_dir():
            _stream(source, commit, wanted, tree, progress)
    for reason, count in json.loads((tree / _LEFT_OUT).read_text(encoding="utf-8")).items():
        progress.warn(f"{data}: {count} rows are not used: {reason}")
    progress.note(f"{data} at {commit[:12]}: images in {tree}")
    return _dataset_in(tree)


def _lock(tree: Path) -> Path:
    tree.parent.mkdir(parents=True, exist_ok=True)
    return tree.with_suffix(".lock")


def _stream(source: Source, commit: str, wanted: Wanted, tree: Path, progress: Progress) -> None:
    partial = tree.with_suffix(".part")
    partial.mkdir(exist_ok=True)
    heard = Heard(progress)
    left_out = hub_rows.read(source, commit, wanted, partial, heard)
    places, classes = hub_rows.places(partial)
    if not any(place.label for place in places):
        raise UserError(
            f"{hub.PREFIX}{source.repo} gave no fakes.",
            f"Not used: {', '.join(f'{count} rows: {why}' for why, count in left_out.items()) or 'nothing'}.",
            "Name its columns with --columns, or read more with --rows.",
        )
    listed.arrange(partial, places, classes)
    (partial / _LEFT_OUT).write_text(json.dumps(left_out), encoding="utf-8")
    (partial / _SAID).write_text(json.dumps(heard.said), encoding="utf-8")
    partial.replace(tree)


def described(options: RunOptions) -> list[str]:
    """What a dataset on the Hub has, one line per split; downloads no image. Raises UserError."""
    source, columns = hub.parse(str(options.data)), listed.parse_columns(options.columns)
    return hub.describe(source, hub.pinned(source), columns)


def check_columns(options: RunOptions) -> None:
    """Raise UserError if ``--columns`` or ``--rows`` is given for data that no table lists."""
    for name, value in (("--columns", options.columns), ("--rows", options.rows)):
        if value is not None and not is_listed(options.data):
            raise UserError(
                f"{name} says how a table of images is read.",
                f"--data is {options.data or 'not given'}.",
                "Use it with --data FILE.csv or --data hf:REPO.",
            )
