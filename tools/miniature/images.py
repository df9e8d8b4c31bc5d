"""The committed images in the datasets' layouts, one zip per subset: photographs as JPEG, generated images lossless."""

from __future__ import annotations

import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from bench.artefacts.batching import noise
from bench.data.classes import FILES, NAMES
from bench.nets import ddim
from bench.nets.latent_diffusion import LatentDiffusion
from tools.miniature.biggan import LATENT, Generator
from tools.miniature.camera import encode_jpeg, photograph
from tools.miniature.layouts import FORENSYNTHS, GENIMAGE, SIZES, Layout, val_name
from tools.miniature.loop import rgb_of
from tools.miniature.scenes import COLOURS, GROUNDS, OBJECTS, Scene, class_words, sample_scene, scene_class

RGB = NDArray[np.uint8]
Notify = Callable[[str], None]
Generate = Callable[[list[Scene]], Iterator[RGB]]
GUIDANCE, STEPS, TRUNCATION, BATCH = 7.5, 50, 0.8, 50


_SPLITS = {"train": 0, "val": 1}
#: The ending of generated images in a pack; photographs are JPEG.
FAKE_ENDING = ".webp"


def _photograph(layout: Layout, split: str, index: int) -> tuple[Scene, bytes]:
    scene = sample_scene("detectors", layout.number, _SPLITS[split], 0, index)
    rng = np.random.default_rng([*scene.seed, 3])
    width, height = SIZES[int(rng.choice(len(SIZES), p=layout.shares))]
    return scene, encode_jpeg(photograph(scene, width, height), rng)


def fake_scenes(layout: Layout, split: str, count: int) -> list[Scene]:
    """The scenes whose facts generated images are conditioned on; no photograph shows one of them."""
    return [sample_scene("detectors", layout.number, _SPLITS[split], 1, index) for index in range(count)]


def fake_name(layout: Layout, split: str, scene: Scene, index: int) -> str:
    """The file name, without its ending, of a split's image number ``index``; numbers continue across the splits."""
    number = index + (0 if split == "train" else layout.train)
    return layout.fake.format(klass=scene_class(scene), number=number)


@torch.no_grad()
def sample_sd(folder: Path, scenes: list[Scene], device: str, say: Notify) -> Iterator[RGB]:
    """Text-to-image by DDIM with guidance, with one short caption and one noise per image."""
    model = LatentDiffusion(folder, device)
    times = ddim.timesteps(STEPS, model.train_steps, model.offset)
    side = model.unet.config.sample_size
    for start in range(0, len(scenes), BATCH):
        part = scenes[start : start + BATCH]
        guided = model.predictor([scene.caption for scene in part], GUIDANCE)
        initial = np.stack([noise(str(scene.seed), 0, (4, side, side)) for scene in part])
        latents = ddim.sample(torch.from_numpy(initial).to(device), guided, times, model.alphas, model.final_alpha)
        yield from model.decode(latents)
        say(f"text to image: {start + len(part)} of {len(scenes)}")


@torch.no_grad()
def sample_biggan(weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Class-conditional images from truncated noise."""
    generator = Generator()
    generator.load_state_dict(load_file(weights))
    generator.to(device).eval()
    rows = [(OBJECTS.index(s.object), COLOURS.index(s.colour), GROUNDS.index(s.ground)) for s in scenes]
    z = torch.from_numpy(np.stack([noise(str(s.seed), 0, (LATENT,)) for s in scenes])) * TRUNCATION
    for chunk, ids in zip(z.split(BATCH), torch.tensor(rows).split(BATCH), strict=True):
        yield from rgb_of(generator(chunk.to(device), ids.to(device)))


def _webp(rgb: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", lossless=True, quality=100, method=6)
    return buffer.getvalue()


def _genimage(layout: Layout, generate: Generate) -> Iterator[tuple[str, bytes]]:
    """Photographs as JPEG below ``nature``, generated images below ``ai``; file numbers continue from train to val."""
    for split, count in (("train", layout.train), ("val", layout.test)):
        for index in range(count):
            scene, data = _photograph(layout, split, index)
            training = f"n{scene_class(scene):08d}_{layout.number * 10_000 + index}.JPEG"
            yield f"{split}/nature/{training if split == 'train' else val_name(layout, index)}", data
        scenes = fake_scenes(layout, split, count)
        for index, (scene, rgb) in enumerate(zip(scenes, generate(scenes), strict=True)):
            yield f"{split}/ai/{fake_name(layout, split, scene, index)}{FAKE_ENDING}", _webp(rgb)


def _forensynths(layout: Layout, generate: Generate) -> Iterator[tuple[str, bytes]]:
    """Both classes become PNG when unpacked, photographs after JPEG coding. Nested subsets have a folder per object."""
    scenes = fake_scenes(layout, "val", layout.test)
    for index, (scene, rgb) in enumerate(zip(scenes, generate(scenes), strict=True)):
        real, data = _photograph(layout, "val", index)
        kinds = (("0_real", real, ".png.jpg", data), ("1_fake", scene, FAKE_ENDING, _webp(rgb)))
        for kind, shown, ending, kept in kinds:
            home = f"{shown.object}/{kind}" if layout.nested else kind
            yield f"{home}/{fake_name(layout, 'val', shown, index)}{ending}", kept


def write_pack(folder: Path, corpus: str, subset: str, generate: Generate) -> None:
    """Write the zip of one subset; the same images give the same bytes."""
    layout = {"genimage": GENIMAGE, "forensynths": FORENSYNTHS}[corpus][subset]
    members = {"genimage": _genimage, "forensynths": _forensynths}[corpus](layout, generate)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{corpus}-{subset}.zip"
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as pack:
        for name, data in sorted(members):
            pack.writestr(zipfile.ZipInfo(f"{layout.home}/{name}"), data)
    partial.replace(path)


def write_classes(path: Path) -> None:
    """Write the class tables that complete GenImage's file names; see :mod:`bench.data.classes`."""
    words = {key: text for i, text in enumerate(class_words()) for key in (str(i), f"n{i:08d}")}
    files = {
        val_name(layout, index): f"n{scene_class(sample_scene('detectors', layout.number, 1, 0, index)):08d}"
        for layout in GENIMAGE.values()
        for index in range(layout.test)
    }
    path.write_bytes(lzma.compress(json.dumps({NAMES: words, FILES: files}).encode()))
