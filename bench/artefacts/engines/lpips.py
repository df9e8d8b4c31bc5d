"""The LPIPS distance between an image and an artefact made of it: the number behind the Δ plots (SARE, Figure 4).

The metric is that of the ``lpips`` package, with its published heads on torchvision's AlexNet; the miniature has a
smaller trunk of the same structure, and heads of its own.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

ROLE = "lpips"
#: torchvision's AlexNet as torchvision publishes it; the package has heads alone.
TRUNK = "alexnet-owt-7be5be79.pth"
#: Where the convolutions are in AlexNet's ``features``; the package cuts these into five slices.
_CONVOLUTIONS = (0, 3, 6, 8, 10)


def recipe(reconstruction: Recipe, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the distance between ``image`` and ``reconstruction``, at the reconstruction's size."""
    return Recipe(ROLE, Lpips.version, {}, {ROLE: ""}, inputs={"image": image, "reconstruction": reconstruction})


def build(shape: Mapping[str, Sequence[int]] | None = None, trunk: Literal["alex", "vgg"] = "alex") -> nn.Module:
    """The package's network with published heads and a random trunk, or with an AlexNet's convolutions of ``shape``.

    ``shape`` has the ``channels`` of the five convolutions, and kernel, stride and padding of the ``first`` and the
    ``second``. Images are float [B, 3, H, W] in −1…1, distances [B, 1, 1, 1]; 0 for equal images.
    """
    import lpips
    from torch import nn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The package calls torchvision with a deprecated keyword.
        network: Any = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    if shape:
        channels, before = shape["channels"], (3, *shape["channels"])
        windows = (shape["first"], shape["second"], *[(3, 1, 1)] * 3)
        for number, name in enumerate(_CONVOLUTIONS):
            part = network.net.get_submodule(f"slice{number + 1}")
            kernel, stride, padding = windows[number]
            part.add_module(str(name), nn.Conv2d(before[number], channels[number], kernel, stride, padding))
            head = lpips.NetLinLayer(channels[number], use_dropout=True)
            network.add_module(f"lin{number}", head)
            network.lins[number] = head
    made: nn.Module = network.eval().requires_grad_(False)
    return made


def load(folder: Path) -> nn.Module:
    """The network of a folder with torchvision's AlexNet, or with trunk and heads in ``model.safetensors``.

    ``config.json`` beside the latter holds the trunk's shape; without one it is AlexNet's. Raises UserError naming
    tensors that do not fit.
    """
    from bench.nets.loading import load_strictly, read_tensors

    config = folder / "config.json"
    file = folder / TRUNK if (folder / TRUNK).is_file() else folder / "model.safetensors"
    state = read_tensors(file)
    if "features.0.weight" in state:
        network = build()
        load_strictly(network, _trunk(state), file, "AlexNet of torchvision", kept=("lin", "scaling_layer."))
        return network
    network = build(json.loads(config.read_text(encoding="utf-8")) if config.exists() else None)
    copies = ("lins.", "scaling_layer.")  # The heads a second time, and constants.
    state = {name: tensor for name, tensor in state.items() if not name.startswith(copies)}
    load_strictly(network, state, file, "LPIPS network", kept=copies)
    return network


def _trunk(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions of torchvision's AlexNet under the package's names."""
    slices = {f"features.{at}": f"net.slice{number}.{at}" for number, at in enumerate(_CONVOLUTIONS, 1)}
    names = {name: name.rpartition(".") for name in state if name.startswith("features.")}
    return {f"{slices.get(layer, layer)}.{kind}": state[name] for name, (layer, _, kind) in names.items()}


def pair(requests: Sequence[Request], views: Sequence[RGB], device: str) -> tuple[Tensor, Tensor]:
    """Images of one size, and what was made of them: float [B, 3, H, W] in −1…1."""
    import torch

    made = [request.inputs["reconstruction"] for request in requests]
    one, other = (torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2) for images in (views, made))
    return one.float() / 127.5 - 1, other.float() / 127.5 - 1


class Lpips(Engine):
    """Image, reconstruction → one number; the image is resized to the reconstruction's size (bilinear)."""

    name = "lpips"
    version = 1
    payload = "json"
    batch = 32
    seconds = 0.005

    def forwards(self, recipe: Recipe) -> int:
        """The trunk on both images."""
        return 2

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The reconstruction's."""
        return sizes["reconstruction"]

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load trunk and heads."""
        self._meter, self._device = meter, device
        self._net = load(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """The image at the reconstruction's size."""
        height, width = request.inputs["reconstruction"].shape[:2]
        return np.asarray(Image.fromarray(request.rgb).resize((width, height), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Distances."""
        import torch

        with torch.no_grad():
            distances = self._net(*pair(requests, views, self._device))
        self._meter.forwards += 2 * len(views)
        return [float(value) for value in distances.flatten().cpu()]


ENGINE = Lpips
