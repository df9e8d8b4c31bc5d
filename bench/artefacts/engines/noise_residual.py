"""The noise that a learned denoiser removes: LNP's feature (ECCV 2022), computed by CycleISP's sRGB network.

Tangsenghenshou/Detecting-Generated-Images-by-Real-Images@bba18a2:test_sidd_rgb.py: negative noise is discarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.cycleisp import Denoiser

ROLE = "cycleisp"


def recipe(image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the noise of ``image``."""
    return Recipe("noise_residual", NoiseResidual.version, {}, {ROLE: ""}, inputs={"image": image})


class NoiseResidual(Engine):
    """Image → image minus denoised image, clamped to 0…1, uint8 of the same size."""

    name = "noise_residual"
    version = 1
    payload = "png"
    batch = 8
    seconds = 0.01
    native = True

    def forwards(self, recipe: Recipe) -> int:
        """One for the denoiser."""
        return 1

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The image's own."""
        return sizes["image"]

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the denoiser."""
        from bench.nets.cycleisp import load_denoiser

        self._meter, self._device = meter, device
        self._net: Denoiser = load_denoiser(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """The image, unchanged."""
        return request.rgb

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Noise uint8 [H, W, 3]."""
        import torch

        x = torch.from_numpy(np.stack(views)).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            noise = self._net(x).clamp(0, 1)
        self._meter.forwards += len(views)
        return list((noise * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


ENGINE = NoiseResidual
