"""Numbers of detectors that are not trained and compare embeddings, for :mod:`tests.parity.make`."""

import functools
import json
import sys
import tempfile
import types
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTextConfig, CLIPTextModel

from bench.models.zoo import Zoo
from tests.parity import free
from tests.parity.seeded import fill, image, tensor

#: A DINOv2 of the official class, smaller: width, depth and heads, of 64 channels as in all published networks.
DINOV2 = {"embed_dim": 128, "depth": 2, "num_heads": 2}
SIZES = ((224, 224), (97, 131), (300, 180), (64, 50))
STRENGTHS = (0.05, 1.0)
#: Sides of the small diffusion model's images and of the small CLIP's.
SIDE, CLIP_SIDE = 64, 56
#: What makes the small CLIP's embeddings differ from image to image.
CLIP_GAIN = 3.0
DRAWS, PROMPT = 3, "a red disc on grass"


def dinov2(state):
    """Weights for a small DINOv2 whose class token depends on the image and on every position."""
    drawn = {key: tensor(0, key, tuple(value.shape)) for key, value in state.items()}
    for key, value in drawn.items():
        if key in ("cls_token", "pos_embed", "mask_token"):
            drawn[key] = tensor(0, key, tuple(value.shape), like_normal=True)
        elif key.endswith("gamma"):
            drawn[key] = value * 10
    return drawn


def cells(folder, *parts):
    """Source of the notebook's code cells that contain one of ``parts``."""
    notebook = json.loads((folder / "RIGID.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [source for source in sources if any(part in source for part in parts)]


def rigid():
    """Similarities by the notebook's detector on the hub's DINOv2: alone, with more noise, and as one batch."""
    from dinov2.hub import backbones
    from dinov2.models import vision_transformer as models

    models.vit_large = functools.partial(models.DinoVisionTransformer, **DINOV2, block_fn=block(models))
    made = backbones.dinov2_vitl14(pretrained=False).eval()
    made.load_state_dict(dinov2(made.state_dict()))
    torch.hub.load, torch.nn.Module.cuda = lambda *_, **__: made, lambda self, *_: self
    folder = next(Path(name) for name in sys.path if (Path(name) / "RIGID.ipynb").exists())
    names = {}
    for source in cells(folder, "import torch", "DEFAULT_MEAN =", "class RIGID_Detector", "transform_RIGID ="):
        exec(source, names)
    views = [names["transform_RIGID"](Image.fromarray(image(n, *size))) for n, size in enumerate(SIZES)]
    batch, found = torch.stack(views), {"keys": sorted(made.state_dict())}
    for strength in STRENGTHS:
        torch.manual_seed(0)
        found[f"similarities at {strength}"] = names["RIGID_Detector"](strength).calculate_sim(batch).tolist()
    with torch.no_grad():
        found["features"] = made(batch)[:, ::8].tolist()
    return found


def block(models):
    """The block of the official ViT-L, whose attention is that of xFormers where it is installed."""
    return functools.partial(models.Block, attn_class=models.MemEffAttention)


def latent_diffusion(folder):
    """Write a small Stable Diffusion and CLIP with seeded weights below ``folder``; a folder for each role."""
    blocks = {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "layers_per_block": 1}
    blocks |= {"up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "block_out_channels": (16, 32)}
    unet = UNet2DConditionModel(**blocks, norm_num_groups=8, cross_attention_dim=32, attention_head_dim=4)
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = AutoTokenizer.from_pretrained(Zoo("mini").folder("sdv1") / "tokenizer", model_max_length=77)
    encoder = CLIPTextModel(
        CLIPTextConfig(**text, vocab_size=len(words), max_position_embeddings=77, bos_token_id=0, eos_token_id=1)
    )
    vision = {**text, "image_size": CLIP_SIDE, "patch_size": 8, "projection_dim": 48}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=48))
    noise = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    pipeline = folder / "sdv1"
    fill(unet).save_pretrained(pipeline / "unet")
    free.kl().save_pretrained(pipeline / "vae")
    fill(encoder).save_pretrained(pipeline / "text_encoder")
    words.save_pretrained(pipeline / "tokenizer")
    noise.save_pretrained(pipeline / "scheduler")
    fill(clip, gain=CLIP_GAIN).save_pretrained(folder / "clip_vit_l14")


def manifold_bias():
    """The criterion of four images of three sizes and its terms, in single precision, with one prompt."""
    sys.modules["imageio"] = types.ModuleType("imageio")
    for name in ("KandinskyPipeline", "KandinskyPriorPipeline"):
        if not hasattr(diffusers, name):
            setattr(diffusers, name, None)
    import manifold_bias_criteria as official

    torch.Tensor.half = lambda self, *_, **__: self.float()
    with tempfile.TemporaryDirectory() as place:
        latent_diffusion(Path(place))
        sd, clip = Path(place) / "sdv1", CLIPModel.from_pretrained(Path(place) / "clip_vit_l14").eval()
        embed = clip.get_image_features
        clip.get_image_features = lambda **given: embed(**given).pooler_output
        sides = {"size": {"shortest_edge": CLIP_SIDE}, "crop_size": {"height": CLIP_SIDE, "width": CLIP_SIDE}}
        measure = official.factory_sdv14_based_criterion(
            *("cpu", DRAWS, 1e-8, 0.01, AutoTokenizer.from_pretrained(sd / "tokenizer")),
            *(CLIPTextModel.from_pretrained(sd / "text_encoder").eval(), None),
            AutoencoderKL.from_pretrained(sd / "vae").eval(),
            DDPMScheduler.from_pretrained(sd / "scheduler"),
            UNet2DConditionModel.from_pretrained(sd / "unet").eval(),
            *(clip, CLIPImageProcessorPil(**sides), torch.nn.CosineSimilarity(dim=1, eps=1e-6), SIDE),
            prompts_list=[PROMPT],
            return_terms=True,
        )
        images = [torch.tensor(image(n, *size)) for n, size in enumerate(SIZES)]
        torch.manual_seed(0)
        with torch.no_grad():
            return {f"{size}": told for size, told in zip(SIZES, measure(images), strict=True)}


MAKERS = {"rigid": rigid, "manifold_bias": manifold_bias}
