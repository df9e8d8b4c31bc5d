"""CLIP's embedding of an image's caption: the text half of DE-FAKE and of SemGIR's attribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor


def recipe(caption: Recipe, role: str = "clip_vit_b32", image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the embedding of ``caption`` by the CLIP model with the weights of ``role``."""
    return Recipe("clip_text", ClipText.version, {}, {role: ""}, inputs={"image": image, "caption": caption})


class ClipText(Engine):
    """Caption → projected text embedding, not normalised: float32 [width]. The image itself is not used."""

    name = "clip_text"
    version = 1
    payload = "safetensors"
    batch = 32
    seconds = 0.003
    half = True

    def forwards(self, recipe: Recipe) -> int:
        """One for the text encoder."""
        return 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the text half and its tokenizer from a folder in the format of the Hub or of open_clip."""
        from transformers import CLIPTextModelWithProjection

        from bench.nets.clip import has_openai_state, load_half
        from bench.nets.clip_text import load_text_tower
        from bench.nets.pretrained import load_tokenizer

        (role,) = recipe.weights
        folder = zoo.folder(role)
        self._meter, self._device = meter, device
        self._tokenizer: Any = load_tokenizer(folder)
        if has_openai_state(folder):
            tower = load_text_tower(folder).to(device)
            self._length = tower.context
            self._embed: Callable[[Tensor], Tensor] = lambda ids: tower(ids, self._tokenizer.eos_token_id)
            return
        model = load_half(CLIPTextModelWithProjection, folder).to(device).eval()
        self._length = model.config.max_position_embeddings
        self._embed = lambda ids: model(ids).text_embeds

    def view(self, request: Request) -> RGB:
        """A placeholder of one pixel, because the image is not used; all captions share a batch."""
        return np.zeros((1, 1, 3), np.uint8)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[NDArray[np.float32]]:
        """Embeddings float32 [width]."""
        import torch

        texts = [str(request.inputs["caption"]) for request in requests]
        options = {"padding": "max_length", "max_length": self._length, "truncation": True, "return_tensors": "pt"}
        tokens = self._tokenizer(texts, **options)
        with torch.no_grad():
            embedded = self._embed(tokens.input_ids.to(self._device))
        self._meter.forwards += len(views)
        return list(embedded.float().cpu().numpy())


ENGINE = ClipText
