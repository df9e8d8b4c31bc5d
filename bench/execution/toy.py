"""A toy world without files, whose classes every method can learn to separate in seconds, and a method in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from bench import discover
from bench.artefacts.engines.text_inversion import square
from bench.artefacts.geometry import center_crop_arr, crop_to_multiple, fit_long_side, limit_sides
from bench.artefacts.reader import Reader
from bench.detector import RGB, STAGES, Detector, Facts, Method, Stage
from bench.metrics import classification
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recipe import SOURCE, Recipe, content_key
from bench.suites import suite as suites
from bench.training import network
from bench.training.examples import Reference, references
from bench.training.loader import Runtime
from bench.types import Item, Slice, label_of

#: The size at which each engine returns its image; others keep the image's size.
GEOMETRY: Mapping[str, Callable[[RGB, Mapping[str, Any]], RGB]] = {
    "ddim_inversion": lambda rgb, p: center_crop_arr(rgb, p["size"]),
    "adm_inversion": lambda rgb, p: center_crop_arr(rgb, p["size"]),
    "sd_img2img": lambda rgb, p: fit_long_side(rgb, p["long_side"], p["multiple"]),
    "discriminator_gradient": lambda rgb, p: np.asarray(Image.fromarray(rgb).resize((64, 64))),
    "txt2img": lambda rgb, p: np.asarray(Image.fromarray(rgb).resize((p["size"], p["size"]))),
    "sd_inpaint": lambda rgb, p: limit_sides(rgb, p["max_size"]),
    "autoencoder": lambda rgb, p: crop_to_multiple(rgb, p["multiple"]),
    "text_inversion": lambda rgb, p: np.concatenate([square(rgb, p["size"])] * 2),
}
#: The shape of each engine's array.
SHAPES: Mapping[str, Callable[[Recipe], tuple[int, ...]]] = {
    "clip_text": lambda r: (64,) if "clip_vit_b32" in r.weights else (128,),
    "latent_error": lambda r: (4, r.params["size"] // 4, r.params["size"] // 4),
}

#: The number of each engine that makes one: about this for photographs and for generated images.
NUMBERS: Mapping[str, tuple[float, float]] = {
    "lpips_layer": (0.2, 0.02),
    "noise_shift": (0.007, 0.03),
    "manifold_criterion": (0.5, 1.0),
}


def toy_item(index: int, label: int, width: int = 64, height: int = 64) -> Item:
    """An image of the toy world: photographs are JPEG, generated ones PNG; its ids follow from its number."""
    container = "png" if label else "jpeg"
    ids = {name: content_key([name.removesuffix("_id"), index, label]) for name in ("row_id", "file_id", "image_id")}
    return Item(
        path=Path(f"{index}-{label}.png"),
        label=label,
        container=container,
        quality=0 if label else 96,
        width=width,
        height=height,
        bytes=1000,
        **ids,
    )


def striped(rgb: NDArray[Any]) -> RGB:
    """The picture with the pattern that generated images have."""
    stripes = 40.0 * np.sin(np.indices(rgb.shape[:2]).sum(0) * (2 * np.pi / 8))
    pattern: RGB = np.clip(rgb + stripes[..., None], 0, 255).astype(np.uint8)
    return pattern


class ToyReader(Reader):
    """A separable world without files: fakes carry a striped pattern, and their reconstructions are exact."""

    def __init__(self, container: str = "") -> None:
        self._container = container

    def source(self, item: Item) -> RGB:
        """A smooth random picture with pixel noise, striped if it is fake."""
        rng = np.random.default_rng(int(item.image_id[:6], 16))
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        rgb = np.asarray(coarse.resize((item.width, item.height), Image.Resampling.BICUBIC), np.float64)
        rgb = np.clip(rgb + 3 * rng.standard_normal(rgb.shape), 0, 255).round()
        return striped(rgb) if item.label == 1 else rgb.astype(np.uint8)

    def artefact(self, recipe: Recipe, item: Item) -> Any:  # noqa: ANN401 - an image or an array, by engine
        """An array or number that differs by class, or an image at the engine's size, with noise on photographs.

        An autoencoder leaves the stripes of generated images on them.
        """
        rng = np.random.default_rng(int(item.image_id[:6], 16))
        if recipe.engine in NUMBERS:
            return NUMBERS[recipe.engine][item.label or 0] * float(np.exp(0.1 * rng.standard_normal()))
        if recipe.engine in SHAPES:
            return (rng.standard_normal(SHAPES[recipe.engine](recipe)) + (item.label or 0)).astype(np.float32)
        rgb = self.rgb(recipe.inputs["image"], item)
        rgb = GEOMETRY[recipe.engine](rgb, recipe.params) if recipe.engine in GEOMETRY else rgb
        if item.label == 1:
            return rgb
        if recipe.engine == "autoencoder":
            return striped(rgb)
        return np.clip(rgb + rng.normal(0, 25, rgb.shape), 0, 255).astype(np.uint8)

    def facts(self, part: Slice, item: Item) -> Facts:
        """The item's facts; with a ``container`` of its own, those of another file with the same pixels."""
        density = 3 if item.label else 1
        size = density * item.width * item.height
        return Facts(self._container or item.container, item.quality, item.width, item.height, size)


def runtime(reader: Reader | None = None, exact: bool = True) -> Runtime:
    """Reads from the toy world, on the CPU; with or without fixed batches."""
    return Runtime(reader or ToyReader(), "cpu", Meter(), Progress(), exact=exact)


def toy_references(method: Method, start: int, count: int, stage: Stage, width: int = 64) -> tuple[Reference, ...]:
    """``count`` examples of the toy world from number ``start``; photographs are 16 pixels wider."""
    items = tuple(toy_item(start + i, i % 2, width + 16 * (i % 2 == 0)) for i in range(count))
    hashes = {role: "0" * 32 for s in STAGES for need in method.needs(s).values() for role in need.roles()}
    part = Slice("toy", "toy", "train", items, image=SOURCE)
    return references(method, [part], lambda need: need.resolve(hashes), stage)


#: Training in the toy world: enough for batch norms to settle in small batches.
_SHORT = {"epochs": 12, "batch_size": 8}


def predict(
    method: Detector, model: nn.Module, refs: tuple[Reference, ...], how: Runtime | None = None
) -> NDArray[np.float32]:
    """Logits [N] of examples of the toy world; by default without filling up the last batch, which costs time."""
    return np.asarray(network.predict(method, model, refs, how or runtime(exact=False)), np.float32)


def auc(logits: NDArray[np.float32], refs: tuple[Reference, ...]) -> float:
    """AUC of logits [N] of examples of the toy world, in 0…1."""
    return float(classification.auc(classification.tally(logits, np.asarray([ref.label for ref in refs]))))


def toy_auc(method: Detector, model: nn.Module, start: int) -> float:
    """AUC on 50 new images of the toy world."""
    refs = toy_references(method, start, 50, "test")
    logits = predict(method, model, refs)
    return auc(logits, refs)


@dataclass(frozen=True)
class Subject:
    """A method or variant under test: by its name, with parameters of a suite, and a folder for its fits."""

    name: str
    suite: suites.Suite
    zoo: Zoo
    folder: Path
    variant: str = ""

    @property
    def label(self) -> str:
        """The method as on the command line."""
        return label_of(self.name, self.variant)

    def instance(self, variant: str = "", **changes: int) -> Method:
        """The method with a short training; ``changes`` are made to parameters that it has."""
        method = suites.instantiate(self.suite, self.name, variant or self.variant, discover.method(self.name))
        known = {field.name for field in fields(method.params)}
        short = {key: value for key, value in {**_SHORT, **changes}.items() if key in known}
        return type(method)(replace(method.params, **short))

    def detector(self, variant: str = "", **changes: int) -> Detector:
        """The method, which must be a network."""
        method = self.instance(variant, **changes)
        if not isinstance(method, Detector):
            raise TypeError(f"{self.name} is not a Detector.")
        return method

    def weights(self, method: Method) -> dict[str, Path]:
        """The weights of the roles that a method builds with. Raises UserError for one that is missing."""
        return {role: self.zoo.folder(role) for role in method.roles()}

    def training(self, method: Detector, seed: int, folder: str) -> network.Training:
        """A training of its own."""
        return network.Training(method, self.weights(method), seed, self.folder / folder, runtime())

    @cached_property
    def trained(self) -> tuple[Detector, nn.Module]:
        """The method trained until it separates the toy classes, or for all its epochs."""
        method = self.detector()
        for epochs in range(4, method.schedule().epochs + 4, 4):
            training = self.training(method, 3, "trained")
            training.plan = replace(training.plan, epochs=epochs)
            training.resume()
            training.run(toy_references(method, 0, 64, "train"), toy_references(method, 500, 16, "test"))
            if toy_auc(method, training.model, 700) >= 0.98:
                break
        return method, training.model
