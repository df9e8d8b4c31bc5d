"""Effort: trains the smallest singular value of each attention weight of CLIP, the rest stays fixed (ICML 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import crop, tiled
from bench.detector import Card, Detector, Sample, Schedule, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``codebase``: ``ufd`` (the authors' for generated images, one logit) or ``deepfakebench`` (two logits).

    ``rank``: number of smallest singular values of each weight that are trained. ``crop_size``: side of CLIP's input.
    ``load_size``: with ``ufd``, images with a shorter side are repeated until both sides have it. ``interpolation``:
    with ``deepfakebench``, how test images are resized; training is always cubic.
    """

    codebase: Literal["ufd", "deepfakebench"] = "ufd"
    rank: int = 1
    load_size: int = 256
    crop_size: int = 224
    interpolation: Literal["cubic", "linear"] = "cubic"
    lr: float = 2e-4
    weight_decay: float = 0.0
    epochs: int = 1
    batch_size: int = 48

    def __post_init__(self) -> None:
        if self.codebase == "ufd" and self.crop_size > self.load_size:
            raise ValueError(f"crop_size, {self.crop_size}, must be at most load_size, {self.load_size}")


#: The configuration of the DeepfakeBench code base.
_BENCH = {"codebase": "deepfakebench", "weight_decay": 5e-4, "epochs": 11, "batch_size": 32}


class Effort(Detector):
    """CLIP's image tower, of whose attention weights the smallest singular value is trained, and a linear head."""

    card = Card(
        title="Effort",
        year=2025,
        paper="Yan et al.: Orthogonal Subspace Decomposition for Generalizable AI-Generated Image Detection, "
        "ICML 2025, arXiv 2411.15633",
        code="YZY-stack/Effort-AIGI-Detection@96f5dea",
        licence="CC BY-NC 4.0 (a badge in the README, no licence file); reimplemented from the paper and the layers",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 224 without resizing, images below 256 repeated; OpenCV for "
        "`deepfakebench`: resized to 224 x 224, bicubic, and for `demo` bilinear, both without antialiasing",
        version=1,
        weights={"clip_vit_l14": "encoder, whose smallest singular values are trained"},
        deviations=(
            "the default is the authors' code that builds on UniversalFakeDetect and trains on ProGAN; `deepfakebench` "
            "is their code for faces, with which they also trained on GenImage, by a configuration that is not "
            "published; the released files have its layout",
            "`deepfakebench` resizes test images by bicubic interpolation, as its data set and its test script do; "
            "`demo` by bilinear interpolation, as the command of the README does: scores differ",
            "the official results are of step 18 000 in batches of 48, 1.2 epochs of ProGAN's training set; here one "
            "epoch",
            "`deepfakebench` keeps the best epoch by validation accuracy; the official script by AUC on the test sets, "
            "looked at twice an epoch; its losses for orthogonality and singular values are commented out, and left "
            "out here",
            "faces are not searched for and aligned, which the official code does for FaceForensics++",
            "the factors `S_r`, `U_r` and `V_r` of the fixed part, which only the unused losses need, are not kept; "
            "the released files lack them too, which is why the official test script cannot load these",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "deepfakebench": _BENCH,
        "demo": {**_BENCH, "interpolation": "linear"},
    }

    @property
    def _one(self) -> bool:
        """Whether the head has one logit."""
        return bool(self.params.codebase == "ufd")

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the tower, decomposed if its weights are given, and the head; with one logit from N(0, 0.02)."""
        from torch.nn.init import normal_

        from methods._shared.tuned_clip import Effort as Network

        network = Network(weights.get("clip_vit_l14"), 1 if self._one else 2, self.params.rank)
        if self._one:
            normal_(network.head.weight, 0, 0.02)
        return network

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A released or saved file of either code base, which contains the whole tower."""
        from methods._shared.tuned_clip import effort_state

        return effort_state(state)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation.

        With ``ufd`` never resized: training crops at random and flips. With ``deepfakebench`` resized to a square, then
        in training augmented.
        """
        import cv2

        from methods._shared.clip import MEAN, STD
        from methods._shared.deepfakebench import augmented
        from methods._shared.tensors import normalised

        p, train = self.params, stage == "train"
        if self._one:
            rgb = crop(tiled(sample.rgb, p.load_size), p.crop_size, rng if train else None)
            return {"image": normalised(rgb[:, ::-1] if train and rng.random() < 0.5 else rgb, MEAN, STD)}
        cubic = train or p.interpolation == "cubic"
        resized = cv2.resize(
            sample.rgb, (p.crop_size,) * 2, interpolation=cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
        )
        rgb = np.asarray(resized, np.uint8)
        return {"image": normalised(augmented(rgb, rng) if train else rgb, MEAN, STD)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the cross-entropy, binary with one logit."""
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        logits = model(batch["image"])
        if self._one:
            return binary_cross_entropy_with_logits(logits[:, 0], batch["label"].float())
        return cross_entropy(logits, batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the logit, or the difference of the two, fake minus real."""
        logits: Tensor = model(batch["image"])
        return logits[:, 0] if self._one else logits[:, 1] - logits[:, 0]

    def schedule(self) -> Schedule:
        """AdamW and the last epoch, or Adam and the best one; the learning rate is fixed."""
        p = self.params
        kind: Literal["adam", "adamw"] = "adamw" if self._one else "adam"
        return Schedule(p.epochs, p.batch_size, kind, p.lr, weight_decay=p.weight_decay, keep_best=not self._one)


METHOD = Effort
