"""Models at their real sizes with random weights, in the folders that the Hub has: `make test-slow`."""

import json

import pytest
import torch
import torchvision
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
)

from bench.models.zoo import Zoo
from tools.miniature.sd import SCHEDULE
from tools.miniature.words import PHOTO_WORDS, word_tokenizer

#: SD v1's UNet: CompVis/stable-diffusion-v1-4:unet/config.json.
UNET = {
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
}


def tokenizer(length):
    return word_tokenizer(PHOTO_WORDS, length, "<|startoftext|>", "<|endoftext|>", "<|endoftext|>")


def half(module, folder):
    module.half().save_pretrained(folder)


def stable_diffusion(folder, channels):
    """A pipeline folder whose UNet takes so many input channels."""
    half(UNet2DConditionModel(**UNET, in_channels=channels), folder / "unet")
    half(AutoencoderKL(**VAE), folder / "vae")
    half(CLIPTextModel(CLIPTextConfig(**TEXT)), folder / "text_encoder")
    tokenizer(77).save_pretrained(folder / "tokenizer")
    PNDMScheduler(**SCHEDULE, skip_prk_steps=True).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def vit(folder, width, mlp, layers, heads, patch, embedding, text_width, text_heads):
    vision = {"hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": layers, "num_attention_heads": heads}
    text = {**TEXT, "hidden_size": text_width, "intermediate_size": 4 * text_width, "num_attention_heads": text_heads}
    own = {"projection_dim": embedding}
    config = CLIPConfig(
        vision_config={**vision, **own, "image_size": 224, "patch_size": patch}, text_config={**text, **own}, **own
    )
    half(CLIPModel(config), folder)
    tokenizer(77).save_pretrained(folder)


def blip(folder):
    words = word_tokenizer(PHOTO_WORDS, 40, "[CLS]", "[SEP]", "[PAD]", ("[DEC]",))
    config = BlipConfig(
        text_config={"vocab_size": 30524, "bos_token_id": 0, "sep_token_id": 1, "eos_token_id": 1, "pad_token_id": 2},
        vision_config={"image_size": 384},
    )
    half(BlipForConditionalGeneration(config), folder)
    BlipProcessor(BlipImageProcessor(size={"height": 384, "width": 384}), words).save_pretrained(folder)


def plain(folder, module, name="model.safetensors", prefix=""):
    """A module's tensors in half precision under one file."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"{prefix}{key}": t.half() if t.is_floating_point() else t for key, t in module.state_dict().items()}
    save_file({key: t.contiguous() for key, t in state.items()}, folder / name)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """A folder of models that are made when a test first asks for their role."""
    from bench.artefacts.engines import lpips
    from bench.nets.adm import ADM
    from bench.nets.adm import Shape as AdmShape
    from bench.nets.clip_resnet import RN50X4, ClipResNet
    from bench.nets.clip_resnet import Shape as ClipShape
    from bench.nets.clip_text import TextTower
    from bench.nets.cycleisp import Denoiser
    from bench.nets.cycleisp import Shape as DenoiserShape
    from bench.nets.stylegan import Discriminator
    from bench.nets.stylegan import Shape as DiscriminatorShape

    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)

    def resnet_clip(folder, shape, text):
        both = torch.nn.ModuleDict({"visual": ClipResNet(shape)})
        state = {**both.state_dict(), **TextTower(49408, 77, *text).state_dict()}
        folder.mkdir()
        kept = {key: t.half().contiguous() for key, t in state.items() if "num_batches" not in key}
        save_file(kept, folder / "open_clip_model.safetensors")
        tokenizer(77).save_pretrained(folder)

    def alexnet(path):
        path.parent.mkdir()
        torch.save(torchvision.models.alexnet(weights=None).state_dict(), path)

    def configured(folder, module):
        plain(folder, module)
        (folder / "config.json").write_text("{}")

    makers = {
        "sdv1": lambda f: stable_diffusion(f, 4),
        "sdv1_inpaint": lambda f: stable_diffusion(f, 9),
        "blip": blip,
        **{role: lambda f, sizes=sizes: vit(f, *sizes) for role, sizes in VITS.items()},
        "clip_rn50": lambda f: resnet_clip(f, ClipShape(), (512, 12, 8, 1024)),
        "clip_rn50x4": lambda f: resnet_clip(f, RN50X4, (640, 12, 10, 640)),
        "adm": lambda f: configured(f, ADM(AdmShape())),
        "lpips": lambda f: alexnet(f / lpips.TRUNK),
        "cycleisp": lambda f: configured(f, Denoiser(DenoiserShape())),
        "stylegan_discriminator": lambda f: configured(f, Discriminator(DiscriminatorShape())),
        "resnet18": lambda f: plain(f, torchvision_net("resnet18")),
        "resnet50": lambda f: plain(f, torchvision_net("resnet50")),
        "convnext": lambda f: plain(f, timm_convnext()),
    }

    class Lazy(Zoo):
        def folder(self, role):
            made = "sdv1" if role in ("sdv15", "sdv21") else role
            if not (root / made).exists():
                makers[made](root / made)
            return root / made

        def hash(self, role):
            return "0" * 32

    return Lazy(str(root))


def torchvision_net(name):
    import torchvision

    return getattr(torchvision.models, name)()


def timm_convnext():
    import timm

    return timm.create_model("convnext_base", num_classes=21841)
