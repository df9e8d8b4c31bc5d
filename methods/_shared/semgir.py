"""What SemGIR's detection and attribution share: settings, geometry, loss and schedule.

Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import RGB, Detector, Sample, Schedule, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.nets.clip_resnet import ClipResNet


@dataclass(frozen=True)
class Settings:
    """``regenerator``: role of the text-to-image model; ``sd_size``, ``sd_steps``, ``guidance_scale``: its settings.

    ``image_size``: CLIP's input. ``encoder``: whether CLIP is fine-tuned, at ``encoder_lr`` (the classifier at ``lr``),
    or frozen.
    """

    regenerator: Literal["sdv15", "sdv21"] = "sdv15"
    sd_size: int = 512
    sd_steps: int = 50
    guidance_scale: float = 7.5
    image_size: int = 288
    encoder: Literal["tuned", "frozen"] = "tuned"
    lr: float = 1e-4
    encoder_lr: float = 1e-5
    epochs: int = 20
    batch_size: int = 32

    @property
    def drawn(self) -> dict[str, Any]:
        """The text-to-image engine's settings."""
        sampler = {"steps": self.sd_steps, "guidance_scale": self.guidance_scale}
        return {"role": self.regenerator, "size": self.sd_size, **sampler}


class Regenerating(Detector):
    """A detector of pairs: an image, and what a text-to-image model makes of its caption."""

    def tower(self, folder: Path | None) -> ClipResNet:
        """CLIP RN50x4's image tower; untrained without a folder."""
        from bench.nets.clip_resnet import RN50X4, ClipResNet, load_clip_resnet

        return ClipResNet(RN50X4) if folder is None else load_clip_resnet(folder, RN50X4)

    def prepared(self, rgb: RGB) -> Tensor:
        """Float [3, image_size, image_size]: bicubic to the shorter side, centre crop, CLIP's normalisation."""
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        side = self.params.image_size
        return normalised(crop(resize_short_side(rgb, side, Image.Resampling.BICUBIC), side, None), MEAN, STD)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``regenerated``: float [3, image_size, image_size], CLIP's mean and deviation."""
        return {"image": self.prepared(sample.rgb), "regenerated": self.prepared(sample.artefacts["regenerated"])}

    def logits(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits [B, 2]."""
        found: Tensor = model(batch["image"], batch["regenerated"])
        return found

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy (Eq. 7)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(self.logits(model, batch), batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Difference of the two logits."""
        negative, positive = self.logits(model, batch).unbind(1)
        difference: Tensor = positive - negative
        return difference

    def schedule(self) -> Schedule:
        """Adam; the encoder at a rate of its own; the best epoch on validation is kept."""
        p = self.params
        own = {"encoder.": p.encoder_lr / p.lr}
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, rate_factors=own, keep_best=True)
