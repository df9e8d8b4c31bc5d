"""What the verbs that compute nothing look up: results, fits, this machine, names."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd

from bench import discover
from bench.cli.setup import unused
from bench.data.files import Listing, describe, list_images
from bench.data.protocols import PROTOCOLS
from bench.detector import Statistic
from bench.errors import UserError, unknown
from bench.miniature.unpack import packs
from bench.models.catalogue import MODELS, Model
from bench.models.zoo import Zoo
from bench.planning.request import locate
from bench.predict import user_artefacts
from bench.predict.user_weights import own_weights
from bench.results import comparisons, rows, thresholds
from bench.results.comparisons import Side
from bench.results.folder import Results, read_text
from bench.results.measure import measure
from bench.suites import suite as suites


def results_folder(suite: str, results: Path | None) -> Results:
    """The results folder that the options name; UserError if it holds none."""
    folder = Results(results or Path("results") / "runs" / suites.load(suite).name)
    folder.read_matrix()
    return folder


def verify(results: Results) -> tuple[int, list[str]]:
    """Rows checked, and a line for every difference between what is written and what the per-image values say.

    Recomputed are ``rows.csv``, ``comparisons.csv``, ``thresholds.csv``, and from these every table, the figures' data
    and the leaderboard.
    """
    computed = rows.render(measure(results)).splitlines()
    written = (read_text(results.rows) or "").splitlines()
    gone = [f"only in rows.csv: {line}" for line in sorted(set(written) - set(computed))]
    new = [f"only in the scores: {line}" for line in sorted(set(computed) - set(written))]
    order = (
        ["rows.csv has the right lines in another order or number"] if written != computed and not gone + new else []
    )
    stale = _stale(results.comparisons, comparisons.render(comparisons.compute(results)))
    stale += _stale(results.thresholds, thresholds.render(results))
    return max(len(computed) - 1, 0), gone + new + order + stale + _stale_report(results)


def _stale_report(results: Results) -> list[str]:
    """The texts that ``report`` would write otherwise; made beside the folder's values, which are only linked to."""
    from bench.report.write import write_report

    with tempfile.TemporaryDirectory() as folder:
        again = Results(Path(folder))
        for path in results.root.iterdir():
            if path not in (results.tables, results.figures, results.leaderboard):
                (again.root / path.name).symlink_to(path.absolute())
        write_report(again)
        made = [again.leaderboard, *again.tables.glob("*"), *again.figures.glob("*.csv")]
        names = sorted(path.relative_to(again.root) for path in made if path.name != "comparisons.csv")
        wrong = [n for n in names if read_text(results.root / n) != read_text(again.root / n)]
    bare = not any(results.figures.glob("*"))  # As published runs on own images are.
    return [f"{name} is not what report writes" for name in wrong if not (bare and name.parts[0] == "figures")]


def _stale(path: Path, wanted: str) -> list[str]:
    return [] if read_text(path) == wanted else [f"{path.name} is not what the scores say"]


def compare(one: str, other: str, suite: str, results: Path | None, over: Sequence[str]) -> pd.DataFrame:
    """Two methods of a results folder, or the methods that two results folders share; ``over``: one more mean."""
    places = [Path(word) for word in (one, other)]
    folders = all(place.is_dir() for place in places)
    for place in places:
        if not place.is_dir() and len(place.parts) > 1:
            raise UserError(
                f"There is no results folder {place}.",
                "Folders are compared with folders, methods with methods.",
                "Name two folders that `run` has written, or two methods.",
            )
    found = (
        _folders(places[0], places[1], over) if folders else _methods(one, other, results_folder(suite, results), over)
    )
    known = {subset for subset in found["subset"] if not subset.startswith("mean:")}
    for subset in over:
        if subset not in known:
            raise unknown("subset", subset, known, fix="--over takes subsets on which both were scored.")
    if over and comparisons.over_title(over) not in set(found["subset"]):
        raise UserError(
            f"There is no mean over {', '.join(over)}.",
            "No setting has all of them: they are of different datasets or protocols.",
            "Name subsets of one dataset.",
        )
    return found


def _methods(one: str, other: str, folder: Results, over: Sequence[str]) -> pd.DataFrame:
    if one == other:
        raise UserError(f"{one} was to be compared with itself.", "Every difference is 0.", "Name two methods.")
    known = {entry.label for entry in folder.read_matrix().entries}
    for word in (one, other):
        if word not in known:
            fix = f"It must have been scored in {folder.root}; or name two results folders."
            raise unknown("method or results folder", word, known, fix=fix)
    return comparisons.between(Side(folder, one), Side(folder, other), (one, other), over)


def _folders(one: Path, other: Path, over: Sequence[str]) -> pd.DataFrame:
    folders = Results(one), Results(other)
    labels = [{entry.label for entry in folder.read_matrix().entries} for folder in folders]
    shared = sorted(labels[0] & labels[1])
    if not shared:
        raise UserError(
            f"{one} and {other} have no method in common.",
            f"The first has {', '.join(sorted(labels[0]))}; the second {', '.join(sorted(labels[1]))}.",
            "Run the same methods into both.",
        )
    names = (one.name, other.name) if one.name != other.name else (str(one), str(other))
    found = pd.concat(
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
    if found["effect"].isna().all():
        raise UserError(
            f"{one} and {other} cannot be compared.",
            f"{found['reason'].iloc[0] or 'Nothing'}, and so on." if len(found) else "They share no setting.",
            "Run both with the same --data, --limit-test, --test and --protocols.",
        )
    return found


def check_points(points: float | None) -> None:
    """Raise UserError for a ``--fail-if-worse`` that no difference of AUC could reach, or all."""
    if points is not None and not 0 <= points <= 100:
        raise UserError(
            f"--fail-if-worse is {points:g}.", "It must be 0 to 100 points of AUC.", "Use a number in that range."
        )


def worse(found: pd.DataFrame, points: float | None) -> pd.DataFrame:
    """The comparisons on means over subsets in which the first is worse by more than ``points`` of AUC, or a hole."""
    means = found["subset"].str.startswith("mean:")
    below = found["effect"].isna() | (100 * found["effect"] < -(points or 0.0))
    return found[means & below & (points is not None)]


def machine(
    suite: str, models: str | None, weights: Sequence[str], data: str | None, store: Path
) -> list[dict[str, str]]:
    """What is there and what is not: one line a thing, with its state and how to get it."""
    loaded = suites.load(suite)
    found = [{"thing": "python", "state": platform.python_version(), "fix": ""}, _device(), _disk(store)]
    if data is None:
        names = [path.stem for path in packs()]
        found.append({"thing": "embedded images", "state": ", ".join(names) or "missing", "fix": ""})
    else:
        found += _data(loaded.datasets, Path(data))
    named = models or loaded.models
    zoo = Zoo(named, own_weights(weights, store, named), store)
    for role, model in MODELS.items():
        try:
            found.append({"thing": f"weights {role}", "state": f"{model.title}: {zoo.folder(role)}", "fix": ""})
        except UserError as error:
            found.append({"thing": f"weights {role}", "state": f"not there. {error.context}", "fix": error.fix})
    return found


def _unread(path: Path) -> str:
    """What an image file is that cannot be read, as far as its name and its link tell; empty for others."""
    if path.suffix.lower() in (".heic", ".heif"):
        return "HEIC file"
    return "" if path.exists() else "broken link"


def _data(names: Sequence[str], root: Path) -> list[dict[str, str]]:
    """A line for each dataset, for each folder that is not used, and for what is no image in those that are."""
    lines, located = [], {}
    for name in names:
        try:
            located[name] = home, folders = locate(name, root)
        except UserError as error:
            lines.append({"thing": f"data {name}", "state": "missing", "fix": error.fix})
            continue
        counts = []
        for subset in discover.dataset(name).ordered(folders):
            homes = [h for classes in folders[subset.name].values() for some in classes.values() for h in some]
            listed = reduce(Listing.joined, map(list_images, homes), Listing(()))
            beside = f", passed over: {describe(listed.passed)}" if listed.passed else ""
            odd = Counter(kind for path in listed.files if (kind := _unread(path)))
            unread = f", {describe(odd)} among them" if odd else ""
            counts.append(f"{subset.name} ({len(listed.files)} images{unread}{beside})")
        lines.append({"thing": f"data {name}", "state": f"{home}: {', '.join(counts)}", "fix": ""})
    return lines + [{"thing": "data", "state": message, "fix": ""} for message in unused(located, root)]


def _device() -> dict[str, str]:
    import torch

    if torch.cuda.is_available():
        return {"thing": "device", "state": f"cuda: {torch.cuda.get_device_name()}", "fix": ""}
    fix = "the miniature suite needs no GPU; the real models do"
    return {"thing": "device", "state": "cpu, no CUDA device", "fix": fix}


def _disk(store: Path) -> dict[str, str]:
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    return {"thing": "disk for the store", "state": f"{free:.1f} GiB free at {place}", "fix": ""}


def names(kind: str, suite: str) -> list[dict[str, Any]]:
    """What ``list`` shows of a kind."""
    loaded = suites.load(suite)
    tables: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "methods": lambda: [_method(name, loaded) for name in discover.methods()],
        "datasets": lambda: [_dataset(name) for name in discover.datasets()],
        "models": lambda: [_model(model) for model in MODELS.values()],
        "protocols": lambda: [{"name": name} for name in PROTOCOLS],
    }
    if kind not in tables:
        raise unknown("kind of name", kind, tables)
    return tables[kind]()


def _dataset(name: str) -> dict[str, Any]:
    dataset = discover.dataset(name)
    return {"name": name, "title": dataset.title, "subsets": [subset.name for subset in dataset.subsets]}


def _model(model: Model) -> dict[str, Any]:
    where = model.hub or model.url or model.source
    names = {"name": model.role, "title": model.title, "mini": model.mini or "none", "where": where}
    return names | {"size": model.size, "licence": model.licence}


def _method(name: str, suite: suites.Suite) -> dict[str, Any]:
    method = discover.method(name)
    variants = suites.variants(suite, name, method)
    return {
        "name": name,
        "kind": "statistic" if issubclass(method, Statistic) else "detector",
        "variants": variants,
        "artefacts": user_artefacts.names(method(method.Params())),
        "variant_artefacts": {v: user_artefacts.names(suites.instantiate(suite, name, v, method)) for v in variants},
        **asdict(method.card),
    }
