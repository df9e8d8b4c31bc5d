"""The committed images: photographs as JPEG, generated images without loss, in GenImage's folders; a zip a subset."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.miniature.builders.biggan import LATENT, Generator
from bench.miniature.camera import encode_jpeg, photograph
from bench.miniature.scenes import COLOURS, GROUNDS, OBJECTS, Scene, sample_scene
from bench.nets import ddim
from bench.nets.latent_diffusion import LatentDiffusion
from bench.recon.batching import noise

RGB = NDArray[np.uint8]
Notify = Callable[[str], None]
#: Sizes of photographs, smaller side 32, 64 or 128, with enough near each generator's own size to match by size.
SIZES = ((32, 32), (40, 32), (64, 64), (80, 64), (128, 128), (160, 128))
GUIDANCE, STEPS, TRUNCATION, BATCH = 7.5, 50, 0.8, 50


@dataclass(frozen=True)
class Layout:
    """How many images a split has, and what a subset's folders and files are called in GenImage."""

    number: int
    outer: str
    inner: str
    token: str
    train: int
    test: int
    shares: tuple[float, ...]


SUBSETS = {
    "sdv14": Layout(
        1, "stable_diffusion_v_1_4", "imagenet_ai_0419_sdv4", "sdv4", 600, 200, (0.06, 0.06, 0.4, 0.3, 0.1, 0.08)
    ),
    "biggan": Layout(8, "BigGAN", "imagenet_ai_0419_biggan", "biggan", 200, 200, (0.4, 0.3, 0.12, 0.08, 0.05, 0.05)),
}
_SPLITS = {"train": 0, "val": 1}


def scene_class(scene: Scene) -> int:
    """A number for object, colour and ground: the miniature's ImageNet class."""
    return (OBJECTS.index(scene.object) * len(COLOURS) + COLOURS.index(scene.colour)) * len(GROUNDS) + GROUNDS.index(
        scene.ground
    )


def _real(layout: Layout, split: str, index: int) -> tuple[str, bytes]:
    scene = sample_scene("detectors", layout.number, _SPLITS[split], 0, index)
    rng = np.random.default_rng([*scene.seed, 3])
    width, height = SIZES[int(rng.choice(len(SIZES), p=layout.shares))]
    data = encode_jpeg(photograph(scene, width, height), rng)
    place = layout.number * 10_000 + index
    name = f"n{scene_class(scene):08d}_{place}" if split == "train" else f"ILSVRC2012_val_{place:08d}"
    return f"{split}/nature/{name}.JPEG", data


def fake_scenes(layout: Layout, split: str, count: int) -> list[Scene]:
    """The scenes whose facts the generated images are asked for: a stream of their own."""
    return [sample_scene("detectors", layout.number, _SPLITS[split], 1, index) for index in range(count)]


@torch.no_grad()
def sample_sd(folder: Path, scenes: list[Scene], device: str, say: Notify) -> Iterator[RGB]:
    """Text-to-image by DDIM with guidance, one short caption and one noise an image."""
    model = LatentDiffusion(folder, device)
    times = ddim.timesteps(STEPS, model.train_steps, model.offset)
    side = model.unet.config.sample_size
    for start in range(0, len(scenes), BATCH):
        part = scenes[start : start + BATCH]
        guided = model.predictor([scene.caption for scene in part], GUIDANCE)
        drawn = np.stack([noise(str(scene.seed), 0, (4, side, side)) for scene in part])
        latents = ddim.sample(torch.from_numpy(drawn).to(device), guided, times, model.alphas, model.final_alpha)
        yield from model.decode(latents)
        say(f"text to image: {start + len(part)} of {len(scenes)}")


@torch.no_grad()
def sample_biggan(weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Class-conditional images from truncated noise."""
    generator = Generator()
    generator.load_state_dict(torch.load(weights, weights_only=True))
    generator.to(device).eval()
    rows = [(OBJECTS.index(s.object), COLOURS.index(s.colour), GROUNDS.index(s.ground)) for s in scenes]
    z = torch.from_numpy(np.stack([noise(str(s.seed), 0, (LATENT,)) for s in scenes])) * TRUNCATION
    for chunk, ids in zip(z.split(BATCH), torch.tensor(rows).split(BATCH), strict=True):
        pixels = ((generator(chunk.to(device), ids.to(device)) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        yield from pixels.permute(0, 2, 3, 1).cpu().numpy()


def _webp(rgb: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", lossless=True, quality=100, method=6)
    return buffer.getvalue()


def write_pack(path: Path, subset: str, generate: Callable[[list[Scene]], Iterator[RGB]]) -> None:
    """Write one subset's zip; the same images give the same bytes."""
    layout = SUBSETS[subset]
    members: list[tuple[str, bytes]] = []
    for split, count in (("train", layout.train), ("val", layout.test)):
        members += [_real(layout, split, index) for index in range(count)]
        scenes = fake_scenes(layout, split, count)
        for index, (scene, rgb) in enumerate(zip(scenes, generate(scenes), strict=True)):
            # GenImage's file numbers run through train and val.
            number = index + (0 if split == "train" else layout.train)
            members.append((f"{split}/ai/{scene_class(scene):03d}_{layout.token}_{number:05d}.webp", _webp(rgb)))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as pack:
        for name, data in sorted(members):
            pack.writestr(zipfile.ZipInfo(f"{layout.outer}/{layout.inner}/{name}"), data)
    partial.replace(path)
