"""Rebuild the miniature world: ``python -m tools.miniature.build vae sdv14 biggan --minutes 60``.

State is kept under ``world/``; every model continues where an earlier call stopped. ``images`` writes the committed
image packs with the trained models.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.miniature.unpack import CLASSES, PACKS, packs
from bench.models.embedded import WEIGHTS
from tools.miniature import gan, images, make, page, pixel, readback, restore, vae, vqdm
from tools.miniature.loop import Budget
from tools.miniature.make import WORLD, home, say
from tools.miniature.scenes import Scene


def _generators(device: str) -> dict[tuple[str, str], images.Generate]:
    """How the generated images of every subset are made, by dataset and subset."""

    def sd_of(name: str) -> images.Generate:
        return lambda scenes: images.sample_sd(home(name), scenes, device, say)

    def midjourney(scenes: list[Scene]) -> Iterator[images.RGB]:
        return restore.upscale(WORLD / "upscaler" / "net.safetensors", sd_of("midjourney")(scenes), device)

    def kept(sample: Callable[[Path, list[Scene], str], Iterator[images.RGB]], *path: str) -> images.Generate:
        return lambda scenes: sample(WORLD.joinpath(*path), scenes, device)

    return {
        **{("genimage", name): sd_of(name) for name in ("sdv14", "sdv15", "wukong")},
        ("genimage", "midjourney"): midjourney,
        ("genimage", "adm"): kept(pixel.sample_adm, "adm", "adm.safetensors"),
        ("genimage", "glide"): kept(pixel.sample_glide, "glide"),
        ("genimage", "vqdm"): kept(vqdm.sample_vqdm, "vqdm"),
        ("genimage", "biggan"): kept(images.sample_biggan, "biggan", "generator.safetensors"),
        ("forensynths", "progan"): kept(partial(gan.sample_gan, "progan"), "progan", "generator.safetensors"),
        ("forensynths", "stylegan2"): kept(partial(gan.sample_gan, "stylegan2"), "stylegan2", "generator.safetensors"),
        ("forensynths", "crn"): kept(restore.sample_crn, "crn", "net.safetensors"),
        ("forensynths", "san"): kept(restore.sample_san, "san", "net.safetensors"),
    }


def _write_images(names: list[str], budget: Budget) -> None:
    """Write the committed packs of the named subsets (``genimage-adm``), or of all."""
    for (corpus, subset), generate in _generators(budget.device).items():
        if not names or f"{corpus}-{subset}" in names:
            images.write_pack(PACKS, corpus, subset, generate)
            say(f"wrote {corpus}-{subset}")
    images.write_classes(CLASSES)


def _read_back(budget: Budget) -> None:
    """Record for every subset how often the captioner finds in its images the facts that they were generated from."""
    for path in packs():
        make.note(path.stem.partition("-")[2], readback.read_back(path, make.committed("blip")))


def _write_page(budget: Budget) -> None:
    """Write docs/miniature.md from the committed packs and weights."""
    page.write_page(packs(), WEIGHTS, Path("docs"))


BUILDERS: dict[str, Callable[[Budget], None]] = {
    "resnet18": partial(make.build_backbone, "resnet18", 64),
    "resnet50": partial(make.build_backbone, "resnet50", 56),
    "convnext": partial(make.build_backbone, "convnext", 56),
    "dinov2": partial(make.build_backbone, "dinov2", 56),
    "lpips": partial(make.build_backbone, "lpips", 64),
    "vae": partial(make.build_vae, "vae", vae.SEED, vae.WIDTHS, vae.STEPS),
    "midjourney_vae": partial(make.build_vae, "midjourney_vae", 60, (24, 48, 72), 1200),
    "midjourney": partial(make.build_pipeline, "midjourney", "sdv14", latents="midjourney_vae"),
    "upscaler": partial(make.build_upscaler, "upscaler", 128, 3000),
    "vqvae": make.build_vqvae,
    "vqdm": make.build_vqdm,
    "progan": partial(make.build_gan, "progan"),
    "stylegan2": partial(make.build_gan, "stylegan2"),
    "san": partial(make.build_upscaler, "san", 64, make.TRAINING_IMAGES),
    "crn": make.build_crn,
    "cycleisp": make.build_cycleisp,
    "stylegan_discriminator": make.build_stylegan_discriminator,
    "sdv14": partial(make.build_pipeline, "sdv14", ""),
    "sdv15": partial(make.build_pipeline, "sdv15", "sdv14"),
    "wukong": partial(make.build_pipeline, "wukong", ""),
    "sdv1_inpaint": partial(make.build_pipeline, "sdv1_inpaint", "sdv14"),
    "sdv21": partial(make.build_pipeline, "sdv21", "sdv14"),
    "clip_vit_l14": partial(make.build_clip, "clip_vit_l14"),
    "clip_vit_b32": partial(make.build_clip, "clip_vit_b32"),
    "clip_rn50": partial(make.build_clip, "clip_rn50"),
    "blip": make.build_blip,
    "llava": make.build_llava,
    "adm": make.build_adm,
    "glide": make.build_glide,
    "glide_upsampler": make.build_glide_upsampler,
    "biggan": make.build_biggan,
    "readback": _read_back,
    "page": _write_page,
}


def main() -> None:
    """Parse the command line and run the named builders in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join([*BUILDERS, "images", "genimage-sdv14 and other packs"])
    parser.add_argument("models", nargs="+", help=f"what to build, in order: {known}; or all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--minutes", type=float, default=600.0, help="time limit per model; run the command again to continue"
    )
    parser.add_argument("--threads", type=int, default=2, help="number of torch threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pack_names = [f"{corpus}-{subset}" for corpus, subset in _generators(arguments.device)]
    packers = {name: partial(_write_images, [name]) for name in pack_names}
    builders = BUILDERS | {"images": partial(_write_images, [])} | packers
    if arguments.models == ["all"]:
        arguments.models = [
            *(name for name in BUILDERS if name not in ("readback", "page")),
            "images",
            "readback",
            "page",
        ]
    unknown = [name for name in arguments.models if name not in builders]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(builders)}")
    with sdpa_kernel(
        SDPBackend.MATH
    ):  # At these sizes, the CPU's fused attention spends a third of a step in its backward pass.
        for name in arguments.models:
            builders[name](Budget(WORLD / name, arguments.device, arguments.minutes, say))


if __name__ == "__main__":
    main()
