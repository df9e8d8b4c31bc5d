"""CLIP's embedding of an image after CLIP's own preprocessing: the image half of a CLIP score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import crop, resize_short_side
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor


def recipe(image: Recipe | str = IMAGE, role: str = "clip_vit_l14") -> Recipe:
    """The recipe for the embedding of ``image`` by the CLIP model with the weights of ``role``."""
    return Recipe("clip_image", ClipImage.version, {}, {role: ""}, inputs={"image": image})


class ClipImage(Engine):
    """Image → projected embedding, not normalised: float32 [width]."""

    name = "clip_image"
    version = 1
    payload = "safetensors"
    batch = 32
    seconds = 0.01
    half = True

    def forwards(self, recipe: Recipe) -> int:
        """One for the image encoder."""
        return 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the image half from a folder in the format of the Hub or of open_clip."""
        from transformers import CLIPVisionModelWithProjection

        from bench.nets.clip import has_openai_state, load_half
        from bench.nets.clip_resnet import RN50X4, load_clip_resnet

        (role,) = recipe.weights
        folder = zoo.folder(role)
        self._meter, self._device = meter, device
        if has_openai_state(folder):
            tower = load_clip_resnet(folder, RN50X4 if role == "clip_rn50x4" else None).to(device).eval()
            self._side: int = tower.shape.side
            self._embed: Callable[[Tensor], Tensor] = tower
            return
        model = load_half(CLIPVisionModelWithProjection, folder).to(device).eval()
        self._side = model.config.image_size
        self._embed = lambda x: model(pixel_values=x).image_embeds

    def view(self, request: Request) -> RGB:
        """The centre crop after a bicubic resize of the shorter side: CLIP's own preprocessing."""
        resized = resize_short_side(request.rgb, self._side, Image.Resampling.BICUBIC)
        return crop(resized, self._side, None)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[NDArray[np.float32]]:
        """Embeddings float32 [width]."""
        import torch

        from bench.nets.clip import MEAN, STD

        pixels = (np.stack(views).astype(np.float32) / 255 - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
        with torch.no_grad():
            embedded = self._embed(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(self._device))
        self._meter.forwards += len(views)
        return list(embedded.float().cpu().numpy())


ENGINE = ClipImage
