"""Models at their real sizes with random weights, in the folders that the Hub has: for slow tests and benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel, VQModel
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from bench.artefacts.engines import lpips, lpips_layer
from bench.models.zoo import Zoo
from bench.nets import siglip
from bench.nets.adm import ADM
from bench.nets.adm import Shape as AdmShape
from bench.nets.clip_resnet import RN50X4, ClipResNet
from bench.nets.clip_resnet import Shape as ClipShape
from bench.nets.clip_text import TextTower
from bench.nets.cycleisp import Denoiser
from bench.nets.cycleisp import Shape as DenoiserShape
from bench.nets.mfm import MFM
from bench.nets.siglip import SigLIP
from bench.nets.stylegan import Discriminator
from bench.nets.stylegan import Shape as DiscriminatorShape
from bench.numerics import REFERENCE, Numerics
from methods._shared.lasted import RN50X64
from methods._shared.lasted import TEXT as TEXT_RN50X64
from tools.miniature.sd import SCHEDULE
from tools.miniature.words import PHOTO_WORDS, word_tokenizer

#: SD v1's UNet: CompVis/stable-diffusion-v1-4:unet/config.json.
UNET: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "layers_per_block": 2,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
#: Kandinsky 2.1's autoencoder: kandinsky-community/kandinsky-2-1:movq/config.json.
MOVQ = {
    "block_out_channels": (128, 256, 256, 512),
    "down_block_types": (*("DownEncoderBlock2D",) * 3, "AttnDownEncoderBlock2D"),
    "up_block_types": ("AttnUpDecoderBlock2D", *("UpDecoderBlock2D",) * 3),
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_type": "spatial",
    "num_vq_embeddings": 16384,
    "vq_embed_dim": 4,
}
#: DINOv2's ViT-L/14.
DINOV2 = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 518,
    "patch_size": 14,
}
#: DINOv3's ViT-L/16.
DINOV3 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_register_tokens": 4,
}
#: CLIP's text half in SD v1: openai/clip-vit-large-patch14's.
TEXT = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
#: Width, MLP, layers, heads, patch, embedding of CLIP's ViTs, and the width and heads of their texts.
VITS = {
    "clip_vit_l14": (1024, 4096, 24, 16, 14, 768, 768, 12),
    "clip_vit_b32": (768, 3072, 12, 12, 32, 512, 512, 8),
    "clip_vit_b16": (768, 3072, 12, 12, 16, 512, 512, 8),
}


def _tokenizer(length: int) -> Any:  # noqa: ANN401 - transformers ships no usable type
    return word_tokenizer(PHOTO_WORDS, length, "<|startoftext|>", "<|endoftext|>", "<|endoftext|>")


def _half(module: Any, folder: Path) -> None:  # noqa: ANN401 - the libraries ship no types
    module.half().save_pretrained(folder)


def _stable_diffusion(folder: Path, channels: int) -> None:
    """A pipeline folder whose UNet takes so many input channels."""
    _half(UNet2DConditionModel(**UNET, in_channels=channels), folder / "unet")
    _half(AutoencoderKL(**VAE), folder / "vae")
    _half(CLIPTextModel(CLIPTextConfig(**TEXT)), folder / "text_encoder")
    _tokenizer(77).save_pretrained(folder / "tokenizer")
    PNDMScheduler(**SCHEDULE, skip_prk_steps=True).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def _vit(folder: Path, sizes: tuple[int, ...]) -> None:
    width, mlp, layers, heads, patch, embedding, text_width, text_heads = sizes
    vision = {"hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": layers, "num_attention_heads": heads}
    text = {**TEXT, "hidden_size": text_width, "intermediate_size": 4 * text_width, "num_attention_heads": text_heads}
    own = {"projection_dim": embedding}
    config = CLIPConfig(
        vision_config={**vision, **own, "image_size": 224, "patch_size": patch}, text_config={**text, **own}, **own
    )
    _half(CLIPModel(config), folder)
    _tokenizer(77).save_pretrained(folder)


def _blip(folder: Path) -> None:
    words = word_tokenizer(PHOTO_WORDS, 40, "[CLS]", "[SEP]", "[PAD]", ("[DEC]",))
    config = BlipConfig(
        text_config={"vocab_size": 30524, "bos_token_id": 0, "sep_token_id": 1, "eos_token_id": 1, "pad_token_id": 2},
        vision_config={"image_size": 384},
    )
    _half(BlipForConditionalGeneration(config), folder)
    BlipProcessor(BlipImageProcessor(size={"height": 384, "width": 384}), words).save_pretrained(folder)


def _plain(folder: Path, module: nn.Module) -> None:
    """A module's tensors in half precision in one file."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: t.half() if t.is_floating_point() else t for key, t in module.state_dict().items()}
    save_file({key: t.contiguous() for key, t in state.items()}, folder / "model.safetensors")


def _resnet_clip(folder: Path, shape: ClipShape, text: tuple[int, int, int, int]) -> None:
    both = nn.ModuleDict({"visual": ClipResNet(shape)})
    state = {**both.state_dict(), **TextTower(49408, 77, *text).state_dict()}
    folder.mkdir()
    kept = {key: t.half().contiguous() for key, t in state.items() if "num_batches" not in key}
    save_file(kept, folder / "open_clip_model.safetensors")
    _tokenizer(77).save_pretrained(folder)


def _siglip(folder: Path) -> None:
    folder.mkdir()
    state = SigLIP(siglip.Shape()).trunk.state_dict()
    save_file({f"{siglip.PREFIX}{key}": t.half().contiguous() for key, t in state.items()}, folder / siglip.FILE)


def _alexnet(folder: Path) -> None:
    folder.mkdir()
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / lpips.TRUNK)


def _vgg(folder: Path) -> None:
    folder.mkdir()
    state = torchvision.models.vgg16(weights=None).state_dict()
    torch.save({k: t for k, t in state.items() if k.startswith("features.")}, folder / lpips_layer.TRUNK)


def _configured(folder: Path, module: nn.Module) -> None:
    _plain(folder, module)
    (folder / "config.json").write_text("{}", encoding="ascii")


def _timm(folder: Path, name: str, classes: int = 0) -> None:
    import timm

    _plain(folder, timm.create_model(name, num_classes=classes))


_MAKERS: dict[str, Callable[[Path], None]] = {
    "sdv1": lambda folder: _stable_diffusion(folder, 4),
    "sdv1_inpaint": lambda folder: _stable_diffusion(folder, 9),
    "blip": _blip,
    "clip_vit_l14": lambda folder: _vit(folder, VITS["clip_vit_l14"]),
    "clip_vit_b32": lambda folder: _vit(folder, VITS["clip_vit_b32"]),
    "clip_rn50": lambda folder: _resnet_clip(folder, ClipShape(), (512, 12, 8, 1024)),
    "clip_rn50x4": lambda folder: _resnet_clip(folder, RN50X4, (640, 12, 10, 640)),
    "clip_rn50x64": lambda folder: _resnet_clip(folder, RN50X64, TEXT_RN50X64[2:]),
    "siglip_so400m": _siglip,
    "sd1_vae": lambda folder: _half(AutoencoderKL(**VAE), folder),
    "adm": lambda folder: _configured(folder, ADM(AdmShape())),
    "lpips": _alexnet,
    "cycleisp": lambda folder: _configured(folder, Denoiser(DenoiserShape())),
    "stylegan_discriminator": lambda folder: _configured(folder, Discriminator(DiscriminatorShape())),
    "sd15_vae": lambda folder: _half(AutoencoderKL(**VAE), folder / "vae"),
    "resnet50_v2": lambda folder: _plain(folder, torchvision.models.resnet50()),
    "resnet18": lambda folder: _plain(folder, torchvision.models.resnet18()),
    "resnet50": lambda folder: _plain(folder, torchvision.models.resnet50()),
    "convnext": lambda folder: _timm(folder, "convnext_base", 21841),
    "clip_convnext_xxl": lambda folder: _timm(folder, "convnext_xxlarge"),
    "clip_vit_b16": lambda folder: _vit(folder, VITS["clip_vit_b16"]),
    "dinov2_vitl14": lambda folder: _half(Dinov2Model(Dinov2Config(**DINOV2)), folder),
    "dinov2_reg_vitb14": lambda folder: _timm(folder, "vit_base_patch14_reg4_dinov2"),
    "dinov3_vitl16": lambda folder: _half(DINOv3ViTModel(DINOv3ViTConfig(**DINOV3)), folder),
    "kandinsky_movq": lambda folder: _half(VQModel(**MOVQ), folder),
    "lpips_vgg": _vgg,
    "mfm_vit_b16": lambda folder: _plain(folder, MFM()),
    "vit_small_224": lambda folder: _timm(folder, "vit_small_patch16_224", 1000),
    "vit_small_384": lambda folder: _timm(folder, "vit_small_patch16_384", 1000),
}


class FullSize(Zoo):
    """Random models below ``root``, each made when its folder is first asked for; all have the same hash."""

    def __init__(self, root: Path, numerics: Numerics = REFERENCE) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(str(root), store=root / "store", numerics=numerics)
        self._made = root

    def folder(self, role: str) -> Path:
        """A role's folder; the versions of Stable Diffusion 1 and 2.1 share one, and so do their autoencoders."""
        made = {"sdv15": "sdv1", "sdv21": "sdv1", "sd2_vae": "sd1_vae"}.get(role, role)
        if not (self._made / made).exists():
            torch.manual_seed(0)
            _MAKERS[made](self._made / made)
        return self._made / made

    def hash(self, role: str) -> str:
        """Not the hash of gigabytes: they are random."""
        return "0" * 32
