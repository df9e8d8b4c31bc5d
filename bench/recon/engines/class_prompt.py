"""A prompt that names the true class: what LaRE²'s official script gives its diffusion model.

luo3300612/LaRE@f8b2966:extract_lare.py (GenImageProcessor): the first synonym of the ImageNet class. No detector has
this for an image of unknown origin, so no method's default asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe
from bench.recon.engine import RGB, Engine, Request


def recipe(image: Recipe | str = IMAGE, template: str = "a photo of a [CLS]") -> Recipe:
    """The need for ``template`` with the class of ``image`` in the place of ``[CLS]``."""
    return Recipe(ClassPrompt.name, ClassPrompt.version, {"template": template}, inputs={"image": image})


class ClassPrompt(Engine):
    """The image's class, as its data set tells it → text."""

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
        """Prompts. Raises UserError for an image whose class nobody told."""
        unknown = next((request for request in requests if not request.klass), None)
        if unknown is not None:
            raise UserError(
                "An image has no class to prompt with.",
                f"Neither its file name nor a table of its data set names one (image {unknown.image_id[:8]}).",
                "See bench/data/classes.py for the tables, or give the text: score --artefact caption=FILE.json.",
            )
        return [self._template.replace("[CLS]", self._names.get(r.klass, r.klass)) for r in requests]


ENGINE = ClassPrompt
