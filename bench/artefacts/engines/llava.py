"""Long captions by LLaVA-NeXT: SARE's second captioner (arXiv 2508.09487, Table 5); greedy, one question per image.

The paper names the model, LLaVA-NeXT-8B, and shows captions of one sentence; it does not give the question. LLaVA-1.5
is read too: it is the captioner of Manifold-Induced Biases (ICLR 2025).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.numerics import dtype as dtype_of
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

ROLE = "llava"
QUESTION = "Describe this image in one sentence."


def recipe(
    image: Recipe | str = IMAGE,
    question: str = QUESTION,
    max_new_tokens: int = 60,
    *,
    role: str = ROLE,
    prompt: str = "",
) -> Recipe:
    """The recipe for a long caption of ``image`` by the model of ``role``.

    A ``prompt``, with ``<image>`` where the image belongs, replaces the question in the model's own chat template.
    """
    params: dict[str, str | int] = {"prompt": prompt} if prompt else {"question": question}
    params["max_new_tokens"] = max_new_tokens
    return Recipe("llava", Llava.version, params, {role: ""}, inputs={"image": image})


class Llava(Engine):
    """Image → answer to the question; the processor of LLaVA-NeXT splits the image into tiles, LLaVA-1.5's does not."""

    name = "llava"
    version = 1
    payload = "txt"
    batch = 16
    seconds = 0.1
    half = True

    def forwards(self, recipe: Recipe) -> int:
        """One per answer; the language model's decoding steps are not counted separately."""
        return 1

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The image's own."""
        return sizes["image"]

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the model and its processor from a folder in the Hub's format, in the precision of the numerics."""
        import transformers
        from transformers.utils import logging

        from bench.nets.pretrained import load_pretrained, load_processor

        logging.disable_progress_bar()
        (role,) = recipe.weights
        folder, dtype = zoo.folder(role), dtype_of(zoo.numerics.half)
        self._recipe, self._meter, self._device, self._dtype = recipe, meter, device, dtype
        old = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") == "llava"
        kind = "Llava" if old else "LlavaNext"
        self._processor: Any = load_processor(getattr(transformers, f"{kind}Processor"), folder)
        network = getattr(transformers, f"{kind}ForConditionalGeneration")
        self._model: Any = load_pretrained(network, folder, dtype=dtype).to(device)
        self._prompt: str = recipe.params.get("prompt") or self._asked(recipe.params["question"])

    def _asked(self, question: str) -> str:
        """The model's chat template with an image and a question."""
        conversation = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        prompt: str = self._processor.apply_chat_template(conversation, add_generation_prompt=True)
        return prompt

    def view(self, request: Request) -> RGB:
        """The image, unchanged."""
        return request.rgb

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """Captions."""
        import torch

        prompts = [self._prompt] * len(views)
        inputs = self._processor(images=list(views), text=prompts, return_tensors="pt").to(self._device, self._dtype)
        with torch.no_grad():
            tokens = self._model.generate(
                **inputs, max_new_tokens=self._recipe.params["max_new_tokens"], do_sample=False, num_beams=1
            )
        self._meter.forwards += len(views)
        answers = tokens[:, inputs.input_ids.shape[1] :]
        texts = self._processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


ENGINE = Llava
