"""The gradient of a StyleGAN discriminator's logit with respect to the image: LGrad's feature (CVPR 2023).

chuangchuangtan/LGrad@7cb5973:img2gad_pytorch/gen_imggrad.py: squashed to the discriminator's size, one image at a time,
the whole gradient of an image stretched to 0…255 by its own minimum and maximum.
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
    """The need for the gradient of ``image``."""
    return Recipe("discriminator_gradient", DiscriminatorGradient.version, {}, {ROLE: ""}, inputs={"image": image})


class DiscriminatorGradient(Engine):
    """Image → gradient, uint8 RGB at the discriminator's size."""

    name = "discriminator_gradient"
    version = 1
    payload = "png"
    batch = 8
    seconds = 0.02

    def forwards(self, recipe: Recipe) -> int:
        """One forward and one backward."""
        return 2

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the discriminator."""
        from bench.nets.stylegan import load_discriminator

        self._meter, self._device = meter, device
        self._net: Discriminator = load_discriminator(zoo.folder(ROLE)).to(device)

    def view(self, request: Request) -> RGB:
        """Squashed to a square by Pillow's bilinear interpolation."""
        side = self._net.shape.resolution
        return np.asarray(Image.fromarray(request.rgb).resize((side, side), Image.Resampling.BILINEAR))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Gradients; an image whose gradient is the same everywhere gives black."""
        import torch

        from bench.nets.stylegan import gradients

        x = torch.from_numpy(np.stack(views)).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        slope = gradients(self._net, x)
        slope = slope - slope.amin((1, 2, 3), keepdim=True)
        most = slope.amax((1, 2, 3), keepdim=True)
        stretched = slope / torch.where(most > 0, most, 1.0) * 255
        self._meter.forwards += 2 * len(views)
        return list(stretched.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


ENGINE = DiscriminatorGradient
