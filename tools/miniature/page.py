"""Write docs/miniature.md: sample grids, and each model's steps, time and held-out quality."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from tabulate import tabulate

_ROWS, _COLUMNS, _SIDE = 2, 10, 96
#: The class folders of both datasets' layouts, and how each generator of the miniature makes an image.
_FAKE, _REAL = ("/val/ai/", "/1_fake/"), ("/val/nature/", "/0_real/")
_SAMPLED = {
    "midjourney": "own VAE, UNet initialised from sdv14's, DDIM 50 steps, guidance 7.5; 64 px, "
    "upscaled to 128 by `upscaler`",
    "sdv14": "short captions, DDIM 50 steps, guidance 7.5; 64 px",
    "sdv15": "`sdv14` trained further; sampled in the same way",
    "wukong": "own UNet and text encoder on sdv14's VAE; sampled like `sdv14`",
    "adm": "pixel diffusion conditioned on object, colour and ground, DDIM 50 steps, classifier-free guidance 2; 32 px",
    "glide": "text-conditioned pixel diffusion at 16 px, DDIM 50 steps, guidance 1.5; "
    "a diffusion upsampler, 100 steps: 32 px",
    "vqdm": "masked discrete diffusion over 8 × 8 codes, 32 steps, guidance 2, decoded to 32 px",
    "biggan": "class-conditional GAN, truncation 0.8; 32 px",
    "progan": "GAN grown from 4 to 32 px, conditioned on the object, truncation 0.8",
    "stylegan2": "style-based GAN, conditioned on the object, truncation 0.8; 32 px",
    "crn": "cascaded refinement from the scene's layout, with one plane of noise; 64 px",
    "san": "a photograph at 32 px enlarged ×2 by a network: an edit, not a generated image",
}
_MODELS = {
    "vae": "`AutoencoderKL`, factor 4, four latent channels; L1, gradient, KL, texture and patch-GAN terms",
    "sdv14": "text-to-image in Stable Diffusion's folder format: the VAE, a UNet, a text encoder, SD v1's own noise "
    "schedule; sampled by DDIM, 50 steps, guidance 7.5",
    "sdv15": "`sdv14` trained further, text encoder frozen",
    "wukong": "another UNet and text encoder on the same VAE",
    "sdv1_inpaint": "`sdv14` with mask and masked image as additional inputs",
    "sdv21": "`sdv14` trained further to predict v",
    "midjourney_vae": "another VAE",
    "midjourney": "`sdv14`'s UNet and text encoder, trained further on latents of Midjourney's VAE",
    "upscaler": "×2, L1 and patch GAN: Midjourney's last step to 128 px",
    "adm": "pixel diffusion in guided-diffusion's layers, 32 px, classes, classifier-free guidance 2",
    "glide": "text-conditioned pixel diffusion at 16 px, guidance 1.5",
    "glide_upsampler": "the ×2 diffusion upsampler of `glide`",
    "vqvae": "256 codes on 8 × 8 cells of 32 px",
    "vqdm": "masked discrete diffusion over the codes of `vqvae`, guidance 2",
    "biggan": "class-conditional GAN, spectral norm, projection critic; 32 px, truncation 0.8",
    "progan": "progressively grown GAN, 32 px",
    "stylegan2": "style-modulated GAN, 32 px",
    "crn": "cascaded refinement from layouts, 64 px",
    "san": "×2 super-resolution of photographs",
    "stylegan_discriminator": "StyleGAN's discriminator at 64 px, for LGrad, on the wider world",
    "cycleisp": "denoiser in CycleISP's layers, for LNP, on the wider world",
    "blip": "short captioner",
    "llava": "long captioner in LLaVA-NeXT's format",
    "clip_vit_l14": "CLIP with 7 × 7 patches, in place of ViT-L/14",
    "clip_vit_b32": "CLIP with 7 × 7 patches, in place of ViT-B/32",
    "clip_rn50": "CLIP with a ResNet for images, in place of RN50",
    "resnet18": "ResNet of four basic blocks on the wider world",
    "resnet50": "ResNet of four bottlenecks on the wider world",
    "dinov2": "vision transformer of five blocks on the wider world, in place of DINOv2 and of ViTs on ImageNet",
    "convnext": "ConvNeXt of five blocks on the wider world",
    "lpips": "AlexNet-like trunk with unit heads on the wider world",
}
_TEMPLATE = Path(__file__).parent / "page.md"


def _thumbnail(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    side = min(image.size)
    return image.crop((0, 0, side, side)).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)


def _grid(pack: zipfile.ZipFile, kinds: tuple[str, str]) -> Image.Image:
    names = [name for name in pack.namelist() if any(kind in name for kind in kinds)]
    chosen = np.random.default_rng(0).choice(names, _ROWS * _COLUMNS, replace=False)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, _ROWS * _SIDE))
    for index, name in enumerate(sorted(chosen)):
        corner = (index % _COLUMNS * _SIDE, index // _COLUMNS * _SIDE)
        sheet.paste(_thumbnail(pack.read(str(name))), corner)
    return sheet


def write_page(packs: list[Path], weights: Path, docs: Path) -> None:
    """Write the page and its pictures from the committed packs and ``quality.json``."""
    grids = ""
    for path in packs:
        corpus, subset = path.stem.split("-")
        with zipfile.ZipFile(path) as pack:
            kinds = [(_FAKE, subset, f"{subset} ({corpus}): {_SAMPLED[subset]}")]
            if subset == "sdv14":
                kinds.insert(0, (_REAL, "photographs", "photographs of sdv14's test folder"))
            for kind, stem, title in kinds:
                name = f"miniature-{stem}.jpg"
                _grid(pack, kind).save(docs / name, quality=88)
                grids += f"**{title}**\n\n![{stem}]({name})\n\n"
    quality = json.loads((weights / "quality.json").read_text(encoding="utf-8"))
    columns = ("steps", "of", "minutes", "device")
    body = [
        [
            f"`{name}`",
            what,
            *(quality[name][column] for column in columns),
            ", ".join(f"{key} {value}" for key, value in quality[name].items() if key not in columns),
        ]
        for name, what in _MODELS.items()
        if name in quality
    ]
    table = tabulate(body, ["model", "what it is", *columns, "held-out quality"], "github", disable_numparse=True)
    text = _TEMPLATE.read_text(encoding="utf-8").format(grids=grids, quality=table)
    (docs / "miniature.md").write_text(text, encoding="utf-8")
