"""SemGIR-A: attributes an image to a generator, by what that generator makes from its caption (ACM MM 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import blip, clip_text, txt2img
from bench.detector import Card, Sample, Stage
from bench.recipe import Recipe
from methods._shared.semgir import Regenerating, Settings

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params(Settings):
    """SemGIR's shared settings; ``regenerator`` is the target generator.

    ``combiner``: ``genecis`` (GeneCIS's CLIP RN50x4 with its trained combiner) or ``fresh`` (OpenAI's CLIP RN50x4 with
    a randomly initialised combiner).
    """

    combiner: Literal["genecis", "fresh"] = "genecis"


class SemGIRA(Regenerating):
    """One classifier per generator: images of the target generator are 1, images of other generators 0."""

    card = Card(
        title="SemGIR-A",
        year=2024,
        paper="Yu et al.: SemGIR: Semantic-Guided Image Regeneration Based Method for AI-generated Image Detection and "
        "Attribution, ACM MM 2024, doi 10.1145/3664647.3680776",
        code="none published; the combiner: facebookresearch/genecis@0c5c968",
        licence="none; the combiner: CC BY-NC 4.0, reimplemented from its description",
        pretraining="CLIP RN50x4 (OpenAI's 400 M image-text pairs) fine-tuned with its combiner on CC3M (GeneCIS); "
        "BLIP base; the target generator",
        label_convention="1 = the target generator",
        geometry="torchvision, as in OpenAI's CLIP: shorter side 288, bicubic, centre crop 288; not given in the paper",
        version=1,
        weights={"genecis": "encoder and combiner", "clip_rn50x4": "encoder of the variants without GeneCIS"},
        deviations=(
            "the paper starts the combiner from `the ResNet50×4 CLIP`, which has no combiner; here it starts from the "
            "encoder and combiner that GeneCIS published, or from random weights with `combiner = fresh`",
            "the embedding of the caption is computed once, because the text encoder is not fine-tuned",
            "the embedding of the regeneration is normalised to unit length, as that of the combiner is",
            "sampler, geometry, epochs and the encoder's learning rate are as on SemGIR's card",
        ),
    )
    Params = Params
    detects = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sdv21": {"regenerator": "sdv21"},
        "fresh": {"combiner": "fresh"},
    }

    @property
    def targets(self) -> tuple[str, ...]:  # type: ignore[override]  # the parameters decide
        """The generator that regenerates the images."""
        return (self.params.regenerator,)

    @property
    def _role(self) -> str:
        return "genecis" if self.params.combiner == "genecis" else "clip_rn50x4"

    def roles(self) -> Sequence[str]:
        """The CLIP that belongs to the chosen combiner."""
        return (self._role,)

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The regeneration of every image, and the embedding of its caption."""
        caption = blip.recipe()
        regenerated = txt2img.recipe(caption, **self.params.drawn)
        return {"regenerated": regenerated, "text": clip_text.recipe(caption, self._role)}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the classifier with CLIP's image tower and the combiner."""
        from bench.nets.combiner import Combiner, load_combiner
        from methods._shared.pairs import Conditioned

        tower = self.tower(weights.get(self._role))
        combiner = Combiner(tower.shape.output)
        if "genecis" in weights:
            load_combiner(combiner, weights["genecis"] / "rn50x4_combiner_head.pt")
        return Conditioned(tower, self.params.encoder == "frozen", combiner)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """SemGIR's two images, and ``text``: float [width], the embedding of the caption."""
        import torch

        text = torch.from_numpy(np.array(sample.artefacts["text"], np.float32))
        return {**super().view(sample, stage, rng), "text": text}

    def logits(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the logits [B, 2] of the classes 0 and 1."""
        logits: Tensor = model(batch["image"], batch["regenerated"], batch["text"])
        return logits


METHOD = SemGIRA
