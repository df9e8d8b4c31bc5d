"""The verb ``fetch``: datasets, models and released detectors, with size and licence shown first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from bench import discover
from bench.cli import options as opt
from bench.cli.places import check_writable
from bench.cli.progress import progress as new_progress
from bench.cli.setup import require_run
from bench.data.dataset import Dataset
from bench.download import fetch as fetch_remote
from bench.errors import BenchError, UserError, unknown
from bench.models.catalogue import MODELS
from bench.models.released import RELEASED, ReleasedFile, defaults
from bench.models.zoo import Zoo
from bench.progress import Progress

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help="A dataset (`list datasets`), a model (`list models`) or a detector's released weights (`list released`).",
    ),
]
DataDir = Annotated[
    Path,
    typer.Option("--data", help="The folder for datasets; each gets a folder of its own.", rich_help_panel=opt.WHERE),
]
Look = Annotated[bool, typer.Option("--dry-run", help="Only show source, size and licence.")]


@dataclass(frozen=True)
class _Wanted:
    """Something to fetch; ``get`` downloads it and says where it is, or raises UserError."""

    name: str
    source: str
    size: str
    licence: str
    get: Callable[[Progress], str]
    automatic: bool


def fetch(names: Names, data: DataDir = Path("data"), dry_run: Look = False) -> None:
    """Download datasets, models and released weights: resumed where interrupted, checked against their checksums.

    Models and weights go to the caches of the Hugging Face Hub (`HF_HOME`) and of torch, where every run finds them.
    Of what a program cannot download, the page and the place for the files are printed, and the exit code is 1.
    """
    require_run()
    wanted = [_wanted(name, data) for name in dict.fromkeys(names)]
    rows = [[o.name, o.source, o.size, o.licence, "downloaded" if o.automatic else "by hand"] for o in wanted]
    print(tabulate(rows, ["name", "from", "size", "licence", ""], maxcolwidths=[None, 60, 30, 40, None]), flush=True)
    if dry_run:
        return
    progress, failed = new_progress(), list[str]()
    for one in wanted:
        try:
            print(f"{one.name}: {one.get(progress)}", flush=True)
        except BenchError as error:
            failed.append(f"{one.name}: {error.problem} {error.context} {error.fix}")
    if failed:
        again = any(one.automatic for one in wanted)
        raise BenchError(
            f"{len(failed)} of {len(wanted)} could not be fetched.",
            "\n  ".join(failed),
            "What was downloaded is kept; the same command goes on." if again else "Get them by hand, as said above.",
        )


def _wanted(name: str, data: Path) -> _Wanted:
    """What a name stands for. Raises UserError for an unknown one."""
    labels = defaults()
    if name in labels or name in RELEASED:
        return _weights(labels.get(name) or RELEASED[name])
    if name in MODELS:
        return _model(name)
    if name in discover.datasets():
        return _dataset(discover.dataset(name), data)
    raise unknown("dataset, model or released weights", name, {*labels, *RELEASED, *MODELS, *discover.datasets()})


def _weights(file: ReleasedFile) -> _Wanted:
    def get(progress: Progress) -> str:
        path, companions = file.get(progress)
        beside = "".join(f" --weights {role}={companion}" for role, companion in companions.items())
        return f"{path}\n  use it with --checkpoint '{file.method}={path}'{beside}"

    return _Wanted(file.name, file.where, file.size, file.licence, get, file.downloadable)


def _model(role: str) -> _Wanted:
    model = MODELS[role]
    automatic = bool(model.hub or model.downloads)
    return _Wanted(role, model.where, model.size, model.licence, lambda _: str(Zoo("hub").folder(role)), automatic)


def _dataset(dataset: Dataset, data: Path) -> _Wanted:
    home = data / dataset.name

    def get(progress: Progress) -> str:
        if not dataset.downloads:
            raise UserError(
                "A program cannot download it.",
                f"{dataset.page}: {dataset.afterwards}",
                f"Put it below {data}, as {dataset.layout().replace('DIR', str(data))}.",
            )
        check_writable("--data", home)
        for remote in dataset.downloads:
            fetch_remote(remote, home, progress)
        then = f"\n  {dataset.afterwards}" if dataset.afterwards else ""
        return f"{home}{then}\n  look at it with `check --data {data}`"

    if not dataset.page:
        raise UserError(f"{dataset.name} is no published dataset.", "It is a folder of your own.", "Name another.")
    source = "; ".join(remote.name for remote in dataset.downloads) or dataset.page
    size = "; ".join(remote.size for remote in dataset.downloads) or "see the page"
    return _Wanted(dataset.name, source, size, dataset.licence, get, bool(dataset.downloads))
