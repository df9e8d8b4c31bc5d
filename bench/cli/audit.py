"""The verb ``audit``: the shortcuts in a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from tabulate import tabulate

from bench import discover
from bench.cli import options as opt
from bench.cli.located import Located, locate
from bench.cli.progress import progress as new_progress
from bench.cli.run_options import RunOptions
from bench.cli.show import document
from bench.data import headers
from bench.data.copies import copies
from bench.data.dataset import Split
from bench.data.files import list_images, printable
from bench.data.index import Index
from bench.data.splits import Limits
from bench.miniature.unpack import unpack
from bench.progress import Progress
from bench.suites import suite as suites

_SPLITS: tuple[Split, ...] = ("test", "train")
Place = tuple[str, str, str]


Data = Annotated[
    str,
    typer.Argument(help="A folder in a dataset's layout, `FILE.csv`, `hf:OWNER/NAME`, or `mini`; as for `--data`."),
]
Test = Annotated[str, typer.Option(help="Datasets to look for beside the suite's, as for `run`.")]
HeaderOnly = Annotated[
    bool,
    typer.Option(
        "--header-only",
        help="Read only the headers of the files: much faster, but finds no image that is there twice.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder of the page and its tables. Default: `results/audits/NAME`.")]


def audit(
    data: Data,
    test: Test = "all",
    header_only: HeaderOnly = False,
    out: Out = None,
    columns: opt.Columns = None,
    rows: opt.Rows = None,
    suite: opt.SuiteName = "mini",
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Show which facts of the files tell photographs from fakes: container, JPEG quality, size, profile, camera.

    Each fact is a classifier, tested on files that did not teach it. If one separates the classes, so can a detector
    that never looks at the content. Also counts images that are there twice. Writes a page with the distributions.
    """
    from bench.report import audit as report

    progress = new_progress()
    own = None if data == "mini" else data
    options = RunOptions(data=own, test=test, columns=columns, rows=rows, suite=suite, store=store)
    if own is None:
        unpack(store, progress)
    located = locate(suites.load(suite), options, progress, False, Limits(None, None))
    listed = _all_listed(located)
    files = _table(listed, {name: root for name, (root, _) in located.items()}, progress)
    doubles = [] if header_only else list(_doubles(listed, Index(store / "index"), progress))
    judged = report.judge(files)
    folder = out or Path("results") / "audits" / (Path(data).stem or "data")
    report.write(folder, files, judged, doubles, data)
    _show(judged, doubles, folder, header_only, as_json)


def _all_listed(located: Located) -> dict[Place, list[tuple[Path, int]]]:
    """The files with their labels, by dataset, subset and split."""
    return {
        (name, subset.name, split): _listed(subsets[subset.name].get(split, {}))
        for name, (_, subsets) in located.items()
        for subset in discover.dataset(name).ordered(subsets)
        for split in _SPLITS
        if split in subsets[subset.name]
    }


def _listed(classes: Mapping[int, Sequence[Path]]) -> list[tuple[Path, int]]:
    """The image files of a split with their labels."""
    return [(file, label) for label, homes in classes.items() for home in homes for file in list_images(home).files]


def _table(
    listed: Mapping[Place, Sequence[tuple[Path, int]]], roots: Mapping[str, Path], progress: Progress
) -> pd.DataFrame:
    """One row per file of every subset and split, with the facts of its header; a file is read once."""
    distinct = list(dict.fromkeys(path for files in listed.values() for path, _ in files))
    found = dict(zip(distinct, headers.read(distinct, progress), strict=True))
    lines = [
        {"dataset": place[0], "subset": place[1], "split": place[2], "label": label}
        | {"path": printable(path.relative_to(roots[place[0]]))}
        | asdict(found[path])
        for place, files in listed.items()
        for path, label in files
    ]
    names = ["dataset", "subset", "split", "label", "path", *asdict(headers.Header())]
    return pd.DataFrame(lines, columns=names)


def _doubles(
    listed: Mapping[Place, Sequence[tuple[Path, int]]], index: Index, progress: Progress
) -> Iterator[dict[str, Any]]:
    """What is there twice, per subset and split: in one class, in both, and in training and test set."""
    distinct = list(dict.fromkeys(path for files in listed.values() for path, _ in files))
    facts = dict(zip(distinct, index.scan(distinct, progress), strict=True))
    for place, files in listed.items():
        own = {label: [facts[path] for path, y in files if y == label] for label in (0, 1)}
        ids = {label: Counter(fact["image_id"] for fact in own[label] if fact["image_id"]) for label in own}
        counts = {
            "twice in one class": sum(n - 1 for found in ids.values() for n in found.values()),
            "in both classes": len(ids[0].keys() & ids[1].keys()),
        }
        if place[2] == "test" and (trained := listed.get((place[0], place[1], "train"))):
            theirs = [facts[path] for path, _ in trained]
            same = {fact["image_id"] for fact in theirs if fact["image_id"]}
            counts["also in the training set"] = sum(fact["image_id"] in same for f in own.values() for fact in f)
            near = copies(_hashes([*own[0], *own[1]]), _hashes(theirs))
            counts["copies of the training set (encoded again or resized)"] = len(near)
        for what, count in counts.items():
            if count:
                head = {"dataset": place[0], "subset": place[1], "split": place[2]}
                yield {**head, "what": what, "count": count, "text": f"{count} images are {what}."}


def _hashes(facts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The perceptual hashes of images by their ids; plain images have none."""
    return {fact["image_id"]: fact["perceptual"] for fact in facts if fact["perceptual"]}


def _show(
    judged: pd.DataFrame, doubles: Sequence[Mapping[str, Any]], folder: Path, header_only: bool, as_json: bool
) -> None:
    """Print one line per subset, and where the page is."""
    from bench.report.audit import sentence

    groups = list(judged.groupby(["dataset", "subset", "split"], sort=False)) if len(judged) else []
    lines = [
        {
            "subset": f"{place[0]}:{place[1]}, {place[2]}",
            **{name: int(rows[name].iloc[0]) for name in ("real", "fake", "unreadable")},
            "verdict": sentence(rows),
        }
        for place, rows in groups
    ]
    if as_json:
        facts = judged.astype(object).where(judged.notna(), None).to_dict("records")
        document({"subsets": lines, "facts": facts, "doubles": list(doubles), "page": str(folder / "index.html")})
        return
    print(tabulate(lines, "keys", maxcolwidths=[None, None, None, None, 80]))
    for double in doubles:
        print(f"{double['dataset']}:{double['subset']}, {double['split']}: {double['text']}")
    if header_only:
        print("headers only: images that are there twice were not looked for")
    print(f"written to {folder / 'index.html'} (audit.csv: every fact; files.csv: every file)")
