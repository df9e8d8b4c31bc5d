"""A prompt that names the true class: what LaRE²'s official script gives its diffusion model.

luo3300612/LaRE@f8b2966:extract_lare.py (GenImageProcessor): the first synonym of the ImageNet class. No detector has
this for an image of unknown origin, so no method's default asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.data.classes import CODE
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import CLASSES, SOURCE, Recipe


def recipe(template: str = "a photo of a [CLS]") -> Recipe:
    """The need for ``template`` with the image's class in the place of ``[CLS]``: one text under every protocol."""
    params = {"template": template, CLASSES: ""}
    return Recipe(ClassPrompt.name, ClassPrompt.version, params, inputs={"image": SOURCE})


class ClassPrompt(Engine):
    """The image's class, as its dataset tells it → text."""

    name = "class_prompt"
    version = 1
    payload = "txt"
    batch = 64
    seconds = 0.001

    def forwards(self, recipe: Recipe) -> int:
        """None: nothing is computed."""
        return 0

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """ImageNet's classes by number and by synset."""
        from timm.data.imagenet_info import ImageNetInfo

        known: Any = ImageNetInfo()
        self._template = str(recipe.params["template"])
        self._names: dict[str, str] = {}
        for index, synset in enumerate(known.label_names()):
            first = known.index_to_description(index).split(",")[0].strip()
            self._names |= {str(index): first, synset: first}

    def view(self, request: Request) -> RGB:
        """One pixel: the picture is not looked at."""
        return np.zeros((1, 1, 3), np.uint8)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """Prompts. Raises UserError for an image whose class nobody told, or that is none of ImageNet's."""
        return [self._template.replace("[CLS]", self._words(request)) for request in requests]

    def _words(self, request: Request) -> str:
        told = request.class_name
        if told and not CODE.fullmatch(told):
            return told
        if told not in self._names:
            raise UserError(
                f"Image {request.image_id[:8]} has no class to prompt with.",
                f"Its dataset tells {told!r}, which is none of ImageNet's." if told else "Nothing tells it.",
                "See docs/paper-settings.md for the tables that may.",
            )
        return self._names[told]


ENGINE = ClassPrompt
