"""What a diffusion model's predicted noise looks like beside the image, as one number (ICLR 2025, arXiv 2504.15470).

Near the image's latents, the noise that the model predicts is decoded like an image, and so is the noise that was
added; CLIP compares both with the image (:mod:`bench.nets.manifold`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import crop, resize_short_side
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from bench.nets.latent_diffusion import LatentDiffusion
    from bench.nets.manifold import Terms

ROLE, CLIP = "sdv1", "clip_vit_l14"


def recipe(
    caption: Recipe, image: Recipe | str = IMAGE, *, size: int = 512, draws: int = 8, time: float = 0.01, seed: int = 0
) -> Recipe:
    """The recipe for the criterion of ``image`` with its ``caption`` as the prompt.

    ``draws`` of noise are added at the share ``time`` of the diffusion's steps; ``size`` is the side in pixels.
    """
    inputs = {"image": image, "caption": caption}
    params = {"size": size, "draws": draws, "time": time}
    return Recipe("manifold_criterion", ManifoldCriterion.version, params, {ROLE: "", CLIP: ""}, seed, inputs)


class ManifoldCriterion(Engine):
    """Image, caption → one number, larger for generated images; noise is drawn per image."""

    name = "manifold_criterion"
    version = 1
    payload = "json"
    batch = 4
    seconds = 0.2
    draws_noise = True

    def forwards(self, recipe: Recipe) -> int:
        """The image through encoder and CLIP, and per draw the UNet, two decodings and two embeddings."""
        return 2 + 5 * int(recipe.params["draws"])

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The image's own."""
        return sizes["image"]

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the diffusion model, and the image half of CLIP in single precision."""
        from transformers import CLIPVisionModelWithProjection

        from bench.nets.clip import load_half
        from bench.nets.latent_diffusion import LatentDiffusion

        self._recipe, self._meter = recipe, meter
        self._model: LatentDiffusion = LatentDiffusion(zoo.folder(ROLE), device, zoo.numerics)
        self._clip: Any = load_half(CLIPVisionModelWithProjection, zoo.folder(CLIP)).to(device)

    def view(self, request: Request) -> RGB:
        """The image, unchanged: it is resized without rounding, and CLIP has another size."""
        return request.rgb

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Criteria."""
        import torch

        from bench.nets import manifold

        model, size = self._model, int(self._recipe.params["size"])
        pixels = torch.from_numpy(np.stack(views)).to(model.device).permute(0, 3, 1, 2).float()
        shape = (model.vae.config.latent_channels, size // model.multiple, size // model.multiple)
        with torch.no_grad():
            clean = model.encode_pixels(
                manifold.framed(pixels, size) / 127.5 - 1, self._drawn(requests, "posterior", shape)
            )
            condition = model.condition([str(request.inputs["caption"]) for request in requests])
            image = self._embedded(views)
            draws = range(int(self._recipe.params["draws"]))
            found = [self._terms(image, clean, condition, self._drawn(requests, f"{n}", shape)) for n in draws]
            means = manifold.Terms(*(torch.stack(part).mean(0) for part in zip(*found, strict=True)))
            values = manifold.criterion(means)
        self._meter.forwards += self.forwards(self._recipe) * len(views)
        return [float(value) for value in values.cpu()]

    def _drawn(self, requests: Sequence[Request], name: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise [B, *shape] of the images."""
        return self._model.tensor([noise(f"{r.image_id} {name}", self._recipe.seed, shape) for r in requests])

    def _terms(self, image: Tensor, clean: Tensor, condition: Tensor, drawn: Tensor) -> Terms:
        """The terms of one draw. The predicted noise is divided by the latents' scale; the added noise is not."""
        from bench.nets import ddim, manifold

        model, size = self._model, int(self._recipe.params["size"])
        step = int(self._recipe.params["time"] * model.train_steps)
        added = manifold.spherical(drawn)
        predicted = model.noise(ddim.diffuse(clean, added, model.alphas[step]), step, condition)
        decoded = [model.decode_pixels(latents) for latents in (predicted / model.vae.config.scaling_factor, added)]
        return manifold.terms(image, *(self._embedded(manifold.pictures(pixels, size)) for pixels in decoded))

    def _embedded(self, images: Sequence[RGB]) -> Tensor:
        """CLIP's embeddings [B, width], not normalised, of images uint8 [H, W, 3] after CLIP's own preprocessing."""
        import torch

        from bench.nets.clip import MEAN, STD

        side = int(self._clip.config.image_size)
        views = np.stack([clip_view(rgb, side) for rgb in images]).astype(np.float32)
        values = (views / 255 - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
        pixels = torch.from_numpy(values).permute(0, 3, 1, 2).to(self._model.device)
        embedded: Tensor = self._clip(pixel_values=pixels).image_embeds
        return embedded


def clip_view(rgb: RGB, side: int) -> RGB:
    """The crop that transformers' processor of CLIP makes: bicubic, and from the centre rounded down."""
    return crop(resize_short_side(rgb, side, Image.Resampling.BICUBIC), side, None, "albumentations")


ENGINE = ManifoldCriterion
