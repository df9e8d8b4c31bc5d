"""DDIM inversion and reconstruction with a latent diffusion model, empty prompt, no guidance (DIRE, arXiv 2303.09295).

The published DIRE uses a pixel model (ADM) for the inversion; DRCT and SARE report DIRE with Stable Diffusion. See
:mod:`bench.nets.ddim` for the timesteps and how the steps of both directions are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import center_crop_arr
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import Recipe

if TYPE_CHECKING:
    from bench.nets.latent_diffusion import LatentDiffusion

ROLE = "sdv1"


def recipe(steps: int, size: int) -> Recipe:
    """The recipe for reconstructions at ``size`` × ``size`` after ``steps`` steps in each direction."""
    return Recipe("ddim_inversion", DDIMInversion.version, {"steps": steps, "size": size}, {ROLE: ""})


class DDIMInversion(Engine):
    """Image → latent → noise by ``steps`` inversion steps → latent by as many sampling steps → image."""

    name = "ddim_inversion"
    version = 1
    payload = "png"
    reconstructs = True
    batch = 32
    seconds = 0.06

    def forwards(self, recipe: Recipe) -> int:
        """One per step in each direction, and the VAE's encoder and decoder."""
        return 2 * int(recipe.params["steps"]) + 2

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the model."""
        from bench.nets.ddim import timesteps
        from bench.nets.latent_diffusion import LatentDiffusion

        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(ROLE), device, zoo.numerics)
        self._times = timesteps(recipe.params["steps"], self._model.train_steps, self._model.offset)

    def view(self, request: Request) -> RGB:
        """DIRE's geometry: the shorter side is resized to ``size``, then the centre is cropped."""
        return center_crop_arr(request.rgb, self._recipe.params["size"])

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Reconstructions uint8 [size, size, 3]."""
        import torch

        from bench.nets import ddim

        model = self._model
        with torch.no_grad():
            condition = model.condition([""] * len(views))

            def predict(x: torch.Tensor, t: int) -> torch.Tensor:
                return model.noise(x, t, condition)

            schedule = (self._times, model.alphas, model.final_alpha)
            latents = ddim.invert(model.encode(list(views)), predict, *schedule)
            made = model.decode(ddim.sample(latents, predict, *schedule))
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return made


ENGINE = DDIMInversion
