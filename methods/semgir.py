"""SemGIR: an image beside what a text-to-image model makes of its caption (ACM MM 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from bench.detector import RGB, Card, Detector, Sample, Schedule, Stage
from bench.kit.geometry import crop, resize_short_side
from bench.recipe import Recipe
from bench.recon.engines import blip, txt2img

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``regenerator``: role of the text-to-image model; ``sd_size``, ``sd_steps``, ``guidance_scale``: its settings.

    ``image_size``: CLIP's input. ``encoder``: whether CLIP is fine-tuned, at ``encoder_lr`` (the classifier at ``lr``),
    or frozen. ``regeneration`` False classifies the image alone.
    """

    regenerator: Literal["sdv15", "sdv21"] = "sdv15"
    sd_size: int = 512
    sd_steps: int = 50
    guidance_scale: float = 7.5
    image_size: int = 288
    encoder: Literal["tuned", "frozen"] = "tuned"
    regeneration: bool = True
    lr: float = 1e-4
    encoder_lr: float = 1e-5
    epochs: int = 20
    batch_size: int = 32


class SemGIR(Detector):
    """CLIP RN50x4 reads the image and its regeneration; two layers compare them."""

    card = Card(
        title="SemGIR",
        paper="Yu et al.: SemGIR: Semantic-Guided Image Regeneration Based Method for AI-generated Image Detection and "
        "Attribution, ACM MM 2024, doi 10.1145/3664647.3680776",
        code="none published",
        licence="none",
        pretraining="CLIP RN50x4 (OpenAI's 400 M image-text pairs); BLIP base; Stable Diffusion v1.5",
        label_convention="0 = fake, 1 = real; here 1 = fake",
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
        """The regeneration of every image."""
        p = self.params
        if not p.regeneration:
            return {}
        settings = {"steps": p.sd_steps, "guidance_scale": p.guidance_scale, "size": p.sd_size}
        return {"regenerated": txt2img.recipe(blip.recipe(), role=p.regenerator, **settings)}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """The classifier on CLIP's image tower."""
        from bench.nets.clip_resnet import RN50X4, ClipResNet, load_clip_resnet
        from methods._parts.pairs import Pair

        p = self.params
        folder = weights.get("clip_rn50x4")
        tower = ClipResNet(RN50X4) if folder is None else load_clip_resnet(folder, RN50X4)
        return Pair(tower, p.encoder == "frozen", not p.regeneration)

    def _prepared(self, rgb: RGB) -> Tensor:
        from methods._parts.clip import MEAN, STD
        from methods._parts.tensors import normalised

        side = self.params.image_size
        return normalised(crop(resize_short_side(rgb, side, Image.Resampling.BICUBIC), side, None), MEAN, STD)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``regenerated``: float [3, image_size, image_size], CLIP's mean and deviation."""
        image = self._prepared(sample.rgb)
        if not self.params.regeneration:
            return {"image": image, "regenerated": image}
        return {"image": image, "regenerated": self._prepared(sample.artefacts["regenerated"])}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy (Eq. 7)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(model(batch["image"], batch["regenerated"]), batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Difference of the two logits."""
        real, fake = model(batch["image"], batch["regenerated"]).unbind(1)
        difference: Tensor = fake - real
        return difference

    def schedule(self) -> Schedule:
        """Adam; the encoder at a rate of its own."""
        p = self.params
        own = {"encoder.": p.encoder_lr / p.lr}
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, rate_factors=own, keep_best=True)


METHOD = SemGIR
