"""SemGIR: an image beside what a text-to-image model makes of its caption (ACM MM 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.engines import blip, txt2img
from bench.detector import Card, Sample, Stage
from bench.recipe import Recipe
from methods._shared.semgir import Regenerating, Settings

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params(Settings):
    """Text-to-image settings, CLIP's input and rates; ``regeneration`` False classifies the image alone."""

    regeneration: bool = True


class SemGIR(Regenerating):
    """CLIP RN50x4 reads the image and its regeneration; two layers compare them."""

    card = Card(
        title="SemGIR",
        year=2024,
        paper="Yu et al.: SemGIR: Semantic-Guided Image Regeneration Based Method for AI-generated Image Detection and "
        "Attribution, ACM MM 2024, doi 10.1145/3664647.3680776",
        code="none published",
        licence="none",
        pretraining="CLIP RN50x4 (OpenAI's 400 M image-text pairs); BLIP base; Stable Diffusion v1.5",
        label_convention="0 = fake, 1 = real; here 1 = fake",
        geometry="torchvision, as OpenAI's CLIP: shorter side 288, bicubic, centre crop 288; the paper names none",
        version=1,
        weights={"clip_rn50x4": "encoder, fine-tuned"},
        deviations=(
            "the paper leaves open: BLIP's size (base), the sampler (DDIM, 50 steps, guidance 7.5, 512 px), the seed "
            "(one noise an image), geometry (bicubic to a shorter side of 288, centre crop), the number of epochs "
            "(20, the best by validation accuracy)",
            "whether the encoder learns is said in two ways; it does at a tenth of the classifier's rate with fixed "
            "batch norms, and the variant frozen keeps it",
            "Stable Diffusion v1.5 from stable-diffusion-v1-5/stable-diffusion-v1-5: the paper's repository is gone",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frozen": {"encoder": "frozen"},
        "sdv21": {"regenerator": "sdv21"},
        "image_only": {"regeneration": False},
    }

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The regeneration of every image, unless it is left out."""
        p = self.params
        return {"regenerated": txt2img.recipe(blip.recipe(), **p.drawn)} if p.regeneration else {}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """The classifier on CLIP's image tower."""
        from methods._shared.pairs import Pair

        p = self.params
        return Pair(self.tower(weights.get("clip_rn50x4")), p.encoder == "frozen", not p.regeneration)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``regenerated``: float [3, image_size, image_size]; the image twice where it stands alone."""
        if self.params.regeneration:
            return super().view(sample, stage, rng)
        image = self.prepared(sample.rgb)
        return {"image": image, "regenerated": image}


METHOD = SemGIR
