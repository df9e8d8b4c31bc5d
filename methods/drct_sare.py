"""DRCT+SARE: cross-attention from an image to the error of its caption-guided reconstruction (arXiv 2508.09487)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import blip, llava, sd_img2img, sd_inpaint, shuffled_caption
from bench.artefacts.geometry import fit_long_side
from bench.detector import Card, Detector, Example, Sample, Schedule, Share, Stage
from bench.recipe import IMAGE, Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """Every choice that the paper leaves open is a parameter with a default.

    ``sd_steps``, ``strength``, ``guidance_scale``, ``long_side`` and ``multiple`` belong to the reconstruction. Its
    prompt is the image's ``own`` caption, that of another image (``shuffled``), or empty (``none``), according to
    ``captions``; ``captioner`` writes it: BLIP, or LLaVA-NeXT as in the paper's Table 5. ``branch``: what the ResNet
    sees, the ``difference`` to the reconstruction or, as a control without one, the ``image``. ``query``: CLIP's
    embedding (``global``) or all its ``tokens``. ``residual``: ``add_norm`` or ``none``.
    ``reconstructions``: whether DRCT's reconstructions, of ``drct_steps`` and ``max_size``, are trained on as fakes.
    ``alpha``: weight of DRCT's contrastive loss on the fused features. ``full_augmentation`` adds DRCT's rescaling,
    colour, dropout, greyscale and warping. ``width``, ``depths`` and ``stride`` define the ResNet, ``heads`` the
    attention.
    """

    sd_steps: int = 50
    strength: Share = 0.5
    guidance_scale: float = 7.5
    long_side: int = 512
    multiple: int = 8
    captions: Literal["own", "shuffled", "none"] = "own"
    captioner: Literal["blip", "llava"] = "blip"
    branch: Literal["difference", "image"] = "difference"
    drct_steps: int = 50
    max_size: int = 1024
    reconstructions: bool = True
    crop_size: int = 224
    query: Literal["global", "tokens"] = "global"
    residual: Literal["add_norm", "none"] = "add_norm"
    heads: int = 8
    alpha: Share = 0.0
    full_augmentation: bool = False
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 4e-5
    cosine: int = 5
    epochs: int = 17
    batch_size: int = 512


def _reconstruction(p: Params, image: Recipe | str) -> Recipe:
    """The reconstruction x̂ of an image, guided by a caption of that image."""
    own = {"blip": blip, "llava": llava}[p.captioner].recipe(image)
    return sd_img2img.recipe(
        {"own": own, "shuffled": shuffled_caption.recipe(own), "none": None}[p.captions],
        image,
        steps=p.sd_steps,
        strength=p.strength,
        guidance_scale=p.guidance_scale,
        long_side=p.long_side,
        multiple=p.multiple,
    )


class DRCTSARE(Detector):
    """Cross-attention from a frozen CLIP's embedding of the image to a ResNet's feature grid on |x − x̂|."""

    card = Card(
        title="DRCT+SARE",
        year=2025,
        paper="Kang et al.: SARE: Semantic-Aware Reconstruction Error for Generalizable Diffusion-Generated Image "
        "Detection, arXiv 2508.09487",
        code="none public; implemented from the paper",
        licence="none",
        pretraining="CLIP ViT-L/14; ResNet-50 on ImageNet-1k; BLIP; Stable Diffusion v1.4 and v1 inpainting",
        label_convention="1 = fake",
        geometry="image: as in DRCT; difference: OpenCV's bilinear resize to a longer side of 512 before the "
        "reconstruction, then resized to 224 x 224 by torch without keeping the aspect ratio",
        version=2,
        weights={"clip_vit_l14": "encoder", "resnet50": "encoder of the difference"},
        deviations=(
            "the paper does not give the attention's shape, residual or normalisation: eight heads, a residual sum and "
            "layer norm are used",
            "DRCT's reconstructions are trained on as fakes too, each with its own difference: SARE builds on DRCT",
            "half of all training views are JPEG-compressed, as in DRCT; the paper's list is open-ended",
            "the paper names no filter for the resize to a longer side of 512: OpenCV's bilinear, as in DRCT's code",
            "the whole difference is resized to the input's side, flipped and rotated with the image, but not cropped",
            "chosen here, because the paper does not say it: the difference is |x − x̂| in 0…2 without ImageNet's mean "
            "and std; captions are BLIP base's, greedy; the sampler is DDIM with x encoded by a draw from the VAE's "
            "posterior; a DRCT reconstruction gets a new caption of its own",
            "which reconstruction the paper's row `DIRE` has is not said: as in DRCT's tables, from which the rows "
            "come, more likely DRCT's inpainting (`dire[drct]`) than the inversion of Stable Diffusion (`dire`)",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "no_caption": {"captions": "none"},
        "shuffled_caption": {"captions": "shuffled"},
        "guidance_1": {"guidance_scale": 1.0},
        "rgb": {"branch": "image"},
        "llava": {"captioner": "llava"},
    }
    ablations: ClassVar[tuple[str, ...]] = ("no_caption", "shuffled_caption", "guidance_1", "rgb")

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The reconstruction of every image; in training also DRCT's reconstruction and the reconstruction of that."""
        compared = self.params.branch == "difference"
        needs = {IMAGE: _reconstruction(self.params, IMAGE)} if compared else {}
        if stage == "train" and self.params.reconstructions:
            drct = sd_inpaint.recipe(steps=self.params.drct_steps, max_size=self.params.max_size)
            needs |= {"drct": drct} | ({"of_drct": _reconstruction(self.params, drct)} if compared else {})
        return needs

    def examples(self) -> Sequence[Example]:
        """Every image, and every DRCT reconstruction as a fake."""
        return (Example(), Example("drct", label=1)) if self.params.reconstructions else (Example(),)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return SARE's network with a frozen CLIP."""
        from bench.nets.resnet import ResNet, Shape, load_imagenet, mini_strides
        from methods._shared.clip import ImageEncoder
        from methods._shared.sare import SARE

        p = self.params
        grid = ResNet(Shape(True, p.depths, p.width, tuple(mini_strides(p.stride))), classes=0)
        if "resnet50" in weights:
            load_imagenet(grid, weights["resnet50"])
        return SARE(ImageEncoder(weights["clip_vit_l14"]), grid, p.query, p.residual, p.heads)

    def companions(self) -> Sequence[str]:
        """CLIP, which stays frozen."""
        return ("clip_vit_l14",)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image`` and ``sare``: float [3, crop_size, crop_size].

        ``image`` is prepared as in DRCT. ``sare`` is |x − x̂| in 0…2; the whole map is resized. With ``branch`` image
        it is x in 0…2, the difference to black.
        """
        from methods._shared import drct
        from methods._shared.sare import difference
        from methods._shared.tensors import imagenet

        p = self.params
        before = fit_long_side(sample.rgb, p.long_side, p.multiple)
        reconstruction = np.zeros_like(before)
        if p.branch == "difference":
            reconstruction = sample.artefacts["of_drct" if sample.kind == "drct" else IMAGE]
        if stage == "test":
            image, turn = drct.test_view(sample.rgb, p.crop_size), drct.Turn(False, 0)
        else:
            turn = drct.Turn.draw(rng)
            image = drct.train_view(sample.rgb, p.crop_size, turn, p.full_augmentation, rng)
        sare = difference(turn.apply(before), turn.apply(reconstruction), p.crop_size)
        return {"image": imagenet(image), "sare": sare}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return (1 − α) binary cross-entropy + α times DRCT's contrastive loss."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        from methods._shared.drct import contrastive

        logits, features = model(batch["image"], batch["sare"])
        loss = binary_cross_entropy_with_logits(logits, batch["label"].float())
        alpha = self.params.alpha
        return (1 - alpha) * loss + alpha * contrastive(features, batch["label"]) if alpha else loss

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the head's logit; positive means fake."""
        logits: Tensor = model(batch["image"], batch["sare"])[0]
        return logits

    def schedule(self) -> Schedule:
        """DRCT's: AdamW with a cosine learning rate; the epoch with the best validation accuracy is kept."""
        return recipes.drct_schedule(self.params)


METHOD = DRCTSARE
