"""FatFormer: a frozen CLIP with adapters, compared with prompts that each image changes (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from bench.artefacts.geometry import crop
from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``load_size``: side to which images are resized. ``crop_size``: side of CLIP's input.

    ``adapters``: number of adapters, which must divide the number of CLIP's blocks. ``contexts``: learned tokens of a
    prompt. ``real``, ``fake`` and ``marks``: token numbers of "real." and "fake.", and of the start and the end of a
    text. ``heads``: of the attentions between images and texts. ``step_size``: epochs after which the learning rate is
    divided by ten.
    """

    load_size: int = 256
    crop_size: int = 224
    adapters: int = 3
    contexts: int = 8
    real: tuple[int, ...] = (1532, 269)
    fake: tuple[int, ...] = (5777, 269)
    marks: tuple[int, int] = (49406, 49407)
    heads: int = 12
    lr: float = 4e-4
    step_size: int = 10
    epochs: int = 25
    batch_size: int = 256

    def __post_init__(self) -> None:
        if self.crop_size > self.load_size:
            raise ValueError(f"crop_size, {self.crop_size}, must be at most load_size, {self.load_size}")


class FatFormer(recipes.TwoLogits):
    """Similarities of a frozen CLIP between adapted images and two learned prompts, which each image changes."""

    card = Card(
        title="FatFormer",
        year=2024,
        paper="Liu et al.: Forgery-aware Adaptive Transformer for Generalizable Synthetic Image Detection, CVPR 2024, "
        "arXiv 2312.16649",
        code="Michel-liu/FatFormer@febc24c",
        licence="Apache-2.0",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="0 = real, 1 = fake",
        geometry="torchvision: resized to 256 x 256 without keeping the aspect ratio, bilinear, centre crop 224",
        version=1,
        weights={"clip_vit_l14": "encoders"},
        deviations=(
            "the authors published no code for training; this recipe is ours: images resized to 256 x 256, cropped at "
            "random and flipped, Adam at 4e-4, a tenth of it every 10 epochs, 25 epochs, the last of which is kept. "
            "4e-4 is the paper's rate according to the authors' issue 12, whose writer needed 2e-5 to converge",
            "CLIP is frozen in training, its scale of the logits included; in testing it is the copy in the released "
            "file, unless the user names another",
            "a prompt is cut after its end, which changes nothing, because CLIP's text half looks back only",
            "three adapters, as in the authors' command; the default of their script is eight",
            "images have ImageNet's mean and standard deviation and not CLIP's, as in the official code",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the adapters, the prompts and the attentions, with both halves of a frozen CLIP."""
        from bench.nets.clip import logit_scale
        from bench.nets.clip_text import text_tower_of_hub
        from methods._shared import fatformer
        from methods._shared.clip import ImageEncoder

        p, folder = self.params, weights["clip_vit_l14"]
        prompts = fatformer.Prompts(p.contexts, p.marks, (p.real, p.fake))
        halves = ImageEncoder(folder), text_tower_of_hub(folder)
        return fatformer.FatFormer(*halves, logit_scale(folder), prompts, p.adapters, p.heads)

    def companions(self) -> Sequence[str]:
        """CLIP, which stays frozen; the released file contains a copy."""
        return ("clip_vit_l14",)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file without its copy of CLIP and the second names of its tensors."""
        from methods._shared import fatformer

        return fatformer.own(fatformer.once(state))

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """Both halves of CLIP in the released file."""
        from methods._shared import fatformer

        return {"clip_vit_l14": fatformer.clip_of(fatformer.once(state))}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the CLIP in the released file differs from the frozen one; '' if it does not."""
        from methods._shared import fatformer
        from methods._shared.clip import unlike

        copy = fatformer.clip_of(fatformer.once(state))
        copy.pop("logit_scale", None)
        return unlike(model.frozen_state(), copy) if isinstance(model, fatformer.FatFormer) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and standard deviation.

        Both sides are resized to ``load_size``. Training crops at random and flips; testing crops the centre.
        """
        from methods._shared.tensors import imagenet

        p, train = self.params, stage == "train"
        rgb = np.asarray(Image.fromarray(sample.rgb).resize((p.load_size,) * 2, Image.Resampling.BILINEAR))
        rgb = crop(rgb, p.crop_size, rng if train else None)
        return {"image": imagenet(rgb[:, ::-1] if train and rng.random() < 0.5 else rgb)}

    def schedule(self) -> Schedule:
        """Adam whose learning rate is divided by ten every ``step_size`` epochs; the last epoch is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, step_size=p.step_size, gamma=0.1)


METHOD = FatFormer
