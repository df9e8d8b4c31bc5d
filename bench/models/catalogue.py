"""Every pretrained model that a method or an engine may ask for, by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A pretrained model.

    ``mini`` is its folder among the embedded weights (empty: the miniature has none), ``hub`` its repository and
    ``revision`` the commit or branch; ``files`` are the patterns that are loaded, and hashed.
    """

    role: str
    title: str
    mini: str
    hub: str
    revision: str
    files: tuple[str, ...]
    licence: str


_SD_FILES = (
    "model_index.json",
    "scheduler/*.json",
    "tokenizer/*",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
)

MODELS: Mapping[str, Model] = {
    model.role: model
    for model in (
        Model(
            role="sdv1",
            title="Stable Diffusion v1.4",
            mini="sdv14",
            hub="CompVis/stable-diffusion-v1-4",
            revision="main",
            files=_SD_FILES,
            licence="CreativeML OpenRAIL-M",
        ),
        Model(
            role="resnet18",
            title="ResNet-18, ImageNet-1k",
            mini="resnet18",
            hub="timm/resnet18.tv_in1k",
            revision="main",
            files=("model.safetensors",),
            licence="BSD-3-Clause",
        ),
        Model(
            role="resnet50",
            title="ResNet-50, ImageNet-1k",
            mini="resnet50",
            hub="timm/resnet50.tv_in1k",
            revision="main",
            files=("model.safetensors",),
            licence="BSD-3-Clause",
        ),
    )
}
