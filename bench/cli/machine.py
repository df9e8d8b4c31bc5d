"""What ``check`` looks at: Python, device, disk, data and weights."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from bench import discover
from bench.cli.listed_data import check_columns, described, is_listed, tree_of
from bench.cli.located import unused
from bench.cli.run_options import RunOptions
from bench.data import hub
from bench.data.dataset import Folders
from bench.data.expected import Place, compare
from bench.data.files import Listing, describe, list_images
from bench.data.splits import Limits
from bench.errors import UserError
from bench.miniature.unpack import packs
from bench.models.catalogue import MODELS
from bench.models.zoo import Zoo
from bench.planning.request import locate
from bench.predict.user_weights import own_weights
from bench.progress import Progress
from bench.suites import suite as suites

Line = dict[str, str]


def machine(options: RunOptions, progress: Progress) -> list[Line]:
    """What this machine has and lacks: one line per thing, with its state and how to get it.

    Of the options it uses suite, models, weights, data, columns and store.
    """
    loaded, store = suites.load(options.suite), options.store
    check_columns(options)
    lines = [{"thing": "python", "state": platform.python_version(), "fix": ""}, _device(), _disk(store)]
    if options.data is None:
        names = [path.stem for path in packs()]
        lines.append({"thing": "embedded images", "state": ", ".join(names) or "missing", "fix": ""})
    elif options.data.startswith(hub.PREFIX):
        lines += [{"thing": "data", "state": line, "fix": ""} for line in described(options)]
    elif is_listed(options.data):
        tree = tree_of(options, Limits(None, None), trains=False, progress=progress)
        lines += _data([tree.dataset], tree.root / tree.dataset)
    else:
        lines += _data(loaded.datasets, Path(options.data))
    source = options.models or loaded.models
    zoo = Zoo(source, own_weights(options.weights or (), store, source), store)
    for role, model in MODELS.items():
        try:
            lines.append({"thing": f"weights {role}", "state": f"{model.title}: {zoo.folder(role)}", "fix": ""})
        except UserError as error:
            lines.append({"thing": f"weights {role}", "state": f"missing. {error.context}", "fix": error.fix})
    return lines


def _unread(path: Path) -> str:
    """Why an image file cannot be read, judged by its name and link alone; empty if neither shows a reason."""
    if path.suffix.lower() in (".heic", ".heif"):
        return "HEIC file"
    return "" if path.exists() else "broken link"


def _data(names: Sequence[str], root: Path) -> list[Line]:
    """One line per dataset, with the files that are not images, and one per folder that is not used."""
    lines, located = [], {}
    for name in names:
        try:
            located[name] = home, folders = locate(name, root)
        except UserError as error:
            lines.append(
                {"thing": f"data {name}", "state": f"missing. {error.problem} {error.context}", "fix": error.fix}
            )
            continue
        dataset, (counts, files) = discover.dataset(name), _counted(name, folders)
        lines.append({"thing": f"data {name}", "state": f"{home}: {', '.join(counts)}", "fix": ""})
        differing = compare(dataset, home, files)
        lines += [{"thing": f"{name} as published", "state": line, "fix": ""} for line in differing]
    return lines + [{"thing": "data", "state": message, "fix": ""} for message in unused(located, root)]


def _counted(name: str, folders: dict[str, Folders]) -> tuple[list[str], dict[Place, Sequence[Path]]]:
    """The images of each subset in words, and those of each class."""
    counts, files = list[str](), dict[Place, Sequence[Path]]()
    for subset in discover.dataset(name).ordered(folders):
        listed = Listing(())
        for split, classes in folders[subset.name].items():
            for label, homes in classes.items():
                images = reduce(Listing.joined, map(list_images, homes), Listing(()))
                files[subset.name, split, label] = images.files
                listed = listed.joined(images)
        skipped = f", passed over: {describe(listed.passed)}" if listed.passed else ""
        unreadable = Counter(kind for path in listed.files if (kind := _unread(path)))
        broken = f", {describe(unreadable)} among them" if unreadable else ""
        counts.append(f"{subset.name} ({len(listed.files)} images{broken}{skipped})")
    return counts, files


def _device() -> Line:
    import torch

    if torch.cuda.is_available():
        return {"thing": "device", "state": f"cuda: {torch.cuda.get_device_name()}", "fix": ""}
    fix = "only the real models need a GPU; the miniature suite does not"
    return {"thing": "device", "state": "cpu, no CUDA device", "fix": fix}


def _disk(store: Path) -> Line:
    nearest = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    return {"thing": "disk for the store", "state": f"{free:.1f} GiB free at {nearest}", "fix": ""}
