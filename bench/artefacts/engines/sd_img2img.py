"""Caption-guided image-to-image reconstruction: SARE's x̂ (arXiv 2508.09487, section 3.1).

Encode, add noise up to ``strength``, denoise by DDIM with guidance by the image's own caption, decode. Steps, timesteps
and noise are those of diffusers' StableDiffusionImg2ImgPipeline with a DDIMScheduler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import fit_long_side, long_side_shape
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion

ROLE = "sdv1"


def recipe(
    caption: Recipe | None,
    image: Recipe | str = IMAGE,
    *,
    steps: int = 50,
    strength: float = 0.5,
    guidance_scale: float = 7.5,
    long_side: int = 512,
    multiple: int = 8,
    seed: int = 0,
) -> Recipe:
    """The recipe for a reconstruction; without a ``caption`` the prompt is empty, and guidance has no effect.

    The longer side is resized to ``long_side`` pixels, then both sides are cropped to a multiple of ``multiple``.
    Raises UserError for settings with which no reconstruction is possible.
    """
    if not 0 < strength <= 1 or min(steps, multiple, long_side // max(multiple, 1)) < 1:
        raise UserError(
            f"sd_img2img cannot run {steps} steps at strength {strength:g}, {long_side} px in multiples of {multiple}.",
            "It needs a strength above 0 and at most 1, at least one step, and a side of at least one multiple.",
            "Change the settings of the method or probe in the suite.",
        )
    inputs: dict[str, Recipe | str] = {"image": image}
    params: dict[str, float] = {"steps": steps, "strength": strength, "long_side": long_side, "multiple": multiple}
    if caption is not None:
        inputs["caption"] = caption
        params["guidance_scale"] = guidance_scale
    return Recipe("sd_img2img", SDImg2Img.version, params, {ROLE: ""}, seed, inputs)


def steps_taken(recipe: Recipe) -> int:
    """Denoising steps: ``int(steps · strength)``, at least one."""
    return max(1, int(recipe.params["steps"] * recipe.params["strength"]))


class SDImg2Img(Engine):
    """Image, caption → image at the size that :func:`bench.artefacts.geometry.fit_long_side` gives."""

    name = "sd_img2img"
    version = 2
    payload = "png"
    reconstructs = True
    batch = 16
    seconds = 0.08
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """Two per step with guidance or one without, and the VAE's encoder and decoder."""
        guided = "caption" in recipe.inputs and recipe.params["guidance_scale"] != 1
        return steps_taken(recipe) * (2 if guided else 1) + 2

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The resized image's."""
        return long_side_shape(*sizes["image"], recipe.params["long_side"], recipe.params["multiple"])

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the pipeline's components; the timesteps depend only on the scheduler's configuration."""
        from bench.nets.ddim import timesteps
        from bench.nets.latent_diffusion import LatentDiffusion

        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(ROLE), device, zoo.numerics)
        every = timesteps(recipe.params["steps"], self._model.train_steps, self._model.offset)
        self._times = every[: steps_taken(recipe)]

    def view(self, request: Request) -> RGB:
        """The resized image, from which SARE takes the difference to the reconstruction."""
        params = self._recipe.params
        return fit_long_side(request.rgb, params["long_side"], params["multiple"])

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Reconstructions uint8, each of the shape of its view."""
        import torch

        from bench.nets import ddim

        model, seed = self._model, self._recipe.seed
        shape = model.latent_shape(views[0])
        drawn = [[noise(f"{r.image_id} {kind}", seed, shape) for r in requests] for kind in ("posterior", "forward")]
        with torch.no_grad():
            clean = model.encode(list(views), model.tensor(drawn[0]))
            start = ddim.diffuse(clean, model.tensor(drawn[1]), model.alphas[self._times[-1]])
            captions = [request.inputs.get("caption", "") for request in requests]
            predict = model.predictor(captions, self._recipe.params.get("guidance_scale", 1.0))
            latents = ddim.sample(start, predict, self._times, model.alphas, model.final_alpha)
            made = model.decode(latents)
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return made


ENGINE = SDImg2Img
