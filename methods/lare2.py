"""LaRE²: a CLIP ResNet refined by the error of a diffusion model's one-step noise prediction (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import blip, class_prompt, latent_error
from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import Card, Plateau, Sample, Schedule, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``size``, ``timestep`` and ``ensemble``: image side, diffusion step and number of noise draws of the error map.

    ``prompt`` of the diffusion model: ``empty``, ``caption`` (BLIP's), or ``oracle`` (``template`` with the true class
    of the image). ``spatial`` and ``channel`` enable the two halves of the refinement (EGRE). ``error`` False gives it
    a map of zeros, as a control of what the map adds.
    """

    size: int = 256
    timestep: int = 200
    ensemble: int = 4
    prompt: Literal["empty", "caption", "oracle"] = "empty"
    template: str = "a photo of a [CLS]"
    spatial: bool = True
    channel: bool = True
    error: bool = True
    crop_size: int = 224
    lr: float = 1e-4
    epochs: int = 30
    batch_size: int = 48


class LaRE2(recipes.TwoLogits):
    """A classifier of a crop at native resolution, refined by the error map of the whole image."""

    card = Card(
        title="LaRE²",
        year=2024,
        paper="Luo et al.: LaRE²: Latent Reconstruction Error Based Method for Diffusion-Generated Image Detection, "
        "CVPR 2024, arXiv 2403.17465",
        code="luo3300612/LaRE@f8b2966",
        licence="Apache-2.0",
        pretraining="CLIP RN50 (OpenAI's 400 M image-text pairs); Stable Diffusion v1.5",
        label_convention="1 = fake",
        geometry="image (albumentations): reflection-padded to 224, centre crop 224 without resizing (margins rounded "
        "down); error map (Pillow): resized to 256 x 256 without keeping the aspect ratio, bicubic",
        version=2,
        weights={"clip_rn50": "trunk, all weights fine-tuned"},
        deviations=(
            "the prompt is empty; the official script uses the true ImageNet class, as the variant `oracle` does",
            "accuracy on the source's validation split decides the learning rate and the best epoch; the official "
            "script halves the rate by the mean AUC on its eight test sets and keeps the best epoch on one of them",
            "trains for 30 epochs; the official loop is stopped by hand",
            "accuracy is reported at 0.5 and at the source's threshold; the official script also prints it at a "
            "threshold fitted on the test set",
        ),
    )
    Params = Params
    inputs = ("image", "error")
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "caption": {"prompt": "caption"},
        "oracle": {"prompt": "oracle"},
        "no_spatial": {"spatial": False},
        "no_channel": {"channel": False},
        "no_error": {"error": False},
    }
    ablations: ClassVar[tuple[str, ...]] = ("no_spatial", "no_channel", "no_error")

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The error map of every image; none if ``error`` is False."""
        p = self.params
        if not p.error:
            return {}
        text = {"caption": blip.recipe(), "oracle": class_prompt.recipe(template=p.template)}.get(p.prompt)
        settings = {"size": p.size, "timestep": p.timestep, "ensemble": p.ensemble}
        return {"error": latent_error.recipe(caption=text, **settings)}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the classifier with CLIP's trunk."""
        from bench.nets.clip_resnet import Shape, load_clip_resnet
        from bench.nets.lare import LaRE

        p = self.params
        if "clip_rn50" not in weights:
            return LaRE(Shape(), p.spatial, p.channel)
        tower = load_clip_resnet(weights["clip_rn50"])
        model = LaRE(tower.shape, p.spatial, p.channel)
        model.clip_model["visual"].load_state_dict(tower.state_dict())
        return model

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A trained checkpoint without the text half of CLIP."""
        from methods._shared.clip import without_copy

        return without_copy(state, "clip_model.", visual=False)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and std, reflection-padded if smaller.

        ``error``: float [4, H, W], the map of the whole image, neither cropped nor shifted, as in the official code.
        Raises ValueError if the map has another shape.
        """
        import torch

        from methods._shared.tensors import imagenet

        side, maps = self.params.crop_size, np.zeros((4, self.params.size // 8, self.params.size // 8), np.float32)
        if self.params.error:
            maps = np.array(sample.artefacts["error"], np.float32)
        if maps.ndim != 3 or maps.shape[0] != 4:
            raise ValueError(f"The error map has shape {maps.shape}, not (4, H, W)")
        crop_rng = rng if stage == "train" else None
        image = crop(pad_to_square(sample.rgb, side, "reflect"), side, crop_rng, "albumentations")
        return {"image": imagenet(image), "error": torch.from_numpy(maps)}

    def schedule(self) -> Schedule:
        """Adam with clipped gradients; the learning rate is halved after five epochs without a gain in accuracy."""
        p = self.params
        rule = Plateau(patience=5, gains=(1e-6, 1e-6), factor=0.5, min_lr=1e-7)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule, clip_norm=5.0)


METHOD = LaRE2
