"""How far noise moves an image's embedding by a vision transformer, as one number: RIGID's measure (arXiv 2405.20112).

The noise is added after the image is normalised, and nothing is clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor

ROLE = "dinov2_vitl14"
#: ImageNet's mean and standard deviation of a channel, for values in 0…1.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def recipe(image: Recipe | str = IMAGE, *, size: int = 224, strength: float = 0.05, seed: int = 0) -> Recipe:
    """The recipe for the shift of ``image`` by noise of the standard deviation ``strength``.

    ``size`` is the side of the network's input in pixels, a multiple of its patch.
    """
    params = {"size": size, "strength": strength}
    return Recipe("noise_shift", NoiseShift.version, params, {ROLE: ""}, seed, {"image": image})


def shifts(network: Callable[[Tensor], Tensor], images: Tensor, drawn: Tensor, strength: float) -> Tensor:
    """One minus the cosine [B] of the embeddings of normalised images [B, 3, H, W] with and without noise.

    ``drawn`` is standard normal and of the images' shape. Cosines are near one and are computed in double precision.
    """
    from torch.nn.functional import cosine_similarity

    embedded, moved = (network(x).double() for x in (images, images + drawn * strength))
    return 1 - cosine_similarity(embedded, moved, dim=-1)


class NoiseShift(Engine):
    """Image → one number in 0…2, 0 if the noise does not move the class token; noise is drawn per image."""

    name = "noise_shift"
    version = 1
    payload = "json"
    batch = 32
    seconds = 0.01
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """With noise and without."""
        return 2

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the vision transformer for the recipe's size."""
        from bench.nets import vit

        self._recipe, self._meter, self._device = recipe, meter, device
        self._net = vit.load(zoo.folder(ROLE), recipe.params["size"]).to(device).eval()

    def view(self, request: Request) -> RGB:
        """The image resized to a square by bilinear interpolation."""
        size = self._recipe.params["size"]
        return np.asarray(Image.fromarray(request.rgb).resize((size, size), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Shifts."""
        import torch

        size, strength = self._recipe.params["size"], self._recipe.params["strength"]
        drawn = np.stack([noise(request.image_id, self._recipe.seed, (3, size, size)) for request in requests])
        pixels = (np.stack(views).astype(np.float32) / 255 - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
        images, added = (torch.from_numpy(x).to(self._device) for x in (pixels.transpose(0, 3, 1, 2).copy(), drawn))
        with torch.no_grad():
            found = shifts(self._net, images, added, strength)
        self._meter.forwards += 2 * len(views)
        return [float(value) for value in found.cpu()]


ENGINE = NoiseShift
