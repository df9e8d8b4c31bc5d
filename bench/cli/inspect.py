"""Look-ups of the verbs that compute nothing: results, comparisons, this machine, names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bench import discover
from bench.cli.reproduce import listed
from bench.data.protocols import PROTOCOLS, meaning
from bench.detector import is_baseline
from bench.errors import UserError, unknown
from bench.models.catalogue import MODELS, Model
from bench.models.released import RELEASED, ReleasedFile
from bench.predict import user_artefacts
from bench.results import comparisons, derived
from bench.results.comparisons import Side
from bench.results.folder import Results, read_text
from bench.results.frames import first_difference, same_numbers
from bench.suites import suite as suites


def results_folder(suite: str, results: Path | None) -> Results:
    """The results folder that the options name. Raises UserError if it contains no results."""
    folder = Results(results or Path("results") / "runs" / suites.load(suite).name)
    folder.read_matrix()
    return folder


def verify(results: Results) -> tuple[int, list[str]]:
    """Recompute a results folder; returns the number of rows and one line per difference from the files.

    The CSV files of :mod:`bench.results.derived` are recomputed from the per-image values; every table, the data of the
    figures and the leaderboard from these. Numbers may differ in their last digits, as sums do on another processor.
    """
    wanted = derived.texts(results)
    count = wanted[results.rows].count("\n") - 1
    differences: list[str] = []
    for path, computed in wanted.items():
        written = read_text(path)
        if written is None:
            differences.append(f"{path.name} is missing")
            continue
        if same_numbers(computed, written):
            continue
        if path != results.rows:
            differences.append(f"{path.name} is not what the scores say{first_difference(written, computed)}")
            continue
        lines = computed.splitlines(), written.splitlines()
        differences += [f"only in rows.csv: {line}" for line in sorted(set(lines[1]) - set(lines[0]))]
        differences += [f"only in the scores: {line}" for line in sorted(set(lines[0]) - set(lines[1]))]
        if set(lines[0]) == set(lines[1]):
            differences.append("rows.csv has the right lines in another order or number")
    # A report of wrong numbers says nothing, and may not even be possible.
    return count, differences or _stale_report(results)


def _stale_report(results: Results) -> list[str]:
    """One line per text file that differs from what ``report`` writes into a temporary folder with the same values."""
    from bench.report.write import PUBLISHED, write_report

    bare = not any(results.figures.glob("*"))
    # Published boards have no CSV files, those beside the main one neither TeX nor figures.
    kinds = {".md", *(path.suffix for path in results.tables.glob("*") if path.stem not in PUBLISHED)}
    with tempfile.TemporaryDirectory() as folder:
        again = Results(Path(folder))
        for path in results.root.iterdir():
            if path not in (results.tables, results.figures, results.leaderboard):
                (again.root / path.name).symlink_to(path.absolute())
        write_report(again, figures=not bare)
        tables = [path for path in again.tables.glob("*") if path.suffix in kinds]
        made = [again.leaderboard, *tables, *again.figures.glob("*.csv")]
        names = sorted(path.relative_to(again.root) for path in made if path.name != "comparisons.csv")
        wrong = [n for n in names if not _same(results.root / n, again.root / n)]
        return [
            f"{name} is not what report writes{first_difference(*(read_text(r.root / name) for r in (results, again)))}"
            for name in wrong
        ]


def _same(one: Path, other: Path) -> bool:
    """Whether two text files are equal; in CSV files, but for the last digits of numbers."""
    texts = read_text(one), read_text(other)
    return texts[0] == texts[1] or (one.suffix == ".csv" and None not in texts and same_numbers(*map(str, texts)))


def compare(one: str, other: str, suite: str, results: Path | None, over: Sequence[str]) -> pd.DataFrame:
    """Compare two methods of a results folder, or two results folders in the methods that they share.

    ``over`` names the subsets of one more mean. Raises UserError for a folder, method or subset that does not exist,
    and if nothing can be compared.
    """
    paths = [Path(word) for word in (one, other)]
    folders = all(path.is_dir() for path in paths)
    for path in paths:
        if not path.is_dir() and len(path.parts) > 1:
            raise UserError(
                f"There is no results folder {path}.",
                "Two folders or two methods can be compared, but not one of each.",
                "Name two folders that `run` has written, or two methods.",
            )
    compared = (
        _folders(paths[0], paths[1], over) if folders else _methods(one, other, results_folder(suite, results), over)
    )
    known = {subset for subset in compared["subset"] if not subset.startswith("mean:")}
    for subset in over:
        if subset not in known:
            raise unknown("subset", subset, known, fix="Name subsets with --over on which both were scored.")
    if over and comparisons.over_title(over) not in set(compared["subset"]):
        raise UserError(
            f"There is no mean over {', '.join(over)}.",
            "No setting has all of them: they belong to different datasets or protocols.",
            "Name subsets of one dataset.",
        )
    return comparisons.corrected(compared, ~comparisons.repeats(compared))


def _methods(one: str, other: str, folder: Results, over: Sequence[str]) -> pd.DataFrame:
    if one == other:
        raise UserError(f"{one} cannot be compared with itself.", "Every difference is 0.", "Name two methods.")
    known = {entry.label for entry in folder.read_matrix().entries}
    for word in (one, other):
        if word not in known:
            fix = f"Name a method that was scored in {folder.root}, or two results folders."
            raise unknown("method or results folder", word, known, fix=fix)
    return comparisons.between(Side(folder, one), Side(folder, other), (one, other), over)


def _folders(one: Path, other: Path, over: Sequence[str]) -> pd.DataFrame:
    folders = Results(one), Results(other)
    labels = [{entry.label for entry in folder.read_matrix().entries} for folder in folders]
    shared = sorted(labels[0] & labels[1])
    if not shared:
        raise UserError(
            f"{one} and {other} have no method in common.",
            f"The first has {', '.join(sorted(labels[0]))}; the second has {', '.join(sorted(labels[1]))}.",
            "Run the same methods into both.",
        )
    names = (one.name, other.name) if one.name != other.name else (str(one), str(other))
    compared = pd.concat(
        [
            comparisons.between(
                Side(folders[0], label),
                Side(folders[1], label),
                (f"{label} ({names[0]})", f"{label} ({names[1]})"),
                over,
            )
            for label in shared
        ],
        ignore_index=True,
    )
    if compared["effect"].isna().all():
        raise UserError(
            f"{one} and {other} cannot be compared.",
            f"The first reason: {compared['reason'].iloc[0]}." if len(compared) else "They share no setting.",
            "Run both with the same --data, --limit-test, --test and --protocols.",
        )
    return compared


def check_points(points: float | None) -> None:
    """Raise UserError unless ``--fail-if-worse`` is 0 to 100 points of AUC."""
    if points is not None and not 0 <= points <= 100:
        raise UserError(
            f"--fail-if-worse is {points:g}.", "It must be 0 to 100 points of AUC.", "Use a number in that range."
        )


def worse(found: pd.DataFrame, points: float | None) -> pd.DataFrame:
    """The means over subsets in which the first side is worse by more than ``points`` of AUC, or that are holes.

    Empty if ``points`` is None.
    """
    means = found["subset"].str.startswith("mean:")
    below = found["effect"].isna() | (100 * found["effect"] < -(points or 0.0))
    return found[means & below & (points is not None)]


def names(kind: str, suite: str) -> list[dict[str, Any]]:
    """The lines that ``list`` shows for a kind of name. Raises UserError for an unknown kind."""
    loaded = suites.load(suite)
    tables: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "methods": lambda: [_method(name, loaded) for name in discover.methods()],
        "datasets": lambda: [_dataset(name) for name in discover.datasets()],
        "models": lambda: [_model(model) for model in MODELS.values()],
        "released": lambda: [_released(file) for file in RELEASED.values()],
        "protocols": lambda: [{"name": name, "does": meaning(name)} for name in PROTOCOLS],
        "experiments": lambda: listed(suite),
    }
    if kind not in tables:
        raise unknown("kind of name", kind, tables)
    return tables[kind]()


def _dataset(name: str) -> dict[str, Any]:
    dataset = discover.dataset(name)
    return {"name": name, "title": dataset.title, "subsets": [subset.name for subset in dataset.subsets]}


def _model(model: Model) -> dict[str, Any]:
    names = {"name": model.role, "title": model.title, "mini": model.mini or "none", "where": model.where}
    return names | {"size": model.size, "licence": model.licence}


def _released(file: ReleasedFile) -> dict[str, Any]:
    line = {"name": file.name, "method": file.method, "trained_on": file.trained_on, "size": file.size}
    return line | {"licence": file.licence, "downloadable": file.downloadable, "where": file.where}


def _method(name: str, suite: suites.Suite) -> dict[str, Any]:
    method = discover.method(name)
    variants = suites.variants(suite, name, method)
    return {
        "name": name,
        "kind": "statistic" if is_baseline(method) else "detector",
        "variants": variants,
        "ablations": method.ablations,
        "artefacts": user_artefacts.names(method(method.Params())),
        "variant_artefacts": {v: user_artefacts.names(suites.instantiate(suite, name, v, method)) for v in variants},
        **asdict(method.card),
    }
