"""Synthbuster: nine generators against the photographs of RAISE-1k (IEEE OJSP 2023, zenodo.org/records/10066460).

Folder names and the place of the photographs: grip-unina/ClipBased-SyntheticImageDetection@5c30725:data. The
photographs are a download of their own, ``real_RAISE_1k.zip``, which is unpacked beside the generators.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bench.data.dataset import Dataset, Folders, Subset
from bench.data.files import named
from bench.download import Remote
from bench.types import FAKE

#: Names of the folder of photographs.
_REALS = ("real_raise_1k", "raise-1k", "raise_1k", "raise", "real", "0_real")


class Synthbuster(Dataset):
    """A thousand images by each of nine text-to-image models, made from descriptions of RAISE-1k's photographs."""

    name = "synthbuster"
    title = "Synthbuster"
    paper = "Bammey: Synthbuster: Towards Detection of Diffusion Model Generated Images, IEEE OJSP 2023"
    licence = "CC BY-NC-SA 4.0"
    commercial = "no"
    subsets = (
        Subset("dalle2", "DALL·E 2", "dalle2", ("dalle2",), released="2022-04"),
        Subset("dalle3", "DALL·E 3", "dalle3", ("dalle3",), released="2023-10"),
        Subset("firefly", "Firefly", "firefly", ("firefly",), released="2023-03"),
        Subset("glide", "GLIDE", "glide", ("glide",), released="2021-12"),
        Subset("midjourney-v5", "MJ v5", "midjourney", ("midjourney-v5",), released="2023-03"),
        Subset("sdv13", "SDv1.3", "sd1", ("stable-diffusion-1-3",), released="2022-08"),
        Subset("sdv14", "SDv1.4", "sd1", ("stable-diffusion-1-4",), released="2022-08"),
        Subset("sdv2", "SDv2", "sd2", ("stable-diffusion-2",), released="2022-11"),
        Subset("sdxl", "SDXL", "sdxl", ("stable-diffusion-xl",), released="2023-07"),
    )

    page = "https://zenodo.org/records/10066460"
    downloads = (
        Remote(
            "12.4 GB",
            url="https://zenodo.org/records/10066460/files/synthbuster.zip?download=1",
            md5="0695bd328e16ea21c5c9cc2ae1d994ff",
            unpack=True,
        ),
        Remote(
            "RAISE-1k's photographs, size unknown",
            url="https://www.grip.unina.it/download/prog/DMimageDetection/real_RAISE_1k.zip",
            md5="a6aad7726228218f22a28b9c9aacaa2c",
            unpack=True,
        ),
    )
    expected = MappingProxyType({(subset.name, "test", FAKE): 1_000 for subset in subsets})

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders and one folder of photographs, in ``root`` or in its folder ``synthbuster``."""
        homes = (root, *named(root, "synthbuster"))
        reals = tuple(path for home in homes for name in _REALS for path in named(home, name))
        return self.beside(homes, reals)

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/synthbuster/{dalle2,stable-diffusion-xl,…}/*.png with DIR/synthbuster/real_RAISE_1k/*"


DATASET = Synthbuster()
