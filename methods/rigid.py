"""RIGID: how far a little noise moves an image's embedding by DINOv2 (arXiv 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.artefacts.engines import noise_shift
from bench.detector import Card, Sample, Stage, TrainingFree
from bench.recipe import Recipe


@dataclass(frozen=True)
class Params:
    """``size``: side of DINOv2's input, a multiple of its patch. ``strength``: the noise's standard deviation.

    The noise is added to the normalised image, where 0.05 is about 0.011 of the range of a pixel.
    """

    size: int = 224
    strength: float = 0.05


class Rigid(TrainingFree):
    """One minus the cosine of the embeddings of an image with and without noise; nothing is trained."""

    card = Card(
        title="RIGID",
        year=2024,
        paper="He et al.: RIGID: A Training-Free and Model-Agnostic Framework for Robust AI-Generated Image "
        "Detection, arXiv 2405.20112",
        code="tbtiberiu/RIGID@48ee868",
        licence="Apache-2.0; reimplemented",
        pretraining="DINOv2 ViT-L/14 without registers (142 M images of LVD-142M, no labels)",
        label_convention="larger = fake (one minus the similarity; the official code has real images as 1)",
        geometry="torchvision: resized to 224 x 224 without keeping the aspect ratio, bilinear",
        version=1,
        deviations=(
            "the code is a fork that keeps the detector of IBM's release (commit 55af3cc) as it was",
            "noise is drawn per image; in the official code it comes from one generator on the GPU, so it depends on "
            "the order of the images, which are shuffled",
            "position embeddings are resampled as torch.hub's DINOv2 does, by a scale factor with an offset of 0.1; "
            "transformers' Dinov2Model, whose file is used, resamples them to a size, which gives other scores",
            "cosines are computed in double precision of single-precision features, because they are near one",
            "every image is scored; the official code stops after 1,024 images of a set",
            "the official AP and FPR at 95 % TPR have real images as the positive class; AUC is the same either way",
            "the official code has no threshold (its percentile of 5 is not used): one is calibrated on the training "
            "images, and the direction stays",
        ),
    )
    Params = Params
    in_all = False

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The shift of an image."""
        return {"shift": noise_shift.recipe(size=self.params.size, strength=self.params.strength)}

    def value(self, sample: Sample) -> float:
        """Return the shift."""
        return float(sample.artefacts["shift"])


METHOD = Rigid
