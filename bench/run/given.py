"""Artefacts that a person brings along instead of having them made: captions, reconstructions, error maps."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import discover
from bench.data.corpus import SUFFIXES
from bench.data.decode import decode
from bench.data.protocols import read_source
from bench.detector import Method
from bench.errors import UserError
from bench.kit.payload import to_bytes
from bench.recipe import SOURCE, Recipe
from bench.recon.store import Store
from bench.types import Item, Slice

#: The engine's name in the recipe of an artefact that none has made.
GIVEN = "given"
_KINDS = {"png": "an image", "txt": "a text", "json": "a number", "safetensors": "an array"}


def _payloads(needs: Mapping[str, Recipe]) -> Iterator[tuple[str, str]]:
    for name, recipe in needs.items():
        yield name, discover.engine(recipe.engine).payload
        yield from _payloads({n: r for n, r in recipe.inputs.items() if isinstance(r, Recipe) and n != "image"})


def names(method: Method) -> dict[str, str]:
    """What may be given to a method in testing, by name, and what each is: ``caption`` a text, ``error`` an array."""
    own = dict(_payloads(method.needs("test")))
    forms = {form: own[name] for form, name in method.forms.items() if name in own}
    return {name: _KINDS[kind] for name, kind in {**own, **forms}.items()}


def keep(method: Method, places: Mapping[str, Path], part: Slice, store: Store) -> dict[str, Recipe]:
    """Put the given artefacts of a slice's images into the store; the recipes that read them, by the artefact's name.

    Raises UserError for an image without one, or for a file that is not what the method needs.
    """
    payloads, found = dict(_payloads(method.needs("test"))), {}
    for given, place in places.items():
        name = method.forms.get(given, given)
        values = _read(place, payloads[name])
        absent = [item.path.name for item in part.usable if item.path.stem not in values]
        if absent:
            raise UserError(
                f"--artefact {given}={place} has nothing for {', '.join(absent[:3])}{' …' if len(absent) > 3 else ''}.",
                f"It has {len(values)}: {', '.join(sorted(values)[:5])}{' …' if len(values) > 5 else ''}.",
                "Name each artefact as its image, with a suffix of its own.",
            )
        records = {
            item.image_id: to_bytes(payloads[name], _shaped(method, given, values[item.path.stem], item))
            for item in part.usable
        }
        content = hashlib.sha256(b"".join(records[key] for key in sorted(records))).hexdigest()[:32]
        recipe = Recipe(GIVEN, 1, {"name": name, "content": content}, inputs={"image": SOURCE})
        if store.missing(recipe, records):
            with store.writer(recipe, payloads[name]) as writer:
                writer.put(records)
        found[name] = recipe
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


def _read(place: Path, payload: str) -> dict[str, Any]:
    """Values by stem, of a folder with a file an image or of one JSON object."""
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {path.stem: _value(path, payload) for path in files}
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{place} is no JSON file.", f"{error}.", "Write one object: {stem: value, …}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{place} is no JSON object.", f"It is a {type(values).__name__}.", "Write {stem: value, …}.")
    return {Path(name).stem: np.asarray(v, np.float32) if payload == "safetensors" else v for name, v in values.items()}


def _value(path: Path, payload: str) -> Any:  # noqa: ANN401 - an image, a text or an array
    try:
        if payload == "png" and path.suffix.lower() in SUFFIXES:
            return decode(path.read_bytes()).rgb
        if payload == "txt" and path.suffix == ".txt":
            return path.read_text(encoding="utf-8").strip()
        if payload == "safetensors" and path.suffix == ".npy":
            return np.load(path, allow_pickle=False).astype(np.float32)
        if payload == "safetensors" and path.suffix == ".pt":
            import torch

            tensor: torch.Tensor = torch.load(path, map_location="cpu", weights_only=True)
            return tensor.float().numpy()
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} cannot be read.", f"{error}.", "Make it again, or leave its image out.") from error
    suffixes = {"png": "an image file", "txt": ".txt", "safetensors": ".npy or .pt"}
    raise UserError(
        f"{path} is not {_KINDS[payload]}.", f"Its suffix is {path.suffix!r}.", f"Needed: {suffixes.get(payload)}."
    )
