"""The verbs of the artefact store: ``store stats``, ``verify``, ``gc``, ``export``, ``import``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from tabulate import tabulate

from bench import device as devices
from bench import discover
from bench.artefacts import upkeep
from bench.artefacts.origin import unverified_in
from bench.artefacts.presented import VERSIONS
from bench.artefacts.store import Store
from bench.cli import options as opt
from bench.cli import show
from bench.cli.progress import progress as new_progress
from bench.cli.setup import new_zoo, require_run
from bench.errors import UserError
from bench.numerics import choose as choose_numerics
from bench.planning import request as requests
from bench.planning.estimate import disk_bytes
from bench.predict import adopted
from bench.progress import Progress
from bench.suites import suite as suites
from bench.types import Plan

app = typer.Typer(help="Look after the artefact store: contents, damage, leftovers, copies.", no_args_is_help=True)


def warn_of_disk(plan: Plan, store: Store, progress: Progress) -> None:
    """Warn if the disk of the store may be too small for what is missing; writing stops before it is full."""
    nearest = next(path for path in (store.root.absolute(), *store.root.absolute().parents) if path.exists())
    free, needed = shutil.disk_usage(nearest).free, disk_bytes(plan, store)
    if needed > free:
        progress.warn(
            f"about {needed / 2**30:.1f} GiB of artefacts are missing, and the disk of {store.root} has "
            f"{free / 2**30:.1f} GiB free. The run stops before the disk is full and keeps what is done."
        )


def warn_of_unverified(plan: Plan, store: Store, progress: Progress) -> None:
    """Warn of recipes of a plan with artefacts that were not made here (``store adopt``)."""
    engines = {job.recipe.key: job.recipe.engine for job in plan.jobs}
    for key, count in unverified_in(plan, store).items():
        progress.warn(f"{count} {engines[key]} artefacts come from elsewhere: unverified, see run.json")


def _open(folder: Path) -> Store:
    """The store in a folder. Raises UserError if there is none."""
    if not (folder / "artefacts").is_dir():
        raise UserError(
            f"{folder} is not a store.", "It has no folder `artefacts`.", "Name the store with --store DIR."
        )
    return Store(folder)


def _size(count: int) -> str:
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _print(document: object, text: str, as_json: bool) -> None:
    if as_json:
        show.document(document)
    else:
        print(text)


@app.command()
def stats(store: opt.StoreDir = Path("store"), as_json: opt.Json = False) -> None:
    """List the recipes in the store with the number of their artefacts and their size on disk."""
    entries = upkeep.stats(_open(store))
    lines = [{**entry, "bytes": _size(entry["bytes"])} for entry in entries]
    total = sum(entry["artefacts"] for entry in entries), _size(sum(entry["bytes"] for entry in entries))
    footer = f"{len(entries)} recipes, {total[0]} artefacts, {total[1]}"
    _print(entries, f"{tabulate(lines, headers='keys')}\n{footer}", as_json)


@app.command()
def verify(
    mend: Annotated[
        bool, typer.Option("--mend", help="Drop damaged artefacts, so that the next run makes them again.")
    ] = False,
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Compare every artefact with its checksum. If any is damaged, list it and exit with 1."""
    damaged = upkeep.verify(_open(store), new_progress(), mend)
    told = "dropped; the next run makes them again" if mend else "add --mend to have the next run make them again"
    text = "\n".join([*damaged, f"{len(damaged)} damaged artefacts" + (f": {told}" if damaged else "")])
    _print({"damaged": damaged, "mended": mend}, text, as_json)
    if damaged and not mend:
        raise typer.Exit(1)


@app.command()
def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed. Without it, nothing is.")] = False,
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """List what no run of this version reads: artefacts of outdated engines, leftovers of killed runs."""
    versions = {name: discover.engine(name).version for name in discover.engines()} | dict(VERSIONS)
    found = upkeep.leftovers(_open(store), versions)
    sizes = [leftover.bytes for leftover in found]
    document: list[dict[str, Any]] = [
        {"reason": leftover.reason, "bytes": size, "paths": [str(path) for path in leftover.paths]}
        for leftover, size in zip(found, sizes, strict=True)
    ]
    if delete:
        upkeep.delete(found)
    lines = [f"{_size(entry['bytes']):>10}  {entry['reason']}: {', '.join(entry['paths'])}" for entry in document]
    done = "deleted" if delete else "to delete; add --delete to do it"
    _print({"leftovers": document, "deleted": delete}, "\n".join([*lines, f"{_size(sum(sizes))} {done}"]), as_json)


@app.command("export")
def export_recipe(
    recipe: Annotated[str, typer.Argument(help="The recipe's key or its first digits, as in `store stats`.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write to; it is made.")],
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Write a recipe's artefacts as WebDataset shards, with the recipe and checksums."""
    opened = _open(store)
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty.", "An export is a folder of its own.", "Name another folder.")
    found = upkeep.find(opened, recipe)
    count = upkeep.export(opened, found, folder, new_progress())
    text = f"{count} {found.engine} artefacts in {folder}"
    _print({"recipe": found.key, "artefacts": count, "folder": str(folder)}, text, as_json)


@app.command("import")
def import_recipe(
    folder: Annotated[Path, typer.Argument(help="A folder that `store export` has written.")],
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Add exported artefacts to the store; those that it has already are left as they are."""
    recipe, count = upkeep.import_(Store(store), folder, new_progress())
    _print({"recipe": recipe.key, "artefacts": count}, f"{count} {recipe.engine} artefacts added", as_json)


@app.command()
def adopt(
    folder: Annotated[Path, typer.Argument(help="Files made elsewhere, for example DRCT's or DIRE's reconstructions.")],
    method: Annotated[str, typer.Option(help="The method, or `name[variant]`, that shall use them.")],
    originals: Annotated[Path, typer.Option(help="The images that they were made of, at the same paths inside.")],
    artefact: Annotated[str, typer.Option(help="What they are to the method.")] = "reconstruction",
    suite: opt.SuiteName = "paper",
    models: opt.Models = None,
    weights: opt.Weights = None,
    device: opt.Device = "auto",
    precision: opt.Precision = "auto",
    deterministic: opt.Deterministic = None,
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Take reconstructions that you already have into the store, as if they had been made by the method's recipe.

    Nobody can check that they were: `store stats` counts them as unverified, and every run that uses their recipe says
    so. The other options are those of the runs to come, because they are part of the recipe.
    """
    require_run()
    for place in (folder, originals):
        if not place.is_dir():
            raise UserError(f"{place} is not a folder.", f"Looked at {place.absolute()}.", "Name a folder of files.")
    settings = suites.load(suite)
    chosen, *others = requests.choose_methods(method, settings)
    if others:
        raise UserError(f"adopt takes one method, not {method!r}.", "It names several.", "Call it once for each.")
    recipe = adopted.declared(chosen.method, artefact)
    pairs, found = adopted.matched(folder, originals)
    numerics = choose_numerics(precision, deterministic, devices.present(device))
    zoo = new_zoo(weights or (), models or settings.models, store, numerics)
    resolved = zoo.resolve(recipe)
    adopted.adopt(Store(store), resolved, pairs, found, folder.name, new_progress())
    lines = [f"left out: {file}: {reason}" for file, reason in list(found.left_out.items())[:20]]
    lines += [f"{len(found.left_out)} files left out"] if found.left_out else []
    lines.append(f"{found.added} {resolved.engine} artefacts added, {found.present} were there; unverified")
    _print({"recipe": resolved.key, **vars(found)}, "\n".join(lines), as_json)
    if found.left_out:
        raise typer.Exit(1)
