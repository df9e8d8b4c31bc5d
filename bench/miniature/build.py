"""Make the miniature world again: ``python -m bench.miniature.build vae sdv14 biggan --minutes 60``.

State is kept under ``world/``; every model resumes from where an earlier call stopped. ``images`` writes the committed
image packs from the trained models.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from bench.miniature.builders import biggan, images, page, sd, vae
from bench.miniature.builders.corpus import photographs
from bench.miniature.builders.loop import Budget, Loop
from bench.miniature.unpack import PACKS, packs

WORLD = Path("world")
WEIGHTS = Path(__file__).parent / "weights"
TRAINING_IMAGES, HELD_OUT = 14_000, 1_000


def _say(message: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")
    sys.stderr.flush()


def _images(stream: str, count: int) -> np.ndarray:
    return photographs(WORLD / "photographs", stream, count, say=_say)


def _record(name: str, loop: Loop, quality: dict[str, float]) -> None:
    entry = {"steps": loop.step, "of": loop.total, "minutes": round(loop.seconds / 60, 1), "device": loop.budget.device}
    path = WEIGHTS / "quality.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = entry | {key: round(value, 4) for key, value in quality.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _say(f"{name}: {known[name]}")


def build_vae(budget: Budget) -> None:
    """Train the VAE and keep it, scaled so that its latents have unit deviation."""
    network, loop = vae.train_vae(_images("generators", TRAINING_IMAGES), budget)
    mean, std = vae.latents(network, _images("generators", 1000), budget.device)
    deviation = float((mean.var() + std.square().mean()).sqrt())
    network.register_to_config(scaling_factor=round(1 / deviation, 5))
    network.save_pretrained(WORLD / "vae" / "network")
    _record("vae", loop, vae.quality(network, _images("heldout", HELD_OUT), budget.device))


def build_sdv14(budget: Budget) -> None:
    """Train UNet and text encoder on the VAE's latents; writes the pipeline folder."""
    network = AutoencoderKL.from_pretrained(WORLD / "vae" / "network").to(budget.device).eval()
    unet, text, loop = sd.train_sd(network, _images("generators", TRAINING_IMAGES), budget)
    sd.save_pipeline(WEIGHTS / "sdv14", network.cpu(), unet.cpu(), text.cpu())
    _record("sdv14", loop, {})


def build_biggan(budget: Budget) -> None:
    """Train the conditional GAN; its weights stay under ``world/``, since no engine loads them."""
    generator, loop = biggan.train_biggan(_images("generators", TRAINING_IMAGES), budget)
    torch.save(generator.state_dict(), WORLD / "biggan" / "generator.pt")
    _record("biggan", loop, {})


def build_images(budget: Budget) -> None:
    """Sample both generators and write the committed packs."""
    generators = {
        "sdv14": lambda scenes: images.sample_sd(WEIGHTS / "sdv14", scenes, budget.device, _say),
        "biggan": lambda scenes: images.sample_biggan(WORLD / "biggan" / "generator.pt", scenes, budget.device),
    }
    for subset, generate in generators.items():
        images.write_pack(PACKS / f"genimage-{subset}.zip", subset, generate)
        _say(f"wrote {subset}")


def build_page(budget: Budget) -> None:
    """Write docs/miniature.md from what is committed."""
    page.write_page(packs(), WEIGHTS, Path("docs"))


BUILDERS: dict[str, Callable[[Budget], None]] = {
    "vae": build_vae,
    "sdv14": build_sdv14,
    "biggan": build_biggan,
    "images": build_images,
    "page": build_page,
}


def main() -> None:
    """Parse the command line and run the named builders in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=list(BUILDERS), help="what to build, in order")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--minutes", type=float, default=600.0, help="stop each model after this long; call again to go on"
    )
    arguments = parser.parse_args()
    for name in arguments.models:
        BUILDERS[name](Budget(WORLD / name, arguments.device, arguments.minutes, _say))


if __name__ == "__main__":
    main()
