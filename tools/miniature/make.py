"""One function per model: load the images, train, measure, and store the weights in their place."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BlipForConditionalGeneration

from bench.models.embedded import WEIGHTS, unpack_weights
from tools.miniature import backbone, biggan, captioner, clip, gan, keep, pixel, restore, sd, talker, vae, vqdm
from tools.miniature.corpus import photographs
from tools.miniature.loop import Budget, Loop
from tools.miniature.scenes import sample_scene

WORLD = Path("world")
#: Folder of models that an engine or a method loads, before they are packed into the repository.
MADE = WORLD / "weights"
#: Pipelines that an engine loads.
_LOADED = ("sdv14", "sdv15", "sdv21", "sdv1_inpaint")
TRAINING_IMAGES, HELD_OUT, WIDE = 14_000, 1_000, 20_000


def say(message: str) -> None:
    """Print a line of progress to standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")
    sys.stderr.flush()


def _images(stream: str, count: int) -> np.ndarray:
    return photographs(WORLD / "photographs", stream, count, say=say)


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def committed(name: str) -> Path:
    """The folder of a model that is stored in the repository: the newly trained one, else the unpacked one."""
    made = MADE / name
    return made if made.is_dir() else unpack_weights(WORLD) / name


def note(name: str, entries: dict[str, Any], fresh: bool = False) -> None:
    """Add ``entries`` to a model's record in ``quality.json``; if ``fresh``, replace the record."""
    path = WEIGHTS / "quality.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in entries.items()}
    known[name] = rounded if fresh else known.get(name, {}) | rounded
    texts = {key: json.dumps(known[key], sort_keys=True, separators=(",", ":")) for key in sorted(known)}
    lines = [f'"{key}":{text}' for key, text in texts.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    say(f"{name}: {known[name]}")


def _record(name: str, loop: Loop, quality: dict[str, float]) -> None:
    entry = {"steps": loop.step, "of": loop.total, "minutes": round(loop.seconds / 60, 1), "device": loop.budget.device}
    note(name, entry | quality, fresh=True)
    if (MADE / name).is_dir():
        keep.pack(MADE / name, WEIGHTS / name, home("sdv14"))


def _save(state: dict[str, torch.Tensor], folder: Path) -> None:
    """Write a state in half precision as ``model.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: t.cpu().half().contiguous() if t.is_floating_point() else t for key, t in state.items()}
    save_file(kept, folder / "model.safetensors")


def build_vae(name: str, seed: int, widths: tuple[int, ...], steps: int, budget: Budget) -> None:
    """Train and save a VAE, scaled so that its latents have unit standard deviation."""
    network, loop = vae.train_vae(_images("generators", TRAINING_IMAGES), budget, seed, widths, steps)
    mean, std = vae.latents(network, _images("generators", 1000), budget.device)
    deviation = float((mean.var() + std.square().mean()).sqrt())
    network.register_to_config(scaling_factor=round(1 / deviation, 5))
    network.save_pretrained(WORLD / name / "network")
    _record(name, loop, vae.quality(network, _images("heldout", HELD_OUT), budget.device))


def _autoencoder(name: str) -> Path:
    """The folder of a trained VAE: the one under ``world/``, or the committed copy in sdv14's pipeline."""
    made = WORLD / name / "network"
    return committed("sdv14") / "vae" if name == "vae" and not made.exists() else made


def home(name: str) -> Path:
    """The folder of a trained pipeline: among the committed models if an engine loads it, else under ``world/``."""
    return committed(name) if name in _LOADED else WORLD / "pipelines" / name


def build_pipeline(name: str, start: str, budget: Budget, latents: str = "vae") -> None:
    """Train UNet and text encoder on a VAE's latents, from another pipeline (``start``) or from scratch."""
    course, folder = sd.COURSES[name], (MADE if name in _LOADED else WORLD / "pipelines") / name
    network = AutoencoderKL.from_pretrained(_autoencoder(latents)).to(budget.device).eval()
    fresh = (sd.new_unet(course.seed), sd.new_text_encoder(len(sd.new_tokenizer()), course.seed))
    nets = sd.start_from(home(start), course) if start else fresh
    loop = sd.train_denoiser(nets, network, _images("generators", TRAINING_IMAGES), course, budget)
    for net in (network, *nets):
        keep.settle(net)
    sd.save_pipeline(folder, network.cpu(), nets[0].cpu(), nets[1].cpu(), course.prediction)
    _record(name, loop, {})


def build_backbone(name: str, side: int, budget: Budget) -> None:
    """Train a backbone on the wider world; writes its folder with the keys of the published model."""
    pictures, wanted = _images("wide", WIDE + HELD_OUT), backbone.labels(WIDE + HELD_OUT)
    net = backbone.new_backbone(name, pictures)
    loop = backbone.train_backbone(net, backbone.STEPS[name], pictures[:WIDE], side, budget)
    keep.settle(net)
    quality = backbone.accuracy(net, pictures[WIDE:], wanted[WIDE:], side, budget.device)
    kept = net
    if isinstance(net, backbone.Perceptual):
        kept, quality = net.lpips, {"triplets": backbone.triplets(net.lpips.cpu(), 500)}
        _write_json(MADE / name / "config.json", backbone.LPIPS_SHAPE)
    if isinstance(net, backbone.Transformer):
        kept = net.encoder
        _write_json(MADE / name / "config.json", net.encoder.config.to_diff_dict())
    state = kept.state_dict()
    _save({key: state[key] for key in state if not key.startswith(("lins.", "scaling_layer."))}, MADE / name)
    _record(name, loop, quality)


def build_clip(name: str, budget: Budget) -> None:
    """Train a CLIP on the wider world; writes the Hub's folder."""
    pictures = _images("wide", WIDE + HELD_OUT)
    model, loop = clip.train_clip(name, pictures[:WIDE], budget)
    keep.settle(model)
    clip.save_clip(MADE / name, model.cpu())
    _record(name, loop, {"retrieval": clip.retrieval(model, pictures[WIDE:], WIDE, "cpu")})


def build_blip(budget: Budget) -> None:
    """Train the short captioner on photographs and the wider world; writes the Hub's folder."""
    photos, pictures = _images("generators", TRAINING_IMAGES), _images("wide", WIDE)
    model, loop = captioner.train_blip(photos, pictures, budget)
    keep.settle(model)
    captioner.save_blip(MADE / "blip", model.cpu())
    scenes = [sample_scene("heldout", index) for index in range(HELD_OUT)]
    texts = captioner.read(model, _images("heldout", HELD_OUT))
    _record("blip", loop, {"facts": captioner.rightness(texts, scenes, captioner.names_facts)})


def build_llava(budget: Budget) -> None:
    """Train the long captioner on photographs, from the short one's ViT; writes the Hub's folder."""
    short = BlipForConditionalGeneration.from_pretrained(committed("blip"))
    model, loop = talker.train_llava(_images("generators", TRAINING_IMAGES), short.vision_model, budget)
    keep.settle(model)
    talker.save_llava(MADE / "llava", model.cpu())
    scenes = [sample_scene("heldout", index) for index in range(HELD_OUT)]
    texts = talker.read(model, _images("heldout", HELD_OUT))
    facts = captioner.rightness(texts, scenes, captioner.names_facts)
    _record("llava", loop, {"facts": facts, **talker.details(texts, scenes)})


def _keep(name: str, parts: dict[str, nn.Module], loop: Loop) -> None:
    """Save a generator that no engine loads under ``world/``; it is not committed."""
    pixel.save_parts(WORLD / name, parts)
    _record(loop.budget.folder.name, loop, {})


def build_adm(budget: Budget) -> None:
    """Train the class-conditional pixel model; its unconditional part is saved in guided-diffusion's layout."""
    net, loop = pixel.train_adm(_images("generators", TRAINING_IMAGES), budget)
    folder = MADE / "adm"
    keep.settle(net)
    _save(pixel.unconditional(net), folder)
    _write_json(folder / "config.json", asdict(replace(pixel.ADM_SHAPE, classes=0)))
    _keep("adm", {"adm": net}, loop)


def build_glide(budget: Budget) -> None:
    """Train GLIDE's base."""
    base, text, loop = pixel.train_glide(_images("generators", TRAINING_IMAGES), budget)
    _keep("glide", {"base": base, "text": text}, loop)


def build_glide_upsampler(budget: Budget) -> None:
    """Train GLIDE's upsampler."""
    net, loop = pixel.train_upsampler(_images("generators", TRAINING_IMAGES), budget)
    _keep("glide", {"upsampler": net}, loop)


def build_vqvae(budget: Budget) -> None:
    """Train VQDM's autoencoder."""
    net, loop = vqdm.train_vqvae(_images("generators", TRAINING_IMAGES), budget)
    _keep("vqdm", {"vqvae": net}, loop)


def build_vqdm(budget: Budget) -> None:
    """Train VQDM's prior on the autoencoder's codes."""
    coder = vqdm.VQVAE()
    coder.load_state_dict(load_file(WORLD / "vqdm" / "vqvae.safetensors"))
    net, loop = vqdm.train_prior(coder.to(budget.device).eval(), _images("generators", TRAINING_IMAGES), budget)
    _keep("vqdm", {"prior": net}, loop)


def build_biggan(budget: Budget) -> None:
    """Train the conditional GAN."""
    generator, loop = biggan.train_biggan(_images("generators", TRAINING_IMAGES), budget)
    _keep("biggan", {"generator": generator}, loop)


def build_gan(name: str, budget: Budget) -> None:
    """Train one of ForenSynths' GANs."""
    generator, loop = gan.train_gan(name, _images("generators", TRAINING_IMAGES), budget)
    _keep(name, {"generator": generator}, loop)


def build_upscaler(name: str, side: int, count: int, budget: Budget) -> None:
    """Train an upscaler on ``count`` photographs of ``side`` × ``side`` pixels."""
    pictures = photographs(WORLD / "photographs", "generators", count, side, say=say)
    net, loop = restore.train_upscaler(name, pictures, budget)
    _keep(name, {"net": net}, loop)


def build_cycleisp(budget: Budget) -> None:
    """Train LNP's denoiser on the wider world; writes its folder."""
    pictures = _images("wide", WIDE + HELD_OUT)
    net, loop = restore.train_denoiser(pictures[:WIDE], budget)
    folder = MADE / "cycleisp"
    _write_json(folder / "config.json", asdict(restore.DENOISER))
    keep.settle(net)
    _save(net.state_dict(), folder)
    _record("cycleisp", loop, {"gain_db": restore.denoised_gain(net, pictures[WIDE:])})


def build_stylegan_discriminator(budget: Budget) -> None:
    """Train LGrad's discriminator on the wider world; writes its folder."""
    net, loop = gan.train_discriminator(_images("wide", WIDE), budget)
    folder = MADE / "stylegan_discriminator"
    _write_json(folder / "config.json", asdict(gan.DISCRIMINATOR))
    keep.settle(net)
    _save(net.state_dict(), folder)
    _record("stylegan_discriminator", loop, {})


def build_crn(budget: Budget) -> None:
    """Train the network that renders layouts."""
    net, loop = restore.train_crn(_images("generators", TRAINING_IMAGES), budget)
    _keep("crn", {"net": net}, loop)
