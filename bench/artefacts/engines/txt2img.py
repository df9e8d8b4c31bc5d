"""Regeneration from a caption alone: SemGIR's image (ACM MM 2024), text-to-image from pure noise with guidance.

Timesteps and steps are those of diffusers' StableDiffusionPipeline with a DDIMScheduler; SemGIR gives no sampler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion


def recipe(
    caption: Recipe,
    image: Recipe | str = IMAGE,
    *,
    role: str = "sdv15",
    steps: int = 50,
    guidance_scale: float = 7.5,
    size: int = 512,
    seed: int = 0,
) -> Recipe:
    """The recipe for an image of ``caption`` by the pipeline of ``role``; the id of ``image`` determines the noise."""
    params = {"steps": steps, "guidance_scale": guidance_scale, "size": size}
    return Recipe("txt2img", Txt2Img.version, params, {role: ""}, seed, {"image": image, "caption": caption})


class Txt2Img(Engine):
    """Caption → uint8 [size, size, 3]."""

    name = "txt2img"
    version = 1
    payload = "png"
    reconstructs = True
    batch = 16
    seconds = 0.12
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """Two per step with guidance or one without, and the VAE's decoder."""
        return int(recipe.params["steps"]) * (1 if recipe.params["guidance_scale"] == 1 else 2) + 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the pipeline's components."""
        from bench.nets.ddim import timesteps
        from bench.nets.latent_diffusion import LatentDiffusion

        (role,) = recipe.weights
        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(role), device, zoo.numerics)
        self._times = timesteps(recipe.params["steps"], self._model.train_steps, self._model.offset)

    def view(self, request: Request) -> RGB:
        """A blank image of the output's size, so that all captions share a batch."""
        side = self._recipe.params["size"]
        return np.zeros((side, side, 3), np.uint8)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Images uint8 [size, size, 3]."""
        import torch

        from bench.nets import ddim

        model, seed = self._model, self._recipe.seed
        shape = model.latent_shape(views[0])
        start = model.tensor([noise(f"{request.image_id} start", seed, shape) for request in requests])
        captions = [str(request.inputs["caption"]) for request in requests]
        with torch.no_grad():
            predict = model.predictor(captions, self._recipe.params["guidance_scale"])
            made = model.decode(ddim.sample(start, predict, self._times, model.alphas, model.final_alpha))
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return made


ENGINE = Txt2Img
