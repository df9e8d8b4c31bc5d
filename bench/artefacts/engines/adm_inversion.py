"""DIRE's original reconstruction: inversion and sampling with ADM, an unconditional pixel model (arXiv 2303.09295).

ZhendongWang6/DIRE@1f89fff:guided-diffusion/compute_dire.py: ``ddim20``, with the predicted image clipped in both
directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import center_crop_arr
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.adm import ADM

ROLE = "adm"


def recipe(steps: int, size: int, clip_denoised: bool = True, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for reconstructions at ``size`` × ``size`` after ``steps`` steps in each direction."""
    params = {"steps": steps, "size": size, "clip_denoised": clip_denoised}
    return Recipe("adm_inversion", ADMInversion.version, params, {ROLE: ""}, inputs={"image": image})


class ADMInversion(Engine):
    """Image → noise → image, in pixel space."""

    name = "adm_inversion"
    version = 1
    payload = "png"
    reconstructs = True
    batch = 16
    seconds = 0.1
    half = True

    def forwards(self, recipe: Recipe) -> int:
        """One per step in each direction."""
        return 2 * int(recipe.params["steps"])

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the network."""
        import torch

        from bench.nets import ddim
        from bench.nets.adm import load_adm
        from bench.nets.hot import Hot

        self._recipe, self._meter, self._device = recipe, meter, device
        net: ADM = load_adm(zoo.folder(ROLE)).to(device)
        compiles = device == "cuda" and not zoo.numerics.exact
        if compiles:
            net = net.to(memory_format=torch.channels_last)
        self.networks = {"unet": Hot(net, 5_000 * 256**2 * compiles)}
        self._times, self._alphas = ddim.pixel_timesteps(recipe.params["steps"]), ddim.linear_alphas()

    def view(self, request: Request) -> RGB:
        """guided-diffusion's geometry: the shorter side is resized to ``size``, then the centre is cropped."""
        return center_crop_arr(request.rgb, self._recipe.params["size"])

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Reconstructions uint8 [size, size, 3]."""
        import torch

        from bench.nets import ddim

        def predict(x: torch.Tensor, t: int) -> torch.Tensor:
            output = self.networks["unet"](x, torch.full((len(x),), t, device=x.device))
            return output[:, :3].float()

        x = torch.from_numpy(np.stack(views)).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            clip = bool(self._recipe.params["clip_denoised"])
            _, made = ddim.pixel_round_trip(x, predict, self._times, self._alphas, clip)
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        pixels = ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return list(pixels.permute(0, 2, 3, 1).cpu().numpy())


ENGINE = ADMInversion
