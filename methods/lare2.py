"""LaRE²: a CLIP ResNet refined by the error of a diffusion model's one-step noise prediction (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import blip, class_prompt, latent_error
from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import Card, Detector, Plateau, Sample, Schedule, Stage
from bench.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``size``, ``timestep`` and ``ensemble`` of the error map, and what its model is prompted with.

    ``prompt`` is ``empty``, ``caption`` (BLIP's) or ``oracle``: ``template`` with the image's true class.
    ``spatial`` and ``channel`` switch the halves of the refinement (EGRE).
    """

    size: int = 256
    timestep: int = 200
    ensemble: int = 4
    prompt: Literal["empty", "caption", "oracle"] = "empty"
    template: str = "a photo of a [CLS]"
    spatial: bool = True
    channel: bool = True
    crop_size: int = 224
    lr: float = 1e-4
    epochs: int = 30
    batch_size: int = 48


class LaRE2(Detector):
    """The image in native resolution beside the error map of the whole image."""

    card = Card(
        title="LaRE²",
        year=2024,
        paper="Luo et al.: LaRE²: Latent Reconstruction Error Based Method for Diffusion-Generated Image Detection, "
        "CVPR 2024, arXiv 2403.17465",
        code="luo3300612/LaRE@f8b2966",
        licence="Apache-2.0",
        pretraining="CLIP RN50 (OpenAI's 400 M image-text pairs); Stable Diffusion v1.5",
        label_convention="1 = fake",
        geometry="the image: albumentations, mirrored up to 224, centre crop 224 (margins rounded down); the error "
        "map: Pillow, squashed to 256 x 256, bicubic",
        version=2,
        weights={"clip_rn50": "trunk, fine-tuned whole"},
        deviations=(
            "the empty prompt; the official script prompts with the true ImageNet class, which `oracle` does too",
            "rate and best epoch by accuracy on the source's validation split; the official script halves the rate by "
            "the mean AUC of its eight test sets and keeps the best on one of them",
            "30 epochs; the official loop is stopped by hand",
            "accuracy at 0.5 and at the source's threshold; the official script also prints one fitted on the test set",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "caption": {"prompt": "caption"},
        "oracle": {"prompt": "oracle"},
        "no_spatial": {"spatial": False},
        "no_channel": {"channel": False},
    }

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The error map of every image."""
        p = self.params
        text = {"caption": blip.recipe(), "oracle": class_prompt.recipe(template=p.template)}.get(p.prompt)
        settings = {"size": p.size, "timestep": p.timestep, "ensemble": p.ensemble}
        return {"error": latent_error.recipe(caption=text, **settings)}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """The classifier on CLIP's trunk."""
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
        """A trained file without CLIP's text half."""
        from methods._shared.clip import without_copy

        return without_copy(state, "clip_model.", visual=False)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and deviation, mirrored outwards where smaller.

        ``error``: the map of the whole image, neither cropped nor moved, as the official code has it.
        """
        import torch

        from methods._shared.tensors import imagenet

        side, maps = self.params.crop_size, np.array(sample.artefacts["error"], np.float32)
        if maps.ndim != 3 or maps.shape[0] != 4:
            raise ValueError(f"the error map is {maps.shape}, not four channels of one side")
        drawn = rng if stage == "train" else None
        image = crop(pad_to_square(sample.rgb, side, "reflect"), side, drawn, "albumentations")
        return {"image": imagenet(image), "error": torch.from_numpy(maps)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(model(batch["image"], batch["error"]), batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Difference of the two logits."""
        real, fake = model(batch["image"], batch["error"]).unbind(1)
        difference: Tensor = fake - real
        return difference

    def schedule(self) -> Schedule:
        """Adam with clipped gradients; the rate halves after five epochs without a gain."""
        p = self.params
        rule = Plateau(patience=5, gains=(1e-6, 1e-6), factor=0.5, min_lr=1e-7)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule, clip_norm=5.0)


METHOD = LaRE2
