"""Artefacts that the user supplies instead of having them made: captions, reconstructions, error maps."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import discover
from bench.artefacts.encoding import to_bytes
from bench.artefacts.engine import Engine
from bench.artefacts.store import Store
from bench.data.decode import Decoded, decode, read
from bench.data.files import SUFFIXES
from bench.data.protocols import read_source
from bench.detector import Method
from bench.errors import ImageError, UserError
from bench.progress import Progress
from bench.recipe import SOURCE, Recipe, content_key
from bench.types import Item, Slice

#: The engine name in the recipe of an artefact that the user supplied.
GIVEN = "given"
_KINDS = {"png": "an image", "txt": "a text", "json": "a number", "safetensors": "an array"}
#: Errors that reading a user's file or JSON value may raise.
UNREADABLE = (
    *(ImageError, OSError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError),
)
_SUFFIXES = {"png": "an image file", "txt": ".txt", "json": "none", "safetensors": ".npy or .pt"}


def _engines(needs: Mapping[str, Recipe]) -> Iterator[tuple[str, type[Engine]]]:
    for name, recipe in needs.items():
        yield name, discover.engine(recipe.engine)
        yield from _engines({n: r for n, r in recipe.inputs.items() if isinstance(r, Recipe) and n != "image"})


def names(method: Method) -> dict[str, str]:
    """The artefacts that a user can supply for testing a method: name to kind, as ``caption`` to ``a text``."""
    payloads = {name: engine.payload for name, engine in _engines(method.needs("test"))}
    forms = {form: payloads[name] for form, name in method.forms.items() if name in payloads}
    return {name: _KINDS[payload] for name, payload in {**payloads, **forms}.items()}


def keep(method: Method, paths: Mapping[str, Path], part: Slice, store: Store, progress: Progress) -> dict[str, Recipe]:
    """Store the user's artefacts of a slice's images; returns the recipes that read them, by the artefact's name.

    ``paths`` maps a name of :func:`names` to a folder or JSON file. Raises UserError for an image without an artefact,
    or for a file that is not what the method needs.
    """
    engines, recipes = dict(_engines(method.needs("test"))), {}
    for given, path in paths.items():
        name = method.forms.get(given, given)
        payload = engines[name].payload
        values = _read(given, path, payload, _stems(part))
        if payload == "png":
            _warn_of_containers(given, path, values, progress)
            values = {stem: decoded.rgb for stem, decoded in values.items()}
        if engines[name].native:
            _check_sizes(given, values, part)
        records = {
            item.image_id: to_bytes(payload, _shaped(method, given, values[item.path.stem], item))
            for item in part.usable
        }
        content = content_key([[key, hashlib.sha256(records[key]).hexdigest()] for key in sorted(records)])
        recipe = Recipe(GIVEN, 1, {"name": name, "content": content}, inputs={"image": SOURCE})
        if store.missing(recipe, records):
            with store.writer(recipe, payload) as writer:
                writer.put(records)
        recipes[name] = recipe
    return recipes


def _warn_of_containers(given: str, path: Path, values: Mapping[str, Decoded], progress: Progress) -> None:
    """Warn of files whose format may reveal the label: DIRE's maps were saved in the format of their images."""
    containers = Counter(decoded.container for decoded in values.values())
    if len(containers) > 1 or "jpeg" in containers:
        counts = ", ".join(f"{count} {container}" for container, count in sorted(containers.items()))
        progress.warn(
            f"--artefact {given}={path}: {counts}. If the files of photographs are JPEG and those of fakes PNG, the "
            "format alone separates them (DIRE's known leak): make them all again as PNG before trusting these scores."
        )


def _check_sizes(given: str, values: Mapping[str, Any], part: Slice) -> None:
    for item in part.usable:
        height, width = values[item.path.stem].shape[:2]
        if (width, height) != (item.width, item.height):
            raise UserError(
                f"The {given} of {item.path.name} does not fit the image.",
                f"It has {width} x {height} pixels, the image {item.width} x {item.height}.",
                "Make it from the image at its original size.",
            )


def _stems(part: Slice) -> dict[str, str]:
    """Image paths by stem. Raises UserError for two images with the same stem: their artefacts would be ambiguous."""
    paths: dict[str, str] = {}
    for item in part.usable:
        first = paths.setdefault(item.path.stem, str(item.path))
        if first != str(item.path):
            raise UserError(
                f"{item.path} and {first} have the same stem.",
                "Artefacts are found by the stems of their images.",
                "Call score once per folder, or rename one.",
            )
    return paths


def _shaped(method: Method, given: str, value: Any, item: Item) -> Any:  # noqa: ANN401 - an image, text or array
    if given not in method.forms:
        return value
    try:
        return method.from_form(value, read_source(item))
    except ValueError as error:
        raise UserError(
            f"The {given} of {item.path.name} does not fit the image.",
            f"{error}.",
            f"Make it with the parameters of {method.card.title} that are used for scoring.",
        ) from error


def _read(given: str, path: Path, payload: str, stems: Mapping[str, str]) -> dict[str, Any]:
    """Values by stem, from a folder with a file per image or from one JSON object; every stem has a value."""
    values: dict[str, Any] = {}
    for stem, entry in _listed(path, payload, stems):
        if stem in values:
            raise UserError(
                f"--artefact {given}={path} has two for {stem}.",
                "Only one of them could be used.",
                "Keep one per stem.",
            )
        try:
            values[stem] = value_of(entry, payload)
        except UNREADABLE as error:
            raise UserError(
                f"The {given} of {stem} in {path} is not {_KINDS[payload]}.",
                f"{error.problem if isinstance(error, ImageError) else error}",
                "Make it again.",
            ) from error
    absent = [stem for stem in stems if stem not in values]
    if absent:
        more = " …" if len(absent) > 3 else ""
        raise UserError(
            f"--artefact {given}={path} has nothing for {', '.join(absent[:3])}{more}.",
            f"Each image needs {_KINDS[payload]}: {_SUFFIXES[payload]}, or a value in one JSON object.",
            "Name each artefact file by the stem of its image.",
        )
    return values


def _listed(path: Path, payload: str, stems: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """(stem, file or JSON value) of every entry that belongs to an image; other files of the folder are ignored."""
    if path.is_dir():
        suffixes = SUFFIXES if payload == "png" else _SUFFIXES[payload].split(" or ")
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            if file.stem in stems and file.suffix.lower() in suffixes:
                yield file.stem, file
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not a JSON file.", f"{error}.", "Write one object: {stem: value, …}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is not a JSON object.", f"It is a {type(values).__name__}.", "Write {stem: value, …}.")
    for name, value in values.items():
        stem = name if name in stems else Path(name).stem
        if stem in stems:
            yield stem, value


def value_of(entry: Any, payload: str) -> Any:  # noqa: ANN401 - an image, text, number or array
    """A file or JSON value as an artefact; an image with its container. Raises one of :data:`UNREADABLE`."""
    if not isinstance(entry, Path):
        types: dict[str, tuple[type, ...]] = {"txt": (str,), "json": (int, float), "safetensors": (list,)}
        if not isinstance(entry, types.get(payload, ())):
            raise TypeError(f"it is {json.dumps(entry)[:60]}")
        return np.asarray(entry, np.float32) if payload == "safetensors" else entry
    if payload == "png":
        return decode(read(entry))
    if payload == "txt":
        return entry.read_text(encoding="utf-8").strip()
    if entry.suffix == ".npy":
        return np.load(entry, allow_pickle=False).astype(np.float32)
    import torch

    tensor: torch.Tensor = torch.load(entry, map_location="cpu", weights_only=True)
    return tensor.float().numpy()
