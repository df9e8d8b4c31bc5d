"""Artefacts that a person brings along instead of having them made: captions, reconstructions, error maps."""

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

#: The engine's name in the recipe of an artefact that none has made.
GIVEN = "given"
_KINDS = {"png": "an image", "txt": "a text", "json": "a number", "safetensors": "an array"}
#: What reading a stranger's file or JSON value may raise.
_UNREADABLE = (
    *(ImageError, OSError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError),
)
_SUFFIXES = {"png": "an image file", "txt": ".txt", "json": "none", "safetensors": ".npy or .pt"}


def _makers(needs: Mapping[str, Recipe]) -> Iterator[tuple[str, type[Engine]]]:
    for name, recipe in needs.items():
        yield name, discover.engine(recipe.engine)
        yield from _makers({n: r for n, r in recipe.inputs.items() if isinstance(r, Recipe) and n != "image"})


def names(method: Method) -> dict[str, str]:
    """What may be given to a method in testing, by name, and what each is: ``caption`` a text, ``error`` an array."""
    own = {name: engine.payload for name, engine in _makers(method.needs("test"))}
    forms = {form: own[name] for form, name in method.forms.items() if name in own}
    return {name: _KINDS[kind] for name, kind in {**own, **forms}.items()}


def keep(
    method: Method, places: Mapping[str, Path], part: Slice, store: Store, progress: Progress
) -> dict[str, Recipe]:
    """Put the given artefacts of a slice's images into the store; the recipes that read them, by the artefact's name.

    Raises UserError for an image without one, or for a file that is not what the method needs.
    """
    makers, found = dict(_makers(method.needs("test"))), {}
    for given, place in places.items():
        name = method.forms.get(given, given)
        payload = makers[name].payload
        values = _read(given, place, payload, _stems(part))
        if payload == "png":
            _warn_of_containers(given, place, values, progress)
            values = {stem: made.rgb for stem, made in values.items()}
        if makers[name].native:
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
        found[name] = recipe
    return found


def _warn_of_containers(given: str, place: Path, values: Mapping[str, Decoded], progress: Progress) -> None:
    """Warn of files whose format may give the class away: DIRE's maps took over the format of their images."""
    kinds = Counter(made.container for made in values.values())
    if len(kinds) > 1 or "jpeg" in kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        progress.warn(
            f"--artefact {given}={place}: {counts}. Where photographs' files are JPEG and fakes' PNG, the format alone "
            "tells them apart (DIRE's known leak): make them all again as PNG before these scores are believed."
        )


def _check_sizes(given: str, values: Mapping[str, Any], part: Slice) -> None:
    for item in part.usable:
        height, width = values[item.path.stem].shape[:2]
        if (width, height) != (item.width, item.height):
            raise UserError(
                f"The {given} of {item.path.name} does not fit the image.",
                f"It has {width} x {height} pixels, the image {item.width} x {item.height}.",
                "Make it of the image as it is.",
            )


def _stems(part: Slice) -> dict[str, str]:
    """File names by stem. Raises UserError for two images with one stem: an artefact could not be told from another."""
    found: dict[str, str] = {}
    for item in part.usable:
        other = found.setdefault(item.path.stem, str(item.path))
        if other != str(item.path):
            raise UserError(
                f"{item.path} and {other} have the same stem.",
                "Artefacts are found by the stems of their images.",
                "Call score once a folder, or rename one.",
            )
    return found


def _shaped(method: Method, given: str, value: Any, item: Item) -> Any:  # noqa: ANN401 - an image, text or array
    if given not in method.forms:
        return value
    try:
        return method.from_form(value, read_source(item))
    except ValueError as error:
        raise UserError(
            f"The {given} of {item.path.name} does not fit the image.",
            f"{error}.",
            f"Make it with the parameters that {method.card.title} is scored with.",
        ) from error


def _read(given: str, place: Path, payload: str, stems: Mapping[str, str]) -> dict[str, Any]:
    """Values by stem, of a folder with a file an image or of one JSON object; every stem has one."""
    found: dict[str, Any] = {}
    for stem, source in _listed(place, payload, stems):
        if stem in found:
            raise UserError(
                f"--artefact {given}={place} has two for {stem}.",
                "One of them would be lost.",
                "Keep one of each stem.",
            )
        try:
            found[stem] = _value(source, payload)
        except _UNREADABLE as error:
            raise UserError(
                f"The {given} of {stem} in {place} is not {_KINDS[payload]}.",
                f"{error.problem if isinstance(error, ImageError) else error}",
                "Make it again.",
            ) from error
    absent = [stem for stem in stems if stem not in found]
    if absent:
        more = " …" if len(absent) > 3 else ""
        raise UserError(
            f"--artefact {given}={place} has nothing for {', '.join(absent[:3])}{more}.",
            f"Needed for each image is {_KINDS[payload]}: {_SUFFIXES[payload]}, or a value in one JSON object.",
            "Name each artefact as its image, with a suffix of its own.",
        )
    return found


def _listed(place: Path, payload: str, stems: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """(stem, file or JSON value) of what belongs to an image; other files of the folder are passed over."""
    if place.is_dir():
        suffixes = SUFFIXES if payload == "png" else _SUFFIXES[payload].split(" or ")
        for path in sorted(path for path in place.rglob("*") if path.is_file()):
            if path.stem in stems and path.suffix.lower() in suffixes:
                yield path.stem, path
        return
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{place} is no JSON file.", f"{error}.", "Write one object: {stem: value, …}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{place} is no JSON object.", f"It is a {type(values).__name__}.", "Write {stem: value, …}.")
    for name, value in values.items():
        stem = name if name in stems else Path(name).stem
        if stem in stems:
            yield stem, value


def _value(source: Any, payload: str) -> Any:  # noqa: ANN401 - a file or a JSON value to an image, text, number or array
    if not isinstance(source, Path):
        wanted: dict[str, tuple[type, ...]] = {"txt": (str,), "json": (int, float), "safetensors": (list,)}
        if not isinstance(source, wanted.get(payload, ())):
            raise TypeError(f"it is {json.dumps(source)[:60]}")
        return np.asarray(source, np.float32) if payload == "safetensors" else source
    if payload == "png":
        return decode(read(source))
    if payload == "txt":
        return source.read_text(encoding="utf-8").strip()
    if source.suffix == ".npy":
        return np.load(source, allow_pickle=False).astype(np.float32)
    import torch

    tensor: torch.Tensor = torch.load(source, map_location="cpu", weights_only=True)
    return tensor.float().numpy()
