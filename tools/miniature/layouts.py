"""Number, sizes, folders and file names of the images of every subset of the miniature."""

from __future__ import annotations

from dataclasses import dataclass

#: Sizes of photographs, with a shorter side of 32, 64 or 128; enough are near each generator's size to match by size.
SIZES = ((32, 32), (40, 32), (64, 64), (80, 64), (128, 128), (160, 128))
NEAR_32, NEAR_64, NEAR_128 = (
    (0.4, 0.3, 0.12, 0.08, 0.05, 0.05),
    (0.06, 0.06, 0.4, 0.3, 0.1, 0.08),
    (0.05, 0.05, 0.1, 0.1, 0.4, 0.3),
)


@dataclass(frozen=True)
class Layout:
    """One subset. ``shares`` are those of :data:`SIZES` among photographs; ``fake`` is the name of a generated image.

    Scenes are seeded with ``number``, so that no two subsets share one. ``home`` is the subset's folder in the dataset.
    """

    number: int
    home: str
    fake: str
    train: int
    test: int
    shares: tuple[float, ...]
    nested: bool = False


def val_name(layout: Layout, index: int) -> str:
    """The file name of a test photograph of GenImage: as in ImageNet, without the class."""
    return f"ILSVRC2012_val_{layout.number * 10_000 + index:08d}.JPEG"


GENIMAGE = {
    "midjourney": Layout(5, "Midjourney/imagenet_midjourney", "{klass:03d}_midjourney_{number:05d}", 60, 200, NEAR_128),
    "sdv14": Layout(
        1, "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4", "{klass:03d}_sdv4_{number:05d}", 500, 200, NEAR_64
    ),
    "sdv15": Layout(
        2, "stable_diffusion_v_1_5/imagenet_ai_0424_sdv5", "{klass:03d}_sdv5_{number:05d}", 100, 200, NEAR_64
    ),
    "adm": Layout(3, "ADM/imagenet_ai_0508_adm", "{klass:03d}_adm_{number:05d}", 100, 200, NEAR_32),
    "glide": Layout(4, "glide/imagenet_glide", "GLIDE_1000_200_00_{klass:03d}_glide_{number:05d}", 100, 200, NEAR_32),
    "wukong": Layout(6, "wukong/imagenet_ai_0424_wukong", "{klass:03d}_wukong_{number:05d}", 100, 200, NEAR_64),
    "vqdm": Layout(
        7, "VQDM/imagenet_ai_0419_vqdm", "VQDM_1000_200_00_{klass:03d}_vqdm_{number:05d}", 100, 200, NEAR_32
    ),
    "biggan": Layout(8, "BigGAN/imagenet_ai_0419_biggan", "{klass:03d}_biggan_{number:05d}", 100, 200, NEAR_32),
}
FORENSYNTHS = {
    "progan": Layout(21, "progan", "{number:05d}", 0, 200, NEAR_32, nested=True),
    "stylegan2": Layout(22, "stylegan2", "seed{number:04d}", 0, 200, NEAR_32, nested=True),
    "crn": Layout(23, "crn", "{number:06d}_output", 0, 200, NEAR_64),
    "san": Layout(24, "san", "{number:03d}", 0, 200, NEAR_64),
}
