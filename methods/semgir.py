"""SemGIR: compares an image with the image that a text-to-image model makes from its caption (ACM MM 2024)."""

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
    """The shared settings; ``regeneration`` False classifies the image alone."""

    regeneration: bool = True


class SemGIR(Regenerating):
    """CLIP RN50x4 embeds the image and its regeneration; two linear layers compare the embeddings."""

    card = Card(
        title="SemGIR",
        year=2024,
        paper="Yu et al.: SemGIR: Semantic-Guided Image Regeneration Based Method for AI-generated Image Detection and "
        "Attribution, ACM MM 2024, doi 10.1145/3664647.3680776",
        code="none published",
        licence="none",
        pretraining="CLIP RN50x4 (OpenAI's 400 M image-text pairs); BLIP base; Stable Diffusion v1.5",
        label_convention="0 = fake, 1 = real; here 1 = fake",
        geometry="torchvision, as in OpenAI's CLIP: shorter side 288, bicubic, centre crop 288; not given in the paper",
        version=1,
        weights={"clip_rn50x4": "encoder, fine-tuned"},
        deviations=(
            "chosen here, because the paper does not give them: BLIP's size (base), the sampler (DDIM, 50 steps, "
            "guidance 7.5, 512 px), the seed (one noise per image), the geometry (bicubic resize to a shorter side of "
            "288, centre crop), the number of epochs (20, the best by validation accuracy)",
            "the paper contradicts itself on whether the encoder is trained: it is, at a tenth of the classifier's "
            "learning rate and with fixed batch norms; the variant `frozen` does not train it",
            "Stable Diffusion v1.5 is stable-diffusion-v1-5/stable-diffusion-v1-5; the paper's repository was removed",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frozen": {"encoder": "frozen"},
        "sdv21": {"regenerator": "sdv21"},
        "image_only": {"regeneration": False},
    }
    ablations: ClassVar[tuple[str, ...]] = ("image_only",)

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The regeneration of every image; none if ``regeneration`` is False."""
        p = self.params
        return {"regenerated": txt2img.recipe(blip.recipe(), **p.drawn)} if p.regeneration else {}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the classifier with CLIP's image tower."""
        from methods._shared.pairs import Pair

        p = self.params
        return Pair(self.tower(weights.get("clip_rn50x4")), p.encoder == "frozen", not p.regeneration)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``regenerated``: float [3, image_size, image_size]; the image twice without regeneration."""
        if self.params.regeneration:
            return super().view(sample, stage, rng)
        image = self.prepared(sample.rgb)
        return {"image": image, "regenerated": image}


METHOD = SemGIR
