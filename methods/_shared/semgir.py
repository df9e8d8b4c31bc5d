"""Settings, geometry, loss and schedule shared by SemGIR's detection and attribution.

Importing this module does not import torch.
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
    """Parameters that both methods share.

    ``regenerator``: role of the text-to-image model. ``sd_size``, ``sd_steps`` and ``guidance_scale``: its image side
    in pixels, its sampling steps and its guidance scale. ``image_size``: side of CLIP's input. ``encoder``: ``tuned``
    trains CLIP with learning rate ``encoder_lr`` (the classifier has ``lr``), ``frozen`` does not train it.
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
        """The arguments of the text-to-image engine."""
        sampler = {"steps": self.sd_steps, "guidance_scale": self.guidance_scale}
        return {"role": self.regenerator, "size": self.sd_size, **sampler}


class Regenerating(Detector):
    """A detector of pairs: an image, and the image that a text-to-image model generates from its caption."""

    def tower(self, folder: Path | None) -> ClipResNet:
        """Return the image tower of CLIP RN50x4, with random weights if ``folder`` is None."""
        from bench.nets.clip_resnet import RN50X4, ClipResNet, load_clip_resnet

        return ClipResNet(RN50X4) if folder is None else load_clip_resnet(folder, RN50X4)

    def prepared(self, rgb: RGB) -> Tensor:
        """Resize the shorter side (bicubic), crop the centre, normalise as CLIP: float [3, image_size, image_size]."""
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        side = self.params.image_size
        return normalised(crop(resize_short_side(rgb, side, Image.Resampling.BICUBIC), side, None), MEAN, STD)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``regenerated``: float [3, image_size, image_size], CLIP's mean and standard deviation."""
        return {"image": self.prepared(sample.rgb), "regenerated": self.prepared(sample.artefacts["regenerated"])}

    def logits(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the logits [B, 2] of the classes 0 and 1."""
        logits: Tensor = model(batch["image"], batch["regenerated"])
        return logits

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the cross-entropy (Eq. 7)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(self.logits(model, batch), batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the difference of the two logits, class 1 minus class 0."""
        negative, positive = self.logits(model, batch).unbind(1)
        difference: Tensor = positive - negative
        return difference

    def schedule(self) -> Schedule:
        """Adam, with a separate learning rate for the encoder; the epoch with the best validation accuracy is kept."""
        p = self.params
        factors = {"encoder.": p.encoder_lr / p.lr}
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, rate_factors=factors, keep_best=True)
