"""The gradient of a StyleGAN discriminator's logit with respect to the image: LGrad's feature (CVPR 2023).

chuangchuangtan/LGrad@7cb5973:img2gad_pytorch/gen_imggrad.py: the image is resized to the discriminator's size, images
are processed one at a time, and each gradient is scaled to 0…255 by its own minimum and maximum.
"""

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
    from bench.nets.stylegan import Discriminator

ROLE = "stylegan_discriminator"


def recipe(image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the gradient of ``image``."""
    return Recipe("discriminator_gradient", DiscriminatorGradient.version, {}, {ROLE: ""}, inputs={"image": image})


class DiscriminatorGradient(Engine):
    """Image → gradient, uint8 RGB at the discriminator's size."""

    name = "discriminator_gradient"
    version = 1
    payload = "png"
    batch = 8
    seconds = 0.02

    def forwards(self, recipe: Recipe) -> int:
        """One forward and one backward pass."""
        return 2

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the discriminator."""
        from bench.nets.stylegan import load_discriminator

        self._meter, self._device = meter, device
        self._net: Discriminator = load_discriminator(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """The image resized to a square by Pillow's bilinear interpolation."""
        side = self._net.shape.resolution
        return np.asarray(Image.fromarray(request.rgb).resize((side, side), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Gradients uint8 [side, side, 3]; an image with a constant gradient gives black."""
        import torch

        from bench.nets.stylegan import gradients

        x = torch.from_numpy(np.stack(views)).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        gradient = gradients(self._net, x)
        shifted = gradient - gradient.amin((1, 2, 3), keepdim=True)
        maximum = shifted.amax((1, 2, 3), keepdim=True)
        scaled = shifted / torch.where(maximum > 0, maximum, 1.0) * 255
        self._meter.forwards += 2 * len(views)
        return list(scaled.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


ENGINE = DiscriminatorGradient
