"""LaRE: how well a latent diffusion model predicts the noise on an image's latents at one step (CVPR 2024).

luo3300612/LaRE@f8b2966:extract_lare.py: several noise draws per image, one network evaluation each, and the mean of the
squared errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion

ROLE = "sdv15"


def recipe(
    image: Recipe | str = IMAGE,
    *,
    caption: Recipe | None = None,
    size: int = 256,
    timestep: int = 200,
    ensemble: int = 4,
    seed: int = 0,
) -> Recipe:
    """The recipe for the error map of ``image``; without a ``caption`` the prompt is empty."""
    inputs: dict[str, Recipe | str] = {"image": image}
    if caption is not None:
        inputs["caption"] = caption
    params = {"size": size, "timestep": timestep, "ensemble": ensemble}
    return Recipe("latent_error", LatentError.version, params, {ROLE: ""}, seed, inputs)


class LatentError(Engine):
    """Image → float32 [C, S / f, S / f], the mean of (ε̂ − ε)² over the ensemble; noise is drawn per image."""

    name = "latent_error"
    version = 1
    payload = "safetensors"
    batch = 16
    seconds = 0.02
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """One per noise draw, and the VAE's encoder."""
        return int(recipe.params["ensemble"]) + 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the pipeline's components."""
        from bench.nets.latent_diffusion import LatentDiffusion

        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(ROLE), device, zoo.numerics)

    def view(self, request: Request) -> RGB:
        """The image resized to a square by bicubic interpolation."""
        size = self._recipe.params["size"]
        return np.asarray(Image.fromarray(request.rgb).resize((size, size), Image.Resampling.BICUBIC))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[NDArray[np.float32]]:
        """Error maps."""
        import torch

        from bench.nets import ddim

        model, seed, t = self._model, self._recipe.seed, self._recipe.params["timestep"]
        shape, ensemble = model.latent_shape(views[0]), int(self._recipe.params["ensemble"])
        posterior = model.tensor([noise(f"{r.image_id} posterior", seed, shape) for r in requests])
        with torch.no_grad():
            clean = model.encode(list(views), posterior)
            condition = model.condition([str(request.inputs.get("caption", "")) for request in requests])
            total = torch.zeros_like(clean)
            for member in range(ensemble):
                drawn = model.tensor([noise(f"{r.image_id} {member}", seed, shape) for r in requests])
                noisy = ddim.diffuse(clean, drawn, model.alphas[t])
                total += (model.noise(noisy, t, condition) - drawn).square()
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return list((total / ensemble).cpu().numpy())


ENGINE = LatentError
