"""DiffusionForensics, DIRE's test sets (ICCV 2023, arXiv 2303.09295), as released or as NPR packed them again.

As released: ``images/test/<photographs>/{real,<generator>}`` (ZhendongWang6/DIRE). Packed again:
``<generator>/{0_real,1_fake}`` (chuangchuangtan/NPR-DeepfakeDetection). The folders ``recons`` and ``dire`` hold
reconstructions and maps, not images.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, class_folders, tested
from bench.data.files import named, subfolders
from bench.types import FAKE, REAL


class DiffusionForensics(Dataset):
    """Eight diffusion models on LSUN bedrooms, and ADM and Stable Diffusion on ImageNet; only ``test`` is used."""

    name = "diffusionforensics"
    title = "DiffusionForensics"
    paper = "Wang et al.: DIRE for Diffusion-Generated Image Detection, ICCV 2023, arXiv 2303.09295"
    subsets = (
        Subset("adm", "ADM", "adm", ("adm",), released="2021-05"),
        Subset("ddpm", "DDPM", "ddpm", ("ddpm",), released="2020-06"),
        Subset("iddpm", "iDDPM", "ddpm", ("iddpm",), released="2021-02"),
        Subset("pndm", "PNDM", "ddpm", ("pndm",), released="2022-02"),
        Subset("ldm", "LDM", "ldm", ("ldm",), released="2021-12"),
        Subset("sdv1", "SDv1", "sd1", ("sdv1", "sdv1_new", "sdv1_new1", "sdv1_new2"), released="2022-08"),
        Subset("sdv2", "SDv2", "sd2", ("sdv2",), released="2022-11"),
        Subset("vqdiffusion", "VQ-Diffusion", "vqdm", ("vqdiffusion", "vqd"), released="2021-11"),
        Subset("imagenet-adm", "ADM, ImageNet", "adm", ("imagenet-adm",), released="2021-05"),
        Subset("imagenet-sdv1", "SDv1, ImageNet", "sd1", ("imagenet-sdv1",), released="2022-08"),
    )

    page = "https://github.com/ZhendongWang6/DIRE"
    afterwards = "On Baidu and RecDrive; repacked on Google Drive by NPR (file 1jZE4hg6SxRvKaPYO_yyMeJN_DOcqGMEf)."

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Either layout, in ``root`` or in its folder ``DiffusionForensics``."""
        for home in (root, *named(root, "diffusionforensics")):
            if subsets := self._released(home) or self._packed(home):
                return subsets
        return {}

    def _released(self, home: Path) -> dict[str, Folders]:
        """``images/test/<photographs>/{real,<generator>}``: a subset for each pair of photographs and generator."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        tests = [test for images in named(home, "images") for test in named(images, "test")]
        for source in (source for test in tests for source in subfolders(test)):
            reals = tuple(named(source, "real"))
            plain = source.name.lower() in ("lsun_bedroom", "lsun_bedrooms")
            for folder in (f for f in subfolders(source) if f not in reals):
                known = by_alias.get(folder.name.lower(), folder.name.lower())
                name = known if plain else f"{source.name.lower()}-{known}"
                subsets[name] = tested((folder,), reals)
        return subsets

    def _packed(self, home: Path) -> dict[str, Folders]:
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for folder in subfolders(home):
            name = by_alias.get(folder.name.lower())
            if name and name not in subsets and (found := class_folders(folder, {"0_real": REAL, "1_fake": FAKE})):
                subsets[name] = {"test": found}
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/images/test/lsun_bedroom/{real,adm,…}/*.png, or DIR/{adm,…}/{0_real,1_fake}/*.png"


DATASET = DiffusionForensics()
