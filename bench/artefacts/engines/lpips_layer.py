"""One layer of LPIPS between an image and an artefact made of it, as one number: AEROBLADE's distance (CVPR 2024).

The network is that of the ``lpips`` package with VGG-16; the miniature has the AlexNet of its LPIPS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.engines import lpips
from bench.artefacts.geometry import crop_to_multiple
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

ROLE = "lpips_vgg"
#: torchvision's VGG-16 as torchvision publishes it; the package has heads alone.
TRUNK = "vgg16-397923af.pth"


def recipe(reconstruction: Recipe, layer: int = 2, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the distance at ``layer`` (1 to 5) between ``image`` and ``reconstruction``.

    The image is cut to the same multiple as the reconstruction, evenly on both sides.
    """
    inputs = {"image": image, "reconstruction": reconstruction}
    multiple = reconstruction.params["multiple"]
    return Recipe("lpips_layer", LpipsLayer.version, {"layer": layer, "multiple": multiple}, {ROLE: ""}, inputs=inputs)


def load(folder: Path) -> nn.Module:
    """The package's network on torchvision's VGG-16, or the miniature's."""
    if not (folder / TRUNK).is_file():
        return lpips.load(folder)
    from bench.nets.loading import load_strictly, read_tensors

    network = lpips.build(trunk="vgg")
    state = {name: t for name, t in read_tensors(folder / TRUNK).items() if name.startswith("features.")}
    named = {key.rpartition(".")[0].rpartition(".")[2]: key for key in network.state_dict() if key.startswith("net.")}
    trunk = {_renamed(name, named): tensor for name, tensor in state.items()}
    load_strictly(network, trunk, folder / TRUNK, "VGG-16 of torchvision", kept=("lin", "scaling_layer."))
    return network


def _renamed(name: str, named: Mapping[str, str]) -> str:
    """The package's name of a tensor of torchvision: ``features.5.bias`` is ``net.slice2.5.bias``."""
    number, kind = name.removeprefix("features.").split(".")
    return f"{named[number].rpartition('.')[0]}.{kind}" if number in named else name


def distances(network: Any, one: Tensor, other: Tensor, layer: int) -> Tensor:  # noqa: ANN401 - lpips has no types
    """Distances [B] at ``layer`` (1 to 5) of images [B, 3, H, W] in −1…1; a mean over the layer's positions."""
    from lpips import normalize_tensor

    features = [network.net(network.scaling_layer(images))[layer - 1] for images in (one, other)]
    first, second = (normalize_tensor(feature) for feature in features)
    mean: Tensor = network.lins[layer - 1]((first - second) ** 2).mean((1, 2, 3))
    return mean


class LpipsLayer(Engine):
    """Image, reconstruction → one number, at the reconstruction's size."""

    name = "lpips_layer"
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
        self._recipe, self._meter, self._device = recipe, meter, device
        self._net = load(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """The image cut as the reconstruction was; resized (bilinear) if it still has another size."""
        rgb = crop_to_multiple(request.rgb, self._recipe.params["multiple"])
        height, width = request.inputs["reconstruction"].shape[:2]
        if rgb.shape[:2] == (height, width):
            return rgb
        return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Distances."""
        import torch

        one, other = lpips.pair(requests, views, self._device)
        with torch.no_grad():
            found = distances(self._net, one, other, self._recipe.params["layer"])
        self._meter.forwards += 2 * len(views)
        return [float(value) for value in found.cpu()]


ENGINE = LpipsLayer
