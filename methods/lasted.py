"""LASTED: a CLIP whose two halves are trained to match images with the names of their classes (arXiv 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import RGB, Card, Detector, Sample, Schedule, Share, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``prompts``: names of the classes, of real and synthetic images in turn. ``crop_size``: side of CLIP's input.

    In training: ``change_prob``, how often an image is compressed, blurred, made noisy or grey; ``turn_prob`` and
    ``flip_prob``, how often it is rotated and flipped. ``step_size`` and ``gamma``: the learning rate falls after every
    so many epochs.
    """

    prompts: tuple[str, ...] = ("Real Photo", "Synthetic Photo", "Real Painting", "Synthetic Painting")
    crop_size: int = 448
    change_prob: Share = 0.5
    turn_prob: Share = 0.33
    flip_prob: Share = 0.33
    lr: float = 1e-4
    step_size: int = 5
    gamma: float = 0.5
    epochs: int = 50
    batch_size: int = 48

    def __post_init__(self) -> None:
        if len(self.prompts) < 2 or len(self.prompts) % 2:
            raise ValueError(f"prompts must be pairs of a real and a synthetic class, not {len(self.prompts)} names")


class LASTED(Detector):
    """CLIP RN50x64, trained in full with a contrastive loss between images and four prompts."""

    card = Card(
        title="LASTED",
        year=2023,
        paper="Wu et al.: Generalizable Synthetic Image Detection via Language-guided Contrastive Learning, "
        "arXiv 2305.13800",
        code="HighwayWu/LASTED@dbfb12b",
        licence="MIT",
        pretraining="CLIP RN50x64 (OpenAI's 400 M image-text pairs)",
        label_convention="0 = real photo, 1 = synthetic photo, 2 = real painting, 3 = synthetic painting; "
        "in testing 1 = fake",
        geometry="albumentations: reflection-padded to 448, centre crop 448 without resizing (margins rounded down)",
        version=1,
        weights={"clip_rn50x64": "both towers, all weights fine-tuned"},
        deviations=(
            "the logit compares the prompts of synthetic and of real images, each summed over photographs and "
            "paintings; the official code has no score of one image: it clusters the features of the whole test set in "
            "two, and takes the better naming of the two clusters for accuracy and the cosines of pairs for AUC",
            "the official test removes up to a hundred real images as anchors, at random and though it does not use "
            "them; here every image is tested",
            "all training images are called photographs, because the datasets do not say which are paintings: the two "
            "prompts of paintings have no images, as in the official script with two classes",
            "an epoch is all training images and there are 50, after which the official rate is at its minimum; the "
            "official loop ends an epoch after 1002 batches and is stopped by hand",
            "the learning rate is halved after every 5 epochs; the official scheduler, whose measure is constant, does "
            "so after the 6th, 11th …",
            "the best epoch by validation accuracy is kept; the official script keeps the best by AUC on its test sets",
            "small images are padded by reflection, as by the albumentations of 2023; later versions pad with zeros",
            "the two layers that the released file has after CLIP are never used, and left out",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return CLIP's two towers with the tokens of the prompts."""
        from methods._shared import lasted

        return lasted.build(self.params.prompts, weights.get("clip_rn50x64"))

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file contains CLIP by OpenAI's names below ``clip_model.``, and two unused layers."""
        from methods._shared.lasted import ours

        return ours(dict(state))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and std, reflection-padded if smaller."""
        from methods._shared.tensors import imagenet

        side = self.params.crop_size
        padded = pad_to_square(sample.rgb, side, "reflect")
        if stage == "test":
            return {"image": imagenet(crop(padded, side, None, "albumentations"))}
        return {"image": imagenet(self._augmented(crop(padded, side, rng), rng))}

    def _augmented(self, rgb: RGB, rng: np.random.Generator) -> RGB:
        """Compress, blur, make noisy or grey; then rotate by quarter turns; then flip along one or both axes."""
        from methods._shared import augment

        p = self.params
        if rng.random() < p.change_prob:
            kind = int(rng.integers(4))
            if kind == 0:
                rgb = augment.opencv_jpeg(rgb, int(rng.integers(50, 96)))
            elif kind == 1:
                rgb = augment.gaussian_blur(np.ascontiguousarray(rgb), rng)
            else:
                rgb = (
                    augment.gaussian_noise(rgb, rng, (3, 10)) if kind == 2 else augment.grey(np.ascontiguousarray(rgb))
                )
        if rng.random() < p.turn_prob:
            rgb = np.rot90(rgb, int(rng.integers(4)))
        if rng.random() < p.flip_prob:
            rgb = np.flip(rgb, ((0,), (1,), (0, 1))[int(rng.integers(3))])
        return rgb

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean of the cross-entropies along the image axis and along the text axis."""
        from methods._shared import lasted

        return lasted.loss(model(batch["image"]), batch["label"], 2)

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return log P(synthetic) − log P(real), each summed over its prompts."""
        logits = model(batch["image"])
        odds: Tensor = logits[:, 1::2].logsumexp(1) - logits[:, ::2].logsumexp(1)
        return odds

    def schedule(self) -> Schedule:
        """Adam; the learning rate is halved at regular steps, and the best epoch by validation accuracy is kept."""
        p = self.params
        steps = {"step_size": p.step_size, "gamma": p.gamma}
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, keep_best=True, **steps)


METHOD = LASTED
