"""A prompt with the image's true class, as LaRE²'s official script gives it to the diffusion model.

luo3300612/LaRE@f8b2966:extract_lare.py (GenImageProcessor): the first synonym of the ImageNet class. The class of an
image of unknown origin is not known, so no method uses this prompt by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.artefacts.engine import RGB, Imageless, Request
from bench.data.classes import CODE
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import CLASSES, SOURCE, Recipe


def recipe(template: str = "a photo of a [CLS]") -> Recipe:
    """The recipe for ``template`` with ``[CLS]`` replaced by the image's class; the same text under every protocol."""
    params = {"template": template, CLASSES: ""}
    return Recipe(ClassPrompt.name, ClassPrompt.version, params, inputs={"image": SOURCE})


class ClassPrompt(Imageless):
    """The image's class according to its dataset → text."""

    name = "class_prompt"
    version = 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the names of ImageNet's classes by number and by synset."""
        from timm.data.imagenet_info import ImageNetInfo

        known: Any = ImageNetInfo()
        self._template = str(recipe.params["template"])
        self._names: dict[str, str] = {}
        for index, synset in enumerate(known.label_names()):
            first = known.index_to_description(index).split(",")[0].strip()
            self._names |= {str(index): first, synset: first}

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """Prompts. Raises UserError for an image whose class is unknown or is not one of ImageNet's."""
        return [self._template.replace("[CLS]", self._class_name(request)) for request in requests]

    def _class_name(self, request: Request) -> str:
        code = request.class_name
        if code and not CODE.fullmatch(code):
            return code
        if code not in self._names:
            raise UserError(
                f"Image {request.image_id[:8]} has no class for the prompt.",
                f"Its dataset gives {code!r}, which is not an ImageNet class." if code else "Its class is unknown.",
                "See docs/paper-settings.md for the tables that can give its class.",
            )
        return self._names[code]


ENGINE = ClassPrompt
