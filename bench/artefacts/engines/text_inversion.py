"""DDIM inversion of an image under its caption, and the way back: FakeInversion's two images (arXiv 2406.08603).

Timesteps and steps are those of :mod:`bench.nets.ddim`; there is no classifier-free guidance in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import crop, resize_short_side
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion


def recipe(
    caption: Recipe, image: Recipe | str = IMAGE, *, role: str = "sdv15", steps: int = 50, size: int = 512
) -> Recipe:
    """The recipe for both images at ``size`` × ``size``, after ``steps`` steps in each direction under ``caption``."""
    inputs = {"image": image, "caption": caption}
    return Recipe("text_inversion", TextInversion.version, {"steps": steps, "size": size}, {role: ""}, inputs=inputs)


def square(rgb: RGB, size: int) -> RGB:
    """The image that is inverted: its shorter side is resized to ``size``, then the centre is cropped."""
    return crop(resize_short_side(rgb, size), size, None)


class TextInversion(Engine):
    """Image, caption → uint8 [2 · size, size, 3]: the decoded noise above the reconstruction."""

    name = "text_inversion"
    version = 1
    payload = "png"
    batch = 32
    seconds = 0.07

    def forwards(self, recipe: Recipe) -> int:
        """One per step in each direction, the VAE's encoder, and its decoder twice."""
        return 2 * int(recipe.params["steps"]) + 3

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the model."""
        from bench.nets.ddim import timesteps
        from bench.nets.latent_diffusion import LatentDiffusion

        (role,) = recipe.weights
        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(role), device, zoo.numerics)
        self._times = timesteps(recipe.params["steps"], self._model.train_steps, self._model.offset)

    def view(self, request: Request) -> RGB:
        """The square that is inverted."""
        return square(request.rgb, self._recipe.params["size"])

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Pairs of images, one above the other."""
        import torch

        from bench.nets import ddim

        model = self._model
        with torch.no_grad():
            predict = model.predictor([str(request.inputs["caption"]) for request in requests], 1.0)
            schedule = (self._times, model.alphas, model.final_alpha)
            latents = ddim.invert(model.encode(list(views)), predict, *schedule)
            pair = [model.decode(x) for x in (latents, ddim.sample(latents, predict, *schedule))]
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return [np.concatenate(images) for images in zip(*pair, strict=True)]


ENGINE = TextInversion
