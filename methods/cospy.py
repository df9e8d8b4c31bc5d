"""CO-SPY: a frozen encoder for what is shown, a reconstruction error for how it was made (CVPR 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import RGB, Card, Detector, Sample, Schedule, Share, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


#: Where the weights and the bias of the fusion start; the bias is also its lower bound.
FUSION = {"sd": (0.5, 2.0), "progan": (0.0, 0.0)}


@dataclass(frozen=True)
class Params:
    """``family``: ``sd`` (SigLIP, and the error of Stable Diffusion's VAE) or ``progan`` (CLIP, and NPR).

    ``load_size`` and ``crop_size``: shorter side and crop of the semantic view, and of the image in testing.
    ``artifact_load`` and ``artifact_crop``: those of the artefact view in training; in testing it is the image, shrunk
    to ``artifact_crop``. In training: ``blur_prob``, ``jpg_prob`` and ``artifact_jpg_prob``, how often the views are
    blurred and compressed, the artefact view at one of the ``qualities``; ``mix_prob`` and ``mix_alpha``, how often the
    encoder's features are mixed and how much. ``depths`` and ``width`` define the ResNet of the artefact branch; the
    defaults are the first two layers of ResNet-50. ``fusion_lr``: learning rate of the fusion of the two logits.
    ``cosine``: half period of the learning rate, in epochs; with ``progan`` it falls by ``gamma`` after every
    ``step_size`` epochs instead.
    """

    family: Literal["sd", "progan"] = "sd"
    load_size: int = 384
    crop_size: int = 384
    artifact_load: int = 256
    artifact_crop: int = 224
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    artifact_jpg_prob: Share = 0.5
    qualities: tuple[int, int] = (70, 95)
    mix_prob: Share = 0.5
    mix_alpha: float = 0.2
    depths: tuple[int, int] = (3, 4)
    width: int = 64
    lr: float = 1e-4
    fusion_lr: float = 0.1
    cosine: int = 20
    step_size: int = 10
    gamma: float = 0.9
    epochs: int = 20
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.load_size < self.crop_size or self.artifact_load < self.artifact_crop:
            raise ValueError("load_size and artifact_load must not be smaller than the crops")


class CoSpy(Detector):
    """A linear layer on SigLIP, a small ResNet on the error of a VAE, and two weights that add their logits."""

    card = Card(
        title="CO-SPY",
        year=2025,
        paper="Cheng et al.: CO-SPY: Combining Semantic and Pixel Features to Detect Synthetic Images by AI, "
        "CVPR 2025, arXiv 2503.18286",
        code="Megum1/CO-SPY@310d048",
        licence="MIT",
        pretraining="SigLIP SO400M/14 (WebLI); Stable Diffusion v1.4's VAE; `progan`: CLIP ViT-L/14 (OpenAI's 400 M "
        "image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: shorter side 384, bilinear, centre crop 384; for the VAE shrunk to 224, bilinear "
        "without antialiasing (`progan`: shorter side 256, centre crop 224, for both branches)",
        version=1,
        weights={
            "siglip_so400m": "semantic encoder, frozen",
            "sd1_vae": "VAE of the artefact branch, frozen",
            "clip_vit_l14": "semantic encoder of `progan`, frozen",
        },
        deviations=(
            "both branches and their fusion are trained at once for 20 epochs, by the sum of losses of which none "
            "trains the others' weights; the official script trains them one after another, for 20, 10 and 1 epochs",
            "the fusion is trained on the training images; officially on the validation images that also choose it",
            "the learning rate falls along a cosine from epoch to epoch down to 0; the official one changes at every "
            "step and ends at its first value divided by the number of epochs. With `progan` it falls after every 10 "
            "epochs, officially after the 11th, 21st …",
            "validation images are prepared as in testing; the official script crops them at random and, for the "
            "semantic branch of `sd`, blurs and compresses half of them",
            "test images are not compressed; the official loader of Co-Spy-Bench encodes all as JPEG of quality 95",
            "the test crop is the centre; the first code that the authors published crops at random in testing too",
            "the VAE gets pixels in 0…1, where it was trained on −1…1, as in the official code. Its reconstruction is "
            "computed in the network and not stored: training views are random, and 8 bits would round what is then "
            "multiplied by 14",
            "the authors release three files, whose names of tensors coincide. A checkpoint is the three in one, with "
            "`sem.`, `art.` and nothing before the names of the semantic, artefact and fusion weights, as in the "
            "authors' fusion network",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "progan": {"family": "progan", "load_size": 256, "crop_size": 224, "artifact_jpg_prob": 0.0, "mix_prob": 0.0}
    }

    def roles(self) -> Sequence[str]:
        """The encoder, and the VAE unless the family is ``progan``."""
        return ("clip_vit_l14",) if self.params.family == "progan" else ("siglip_so400m", "sd1_vae")

    def companions(self) -> Sequence[str]:
        """All pretrained networks, which stay frozen."""
        return self.roles()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return both branches and their fusion, with frozen networks."""
        from bench.nets.truncated_resnet import Shape
        from methods._shared import cospy

        p, (encoder, *vae) = self.params, self.roles()
        folders = weights[encoder], weights[vae[0]] if vae else None
        return cospy.build(*folders, Shape(p.depths, p.width), *FUSION[p.family])

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The state of the authors' fusion network, with or without the frozen networks."""
        from methods._shared.cospy import ours

        return ours(state)

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the VAE in the checkpoint differs from the frozen one; '' if it does not."""
        from methods._shared import cospy

        return model.other_vae(state) if isinstance(model, cospy.CoSpy) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``semantic`` and ``artifact``: float [3, S, S] of ``crop_size`` and ``artifact_crop``, drawn independently.

        The first is normalised for the encoder; the second is in 0…1, with ``progan`` ImageNet's mean and std.
        """
        from methods._shared.cospy import normalised
        from methods._shared.tensors import chw

        p = self.params
        if stage == "test":
            image = chw(crop(resize_short_side(sample.rgb, p.load_size), p.crop_size, None))
            return normalised(image, image, p.artifact_crop, p.family)
        semantic, artifact = self._drawn(sample.rgb, rng)
        return normalised(chw(semantic), chw(artifact), p.artifact_crop, p.family)

    def _drawn(self, rgb: RGB, rng: np.random.Generator) -> list[RGB]:
        """Two training views: resized, blurred, compressed; and compressed, resized. Both are cropped and flipped."""
        from methods._shared.augment import blur_or_jpeg

        p = self.params
        semantic = blur_or_jpeg(resize_short_side(rgb, p.load_size), p.blur_prob, p.jpg_prob, rng)
        qualities = range(p.qualities[0], p.qualities[1] + 1)
        artifact = resize_short_side(blur_or_jpeg(rgb, 0.0, p.artifact_jpg_prob, rng, qualities), p.artifact_load)
        crops = crop(semantic, p.crop_size, rng), crop(artifact, p.artifact_crop, rng)
        return [x[:, ::-1] if rng.random() < 0.5 else x for x in crops]

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of the binary cross-entropies of both branches and of their fusion."""
        from methods._shared import cospy

        p, inputs = self.params, (batch["semantic"], batch["artifact"], batch["label"])
        return cospy.loss(model, *inputs, (p.mix_prob, p.mix_alpha), FUSION[p.family][1])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the fused logit; positive means fake."""
        logits: Tensor = model(batch["semantic"], batch["artifact"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW without weight decay; the best epoch by validation accuracy is kept."""
        p = self.params
        steps: dict[str, Any] = {"step_size": p.step_size, "gamma": p.gamma}
        rate = steps if p.family == "progan" else {"cosine": p.cosine}
        factors = {"fc.": p.fusion_lr / p.lr}
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, keep_best=True, rate_factors=factors, **rate)


METHOD = CoSpy
