"""DRCT-2M: sixteen Stable Diffusion models against MSCOCO's photographs (ICML 2024).

Layout: beibuwandeluori/DRCT@01aa7d0:data/dataset.py. ``val2017`` is the test split of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, tested
from bench.data.files import named, subfolders


class DRCT2M(Dataset):
    """DRCT's dataset: the captions of MSCOCO drawn by sixteen models, its photographs in a folder of their own."""

    name = "drct2m"
    title = "DRCT-2M"
    paper = (
        "Chen et al.: DRCT: Diffusion Reconstruction Contrastive Training towards Universal Detection of Diffusion "
        "Generated Images, ICML 2024"
    )
    subsets = (
        Subset("ldm", "LDM", "ldm", ("ldm-text2im-large-256",), released="2021-12"),
        Subset("sdv14", "SDv1.4", "sd1", ("stable-diffusion-v1-4",), released="2022-08"),
        Subset("sdv15", "SDv1.5", "sd1", ("stable-diffusion-v1-5",), released="2022-10"),
        Subset("sdv21", "SDv2.1", "sd2", ("stable-diffusion-2-1",), released="2022-12"),
        Subset("sdxl", "SDXL", "sdxl", ("stable-diffusion-xl-base-1.0",), released="2023-07"),
        Subset("sdxl_refiner", "SDXL refiner", "sdxl", ("stable-diffusion-xl-refiner-1.0",), released="2023-07"),
        Subset("sd_turbo", "SD turbo", "sd2", ("sd-turbo",), released="2023-11"),
        Subset("sdxl_turbo", "SDXL turbo", "sdxl", ("sdxl-turbo",), released="2023-11"),
        Subset("lcm_sdv15", "LCM SDv1.5", "sd1", ("lcm-lora-sdv1-5",), released="2023-11"),
        Subset("lcm_sdxl", "LCM SDXL", "sdxl", ("lcm-lora-sdxl",), released="2023-11"),
        Subset("sd1_controlnet", "SDv1 ctrl", "sd1", ("sd-controlnet-canny",), released="2023-02"),
        Subset("sd2_controlnet", "SDv2 ctrl", "sd2", ("sd21-controlnet-canny",), released="2023-03"),
        Subset("sdxl_controlnet", "SDXL ctrl", "sdxl", ("controlnet-canny-sdxl-1.0",), released="2023-08"),
        Subset("sd1_inpainting", "SDv1 DR", "sd1", ("stable-diffusion-inpainting",), released="2022-10"),
        Subset("sd2_inpainting", "SDv2 DR", "sd2", ("stable-diffusion-2-inpainting",), released="2022-11"),
        Subset("sdxl_inpainting", "SDXL DR", "sdxl", ("stable-diffusion-xl-1.0-inpainting-0.1",), released="2023-09"),
    )

    page = "https://modelscope.cn/datasets/BokingChen/DRCT-2M"
    afterwards = "Unpack images/*.zip; the photographs are MS COCO's train2017 and val2017."

    def find(self, root: Path) -> Mapping[str, Folders]:
        """``<model>/val2017`` in ``root``, ``DRCT-2M`` or ``images``, and photographs in ``MSCOCO/val2017`` there."""
        homes = [root, *named(root, "drct-2m")]
        homes += [folder for home in tuple(homes) for folder in named(home, "images")]
        cocos = [folder for home in homes for name in ("mscoco", "coco") for folder in named(home, name)]
        reals = tuple(path for coco in cocos for path in named(coco, "val2017"))
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for folder in (folder for home in homes for folder in subfolders(home)):
            name, fakes = by_alias.get(folder.name.lower()), tuple(named(folder, "val2017"))
            if name and fakes and name not in subsets:
                subsets[name] = tested(fakes, reals)
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/DRCT-2M/stable-diffusion-v1-4/val2017/*.png with DIR/MSCOCO/val2017/*.jpg"


DATASET = DRCT2M()
