"""The verbs of the artefact store: ``store stats``, ``verify``, ``gc``, ``export``, ``import``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from tabulate import tabulate

from bench import discover
from bench.artefacts import upkeep
from bench.artefacts.presented import VERSIONS
from bench.artefacts.store import Store
from bench.cli import options as opt
from bench.cli import show
from bench.cli.progress import progress as new_progress
from bench.errors import UserError
from bench.planning.estimate import disk_bytes
from bench.progress import Progress
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
    recipe, count = upkeep.adopt(Store(store), folder, new_progress())
    _print({"recipe": recipe.key, "artefacts": count}, f"{count} {recipe.engine} artefacts added", as_json)
