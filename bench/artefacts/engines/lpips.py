"""The LPIPS distance between an image and an artefact made from it, as in the Δ plots (SARE, Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.lpips import LPIPS

ROLE = "lpips"


def recipe(reconstruction: Recipe, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the distance between ``image`` and ``reconstruction``, at the reconstruction's size."""
    return Recipe(ROLE, Lpips.version, {}, {ROLE: ""}, inputs={"image": image, "reconstruction": reconstruction})


class Lpips(Engine):
    """Image, reconstruction → one number; the image is resized to the reconstruction's size (bilinear)."""

    name = "lpips"
    version = 1
    payload = "json"
    batch = 32
    seconds = 0.005

    def forwards(self, recipe: Recipe) -> int:
        """One for the trunk on each of the two images."""
        return 2

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the trunk and the heads."""
        from bench.nets.lpips import load_lpips

        self._meter, self._device = meter, device
        self._net: LPIPS = load_lpips(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """The image at the reconstruction's size."""
        height, width = request.inputs["reconstruction"].shape[:2]
        return np.asarray(Image.fromarray(request.rgb).resize((width, height), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Distances."""
        import torch

        def tensor(images: Sequence[RGB]) -> torch.Tensor:
            return torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1

        with torch.no_grad():
            distances = self._net(tensor(views), tensor([r.inputs["reconstruction"] for r in requests]))
        self._meter.forwards += 2 * len(views)
        return [float(value) for value in distances.cpu()]


ENGINE = Lpips
