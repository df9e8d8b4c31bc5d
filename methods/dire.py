"""DIRE: a ResNet-50 on what a diffusion model's inversion and reconstruction leaves out (ICCV 2023)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import adm_inversion, ddim_inversion, sd_inpaint
from bench.artefacts.geometry import center_crop_arr, crop, limit_sides, pad_to_square, resize_short_side
from bench.detector import RGB, Card, Plateau, Sample, Schedule, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``image_size`` and ``steps`` of the reconstruction; ``load_size`` and ``crop_size`` of the classifier's input.

    ``model``: ``sd`` (Stable Diffusion v1.4), ``adm`` (the official pixel model), which clips the predicted image if
    ``clip_denoised``, or ``inpaint`` (DRCT's reconstruction at native size, sides cropped to ``max_size``).
    ``recipe``: ``official``, or ``drct``: its schedule, and native crops of the map. ``depths``, ``width`` and
    ``stride`` shape the ResNet; the defaults are ResNet-50. ``weight_decay`` and ``cosine`` belong to ``drct``.
    """

    model: Literal["sd", "adm", "inpaint"] = "sd"
    recipe: recipes.Name = "official"
    clip_denoised: bool = True
    image_size: int = 256
    max_size: int = 1024
    steps: int = 20
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    pretrained: bool = True
    lr: float = 1e-4
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 400
    batch_size: int = 64


class DIRE(recipes.OneLogit):
    """Sees only |x − x'|, never the image itself."""

    card = Card(
        title="DIRE",
        year=2023,
        paper="Wang et al.: DIRE for Diffusion-Generated Image Detection, ICCV 2023 (arXiv 2303.09295)",
        code="ZhendongWang6/DIRE@1f89fff",
        licence="none stated; written from the paper and the recipe",
        pretraining="ImageNet-1k (ResNet-50); the diffusion model's own data",
        label_convention="1 = fake",
        geometry="guided-diffusion: shorter side 256, centre crop; then torchvision: shorter side 256, centre crop "
        "224 of the map",
        version=2,
        weights={"resnet50": "classifier"},
        deviations=(
            "reconstructs with Stable Diffusion v1.4 and an empty prompt, as the SARE paper's tables do; "
            "the official pixel model is the variant `adm`",
            "with Stable Diffusion no clipping of the predicted x0 and no off-by-one at the last inversion step, "
            "which belong to the official ADM code and to the variant `adm`",
            "maps are taken of 8-bit reconstructions, rounded; the official code truncates a map of floats",
            "reconstructions are kept as PNG whatever the input's container; "
            "the official code writes maps in the input's format, which leaks the class",
            "after a fall of the rate the best checkpoint is kept; the official early stop overwrites it",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "adm": {"model": "adm"},
        "adm_unclipped": {"model": "adm", "clip_denoised": False},
        "drct": {**recipes.DRCT, "model": "inpaint", "steps": 50},
    }

    #: The official code keeps |x − x'| and not x'.
    forms: ClassVar[Mapping[str, str]] = {"map": "reconstruction"}

    def from_form(self, value: Any, rgb: RGB) -> Any:  # noqa: ANN401 - an image
        """A reconstruction with the given absolute difference; one of the two exists at every pixel."""
        image = self._shown(rgb).astype(np.int16)
        if value.shape != image.shape:
            raise ValueError(f"the map is {value.shape}, the image as DIRE sees it {image.shape}")
        below, above = image - value, image + value.astype(np.int16)
        if ((below < 0) & (above > 255)).any():
            raise ValueError(
                "no 8-bit reconstruction has these differences: the map is another image's, or not lossless"
            )
        return np.where(below >= 0, below, above).astype(np.uint8)

    def _shown(self, rgb: RGB) -> RGB:
        """The image as it is reconstructed."""
        p = self.params
        if p.model != "inpaint":
            return center_crop_arr(rgb, p.image_size)
        return limit_sides(rgb, p.max_size)

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The reconstruction of every image, in training and in testing."""
        p = self.params
        if p.model == "inpaint":
            return {"reconstruction": sd_inpaint.recipe(steps=p.steps, max_size=p.max_size)}
        if p.model == "adm":
            return {"reconstruction": adm_inversion.recipe(p.steps, p.image_size, p.clip_denoised)}
        return {"reconstruction": ddim_inversion.recipe(p.steps, p.image_size)}

    def roles(self) -> Sequence[str]:
        """The ImageNet classifier, unless training starts from scratch."""
        return ("resnet50",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """A ResNet with one logit; the head drawn from N(0, 0.02)."""
        from methods._shared.backbones import imagenet_resnet

        return imagenet_resnet(self.params, weights.get("resnet50"))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet-normalised |x − x'|; cropped and flipped in training.

        In DRCT's recipe |x − x'| / 127.5 of a native crop, 0…2, with no other change.
        """
        import torch

        from methods._shared.tensors import imagenet

        p, image = self.params, self._shown(sample.rgb).astype(np.int16)
        difference = np.abs(image - sample.artefacts["reconstruction"]).astype(np.uint8)
        drawn = rng if stage == "train" else None
        if p.recipe == "drct":
            part = crop(pad_to_square(difference, p.crop_size), p.crop_size, drawn, "albumentations")
            return {"image": torch.from_numpy(part.astype(np.float32) / 127.5).permute(2, 0, 1)}
        difference = crop(resize_short_side(difference, p.load_size), p.crop_size, drawn)
        if stage == "train" and rng.random() < 0.5:
            difference = difference[:, ::-1]
        return {"image": imagenet(difference)}

    def checkpoint_hint(self, own: Collection[str]) -> str:
        """The official files were trained on the pixel model's maps."""
        official = "The files that DIRE's authors published were trained on ADM's maps: score those by dire[adm]."
        return official if self.params.model == "sd" else ""

    def schedule(self) -> Schedule:
        """Adam with the CNNDetection early stop on validation accuracy, or DRCT's."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=Plateau())


METHOD = DIRE
