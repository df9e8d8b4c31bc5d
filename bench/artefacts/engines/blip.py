"""Short captions by BLIP (arXiv 2201.12086): greedy decoding without a prompt, as in SARE, DE-FAKE and SemGIR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

ROLE = "blip"


def recipe(image: Recipe | str = IMAGE, max_new_tokens: int = 20) -> Recipe:
    """The recipe for a caption of ``image``."""
    return Recipe(ROLE, Blip.version, {"max_new_tokens": max_new_tokens}, {ROLE: ""}, inputs={"image": image})


class Blip(Engine):
    """Image → caption, in lower case and without the start and end tokens."""

    name = "blip"
    version = 1
    payload = "txt"
    batch = 32
    seconds = 0.02
    half = True

    def forwards(self, recipe: Recipe) -> int:
        """One for the image encoder; the decoder's steps are not counted, because they cost little in comparison."""
        return 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the model and its processor from a folder in the Hub's format."""
        import torch
        from transformers import BlipForConditionalGeneration, BlipProcessor
        from transformers.utils import logging

        from bench.nets.pretrained import load_pretrained, load_processor

        logging.disable_progress_bar()
        folder = zoo.folder(ROLE)
        self._recipe, self._meter, self._device = recipe, meter, device
        self._processor: Any = load_processor(BlipProcessor, folder)
        self._model: Any = load_pretrained(BlipForConditionalGeneration, folder, dtype=torch.float32).to(device)
        size = self._processor.image_processor.size
        self._size = (int(size["width"]), int(size["height"]))

    def view(self, request: Request) -> RGB:
        """The image resized to BLIP's square by bicubic interpolation, as BLIP's processor does."""
        return np.array(Image.fromarray(request.rgb).resize(self._size, Image.Resampling.BICUBIC))

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """Captions."""
        import torch

        options = {"do_resize": False, "return_tensors": "pt"}
        pixels = self._processor.image_processor(images=list(views), **options).pixel_values.to(self._device)
        with torch.no_grad():
            tokens = self._model.generate(
                pixel_values=pixels,
                max_new_tokens=self._recipe.params["max_new_tokens"],
                do_sample=False,
                num_beams=1,
            )
        self._meter.forwards += len(views)
        texts = self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


ENGINE = Blip
