"""AlignedForensics: photographs against themselves after an autoencoder (ICLR 2025), and Stay-Positive (ICML 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.engines import autoencoder
from bench.artefacts.geometry import crop_to_multiple
from bench.detector import Card, Detector, Example, Plateau, Sample, Schedule, Share, Stage
from bench.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``synchronised``: a photograph and its twin are in one batch, augmented alike.

    ``stay_positive``: only the last layer is trained, without negative weights, on the network of ``sync``.
    ``crop_size``: side of a training crop. ``resize_size``: side to which a random part of a training image is resized.
    ``hole``: side of the square that is cut out. ``*_prob``: how often a training image is resized, recoloured, greyed,
    cut out, given noise, blurred and compressed. ``dropout``: of the pooled features. ``depths`` and ``width`` define
    the ResNet. ``patience``: epochs without a gain after which the learning rate falls.
    """

    synchronised: bool = False
    stay_positive: bool = False
    crop_size: int = 96
    resize_size: int = 256
    hole: int = 48
    resize_prob: Share = 0.2
    jitter_prob: Share = 0.8
    grey_prob: Share = 0.2
    cutout_prob: Share = 0.2
    noise_prob: Share = 0.2
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    dropout: Share = 0.5
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    lr: float = 1e-4
    patience: int = 10
    epochs: int = 1000
    batch_size: int = 128


_STAY_POSITIVE = {"synchronised": True, "stay_positive": True, "dropout": 0.0, "patience": 5, "batch_size": 512}


class AlignedForensics(Detector):
    """A ResNet-50 at full resolution, whose fakes are photographs after the autoencoder of latent diffusion."""

    card = Card(
        title="AlignedForensics",
        year=2025,
        paper="Rajan et al.: Aligned Datasets Improve Detection of Latent Diffusion-Generated Images, ICLR 2025, "
        "arXiv 2410.11835; stay_positive: Rajan et al.: Stay-Positive: A Case for Ignoring Real Image Features in Fake "
        "Image Detection, ICML 2025, arXiv 2502.07778",
        code="AniSundar18/AlignedForensics@e4cc011",
        licence="Apache-2.0 (files of GRIP-UNINA); none stated for the rest and the weights",
        pretraining="ImageNet-1k (ResNet-50); the autoencoder of latent diffusion (LAION) for the fakes",
        label_convention="1 = fake",
        geometry="native size: neither resized nor cropped; a training view is a crop of 96",
        version=1,
        weights={"resnet50": "backbone", "aligned_forensics_sync": "frozen backbone of the variant stay_positive"},
        deviations=(
            "generated images of the training set are not used, as in the official code: the fakes are photographs "
            "after the autoencoder; generated images of the validation split choose the best epoch",
            "the autoencoder's noise is drawn per image; the official code draws it anew from one seed for each batch, "
            "so it depends on an image's place in a batch",
            "the autoencoder sees the centre whose sides are multiples of 8; the official one loses the rest at the "
            "bottom and the right, which shifts the two crops of a pair in `sync`: here both have the same pixels",
            "in `sync` each pair has an augmentation of its own; the official code seeds by the second, so all pairs "
            "that are read within a second share one",
            "validation images are whole; the official ones are augmented and cropped like training images, counted by "
            "balanced accuracy, and also looked at before the first epoch",
            "`stay_positive` starts from the authors' file of `sync`, or from one of yours given as a weight; as in "
            "their code, statistics of batch norms go on changing although the backbone is frozen",
        ),
    )
    Params = Params
    in_all = False
    ragged = True
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sync": {"synchronised": True, "batch_size": 64},
        "stay_positive": _STAY_POSITIVE,
    }

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The twin of every training image; none in testing."""
        return {"twin": autoencoder.recipe("ldm_vae")} if stage == "train" else {}

    def examples(self) -> Sequence[Example]:
        """Photographs, and their twins as fakes; or pairs of both."""
        if self.params.synchronised:
            return (Example(of=(0,), label=0, paired=True),)
        return (Example(of=(0,), label=0), Example("twin", of=(0,), label=1))

    def roles(self) -> Sequence[str]:
        """ImageNet's weights, or those of `sync`."""
        return ("aligned_forensics_sync",) if self.params.stay_positive else ("resnet50",)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with one logit, on a pretrained trunk; for `stay_positive` with a new last layer alone."""
        from bench.nets.full_resolution import FullResolution
        from bench.nets.resnet import load_imagenet

        p = self.params
        network = FullResolution(p.depths, p.width, p.dropout)
        for folder in (weights[role] for role in self.roles() if role in weights):
            load_imagenet(network, folder)
        if p.stay_positive:
            network.requires_grad_(False)
            for parameter in network.fc.requires_grad_(True).parameters():
                parameter.data.zero_()
        return network

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """In testing ``full``: float [3, H, W], ImageNet's mean and standard deviation; ``size``: (H, W), int64 [2].

        In training ``image``: float [3, crop_size, crop_size], or [2, 3, crop_size, crop_size] of a photograph and its
        twin.
        """
        import torch

        from methods._shared.aligned import train_view
        from methods._shared.tensors import imagenet

        p, rgb = self.params, sample.rgb
        if stage == "test":
            return {"full": imagenet(rgb), "size": torch.tensor(rgb.shape[:2])}
        if not p.synchronised:
            return {"image": imagenet(train_view(rgb, p, rng))}
        pair = (crop_to_multiple(rgb, autoencoder.MULTIPLE), sample.artefacts["twin"])
        seed = int(rng.integers(2**63))
        views = [imagenet(train_view(image, p, np.random.default_rng(seed))) for image in pair]
        return {"image": torch.stack(views)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the binary cross-entropy of the logits; in pairs the photograph is first."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        self._stay_positive(model)
        images, labels = batch["image"], batch["label"]
        if self.params.synchronised:
            labels = labels.new_tensor([0, 1]).repeat(len(images))
            images = images.flatten(0, 1)
        return binary_cross_entropy_with_logits(model(images)[:, 0], labels.float())

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit, image by image at its own size; positive means fake."""
        import torch

        self._stay_positive(model)
        sizes = batch["size"].tolist()
        whole = [image[None, :, :height, :width] for image, (height, width) in zip(batch["full"], sizes, strict=True)]
        return torch.cat([model(image)[:, 0] for image in whole])

    def _stay_positive(self, model: nn.Module) -> None:
        """Set negative weights of the last layer to 0, after every step: the next loss or logit is the first to see."""
        if self.params.stay_positive:
            model.get_parameter("fc.weight").data.clamp_(min=0)

    def schedule(self) -> Schedule:
        """Adam, its learning rate divided by ten after ``patience`` epochs without a gain, down to 1e-6."""
        p = self.params
        rule = Plateau(p.patience, gains=(0.001, 0.001))
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule)


METHOD = AlignedForensics
