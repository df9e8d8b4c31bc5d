"""DIRE: a ResNet-50 on the error of a diffusion model's inversion and reconstruction (ICCV 2023)."""

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
    """``image_size`` and ``steps`` belong to the reconstruction, ``load_size`` and ``crop_size`` to the classifier.

    ``model``: ``sd`` (Stable Diffusion v1.4), ``adm`` (the official pixel-space model), or ``inpaint`` (DRCT's
    reconstruction at native size, with sides cropped to ``max_size``). ``clip_denoised``: whether ``adm`` clips the
    predicted image. ``recipe``: ``official``, or ``drct`` (DRCT's schedule, and crops of the map at native resolution).
    ``depths``, ``width`` and ``stride`` define the ResNet; the defaults are ResNet-50. ``pretrained``: whether training
    starts from ImageNet weights. ``container``: ``png``, or ``input`` for the official script's leak: the map of a JPEG
    file is itself a JPEG. ``weight_decay`` and ``cosine`` apply to ``drct`` only.
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
    container: Literal["png", "input"] = "png"
    epochs: int = 400
    batch_size: int = 64


class DIRE(recipes.OneLogit):
    """A ResNet-50 on the reconstruction error |x − x'|, not on the image itself."""

    card = Card(
        title="DIRE",
        year=2023,
        paper="Wang et al.: DIRE for Diffusion-Generated Image Detection, ICCV 2023 (arXiv 2303.09295)",
        code="ZhendongWang6/DIRE@1f89fff",
        licence="none stated; reimplemented from the paper and its training recipe",
        pretraining="ImageNet-1k (ResNet-50); the diffusion model's own data",
        label_convention="1 = fake",
        geometry="image (guided-diffusion): shorter side 256, centre crop; then map (torchvision): shorter side 256, "
        "centre crop 224",
        version=2,
        weights={"resnet50": "classifier"},
        deviations=(
            "reconstructs with Stable Diffusion v1.4 and an empty prompt, as in the SARE paper's tables; "
            "the official pixel-space model is the variant `adm`",
            "the official ADM code clips the predicted x0 and has an off-by-one at the last inversion step; so does "
            "the variant `adm`, but not the default with Stable Diffusion",
            "maps are computed from reconstructions rounded to 8 bits; the official code truncates a map of floats",
            "reconstructions are stored as PNG for every input format; the official code writes maps in the input's "
            "format, which leaks the class, as does the variant `official_container`",
            "the best checkpoint is kept after a reduction of the learning rate; the official early stop overwrites it",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "adm": {"model": "adm"},
        "adm_unclipped": {"model": "adm", "clip_denoised": False},
        "drct": {**recipes.DRCT, "model": "inpaint", "steps": 50},
        "official_container": {"container": "input"},
    }

    #: The official code stores |x − x'| instead of x'.
    forms: ClassVar[Mapping[str, str]] = {"map": "reconstruction"}

    def from_form(self, value: Any, rgb: RGB) -> Any:  # noqa: ANN401 - an image
        """Return a reconstruction whose absolute difference from the image is ``value``, uint8 [H, W, 3].

        A pixel is image − difference if that is not negative, else image + difference. Raises ValueError if the shapes
        differ, or if some pixel has neither value in 0…255.
        """
        image = self._preprocessed(rgb).astype(np.int16)
        if value.shape != image.shape:
            raise ValueError(f"The map is of shape {value.shape}, but DIRE's input image is of shape {image.shape}")
        below, above = image - value, image + value.astype(np.int16)
        if ((below < 0) & (above > 255)).any():
            raise ValueError(
                "There is no 8-bit reconstruction with these differences: the map belongs to another image or is lossy"
            )
        return np.where(below >= 0, below, above).astype(np.uint8)

    def _preprocessed(self, rgb: RGB) -> RGB:
        """Resize and crop the image as the engine does before the reconstruction."""
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
        """The ImageNet classifier, unless ``pretrained`` is False."""
        return ("resnet50",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a ResNet with one logit, whose head weights are initialised from N(0, 0.02)."""
        from methods._shared.backbones import imagenet_resnet

        return imagenet_resnet(self.params, weights.get("resnet50"))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], |x − x'| with ImageNet's mean and standard deviation.

        Training crops and flips it at random. With recipe ``drct``, it is |x − x'| / 127.5, in 0…2, of a crop at native
        resolution, with no other normalisation or augmentation.
        """
        import torch

        from methods._shared.tensors import imagenet

        p, image = self.params, self._preprocessed(sample.rgb).astype(np.int16)
        difference = np.abs(image - sample.artefacts["reconstruction"]).astype(np.uint8)
        if p.container == "input" and sample.facts.container == "jpeg":
            difference = _as_jpeg(difference)
        crop_rng = rng if stage == "train" else None
        if p.recipe == "drct":
            cropped = crop(pad_to_square(difference, p.crop_size), p.crop_size, crop_rng, "albumentations")
            return {"image": torch.from_numpy(cropped.astype(np.float32) / 127.5).permute(2, 0, 1)}
        difference = crop(resize_short_side(difference, p.load_size), p.crop_size, crop_rng)
        if stage == "train" and rng.random() < 0.5:
            difference = difference[:, ::-1]
        return {"image": imagenet(difference)}

    def checkpoint_hint(self, own: Collection[str]) -> str:
        """The official checkpoints were trained on maps of the pixel-space model."""
        hint = "The checkpoints that DIRE's authors published were trained on ADM's maps. Score them with dire[adm]."
        return hint if self.params.model == "sd" else ""

    def schedule(self) -> Schedule:
        """Adam with CNNDetection's early stop on validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=Plateau())


def _as_jpeg(difference: RGB) -> RGB:
    """A map as the official script leaves it beside a JPEG file: under the file's name, by OpenCV at quality 95.

    ZhendongWang6/DIRE@1f89fff:guided-diffusion/compute_dire.py.
    """
    import cv2

    _, data = cv2.imencode(".jpg", np.ascontiguousarray(difference[..., ::-1]))
    bgr = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(bgr[..., ::-1])


METHOD = DIRE
