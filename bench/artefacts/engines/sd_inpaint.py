"""DRCT's diffusion reconstruction: an inpainting model with an empty mask (ICML 2024).

beibuwandeluori/DRCT@01aa7d0:data/diffusion_rec.py: mask all zero, empty prompt, 50 steps, strength 1, so the model sees
the image only through the masked image's latents. Guidance between two empty prompts is the identity and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import limit_sides, pad_to_multiple
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion

ROLE = "sdv1_inpaint"


def recipe(image: Recipe | str = IMAGE, *, steps: int = 50, max_size: int = 1024, seed: int = 0) -> Recipe:
    """The recipe for DRCT's reconstruction; sides longer than ``max_size`` are centre-cropped first."""
    params = {"steps": steps, "max_size": max_size}
    return Recipe("sd_inpaint", SDInpaint.version, params, {ROLE: ""}, seed, {"image": image})


class SDInpaint(Engine):
    """Image → image of the same size; noise is drawn per image, while the official code uses one seed for all."""

    name = "sd_inpaint"
    version = 2
    payload = "png"
    reconstructs = True
    batch = 16
    seconds = 0.08
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """One per step, and the VAE's encoder and decoder."""
        return int(recipe.params["steps"]) + 2

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The padded image's for Stable Diffusion's VAE, whose factor is 8."""
        height, width = (min(side, recipe.params["max_size"]) for side in sizes["image"])
        return height + -height % 8, width + -width % 8

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the inpainting pipeline's components."""
        from bench.nets.ddim import timesteps
        from bench.nets.latent_diffusion import LatentDiffusion

        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(ROLE), device, zoo.numerics)
        self._times = timesteps(recipe.params["steps"], self._model.train_steps, self._model.offset)

    def _cropped(self, rgb: RGB) -> RGB:
        return limit_sides(rgb, self._recipe.params["max_size"])

    def view(self, request: Request) -> RGB:
        """The image zero-padded at the bottom and right to multiples of the VAE's factor."""
        return pad_to_multiple(self._cropped(request.rgb), self._model.multiple)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Reconstructions uint8, without the padding."""
        import torch

        from bench.nets import ddim

        model, seed = self._model, self._recipe.seed
        shape = model.latent_shape(views[0])
        drawn = [[noise(f"{r.image_id} {kind}", seed, shape) for r in requests] for kind in ("posterior", "start")]
        with torch.no_grad():
            masked = model.encode(list(views), model.tensor(drawn[0]))
            mask_and_masked = torch.cat([torch.zeros_like(masked[:, :1]), masked], 1)
            empty = model.condition([""] * len(views))

            def predict(x: torch.Tensor, t: int) -> torch.Tensor:
                return model.noise(x, t, empty, mask_and_masked)

            start = model.tensor(drawn[1])
            made = model.decode(ddim.sample(start, predict, self._times, model.alphas, model.final_alpha))
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        sizes = [self._cropped(request.rgb).shape for request in requests]
        return [np.ascontiguousarray(rgb[: size[0], : size[1]]) for rgb, size in zip(made, sizes, strict=True)]


ENGINE = SDInpaint
