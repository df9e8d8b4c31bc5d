"""UniversalFakeDetect's diffusion sets: photographs and fakes in different folders (arXiv 2302.10174).

Pairs of folders: WisconsinAIVision/UniversalFakeDetect@3bf7228:dataset_paths.py. Guided diffusion is compared with
ImageNet's photographs, all others with LAION's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, class_folders
from bench.data.files import named, subfolders
from bench.types import FAKE, REAL

#: Folder of the photographs of each subset; LAION's if it is not named.
_REALS = {"guided": "imagenet"}
_LAION = "laion"


class UFD(Dataset):
    """Eight test sets of latent and pixel diffusion and of DALL·E mini, a thousand images per class."""

    name = "ufd"
    title = "UniversalFakeDetect"
    paper = (
        "Ojha et al.: Towards Universal Fake Image Detectors that Generalize Across Generative Models, CVPR 2023, "
        "arXiv 2302.10174"
    )
    subsets = (
        Subset("guided", "Guided", "adm", ("guided",), released="2021-05"),
        Subset("ldm_200", "LDM 200", "ldm", ("ldm_200",), released="2021-12"),
        Subset("ldm_200_cfg", "LDM 200 CFG", "ldm", ("ldm_200_cfg",), released="2021-12"),
        Subset("ldm_100", "LDM 100", "ldm", ("ldm_100",), released="2021-12"),
        Subset("glide_100_27", "GLIDE 100-27", "glide", ("glide_100_27",), released="2021-12"),
        Subset("glide_50_27", "GLIDE 50-27", "glide", ("glide_50_27",), released="2021-12"),
        Subset("glide_100_10", "GLIDE 100-10", "glide", ("glide_100_10",), released="2021-12"),
        Subset("dalle", "DALL·E mini", "dalle_mini", ("dalle",), released="2021-07"),
    )

    page = "https://github.com/WisconsinAIVision/UniversalFakeDetect"
    afterwards = "On Google Drive (folder 1FXlGIRh_Ud3cScMgSVDbEWmPDmjcrm1t): unpack diffusion_datasets."

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders in ``root`` or in its folder ``diffusion_datasets``, with the photographs beside them."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for home in (root, *named(root, "diffusion_datasets")):
            reals = {name: _of(home, name, REAL) for name in {*_REALS.values(), _LAION}}
            for folder in subfolders(home):
                name = by_alias.get(folder.name.lower())
                if name is None or name in subsets:
                    continue
                # Some copies have put the photographs into each subset's folder.
                classes = {REAL: reals[_REALS.get(name, _LAION)]} | class_folders(folder)
                if FAKE in classes:
                    subsets[name] = {"test": {label: paths for label, paths in classes.items() if paths}}
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/{imagenet,laion}/0_real/*.jpg with DIR/{guided,ldm_200,dalle,…}/1_fake/*.png"


def _of(home: Path, name: str, label: int) -> tuple[Path, ...]:
    return tuple(path for folder in named(home, name) for path in class_folders(folder).get(label, ()))


DATASET = UFD()
