"""GenImage: eight generators, each ``{train,val}/{ai,nature}`` in folders with two names (arXiv 2306.08571).

Folder names and file patterns after unzipping: beibuwandeluori/DRCT@01aa7d0:data/dataset.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.data.dataset import Dataset, Folders, Split, Subset
from bench.data.files import named, subfolders
from bench.download import Remote
from bench.types import FAKE, REAL

_SPLITS: tuple[tuple[Split, str], ...] = (("train", "train"), ("test", "val"))
_KINDS = ((REAL, "nature"), (FAKE, "ai"))
# A fake's file name has the class number as its first token, or as its fifth for GLIDE and VQDM; a real's has a synset.
_CLASS = re.compile(r"^(?:(?:GLIDE|VQDM)_\d+_\d+_\d+_(\d+)_|(\d+)_[a-z]|(n\d{8})_)", re.IGNORECASE)

#: Images of a class of each subset, and how many more SDv1.5 has. Training photographs by subset are not published.
_EXPECTED: tuple[tuple[Split, int, int, int], ...] = (
    ("train", FAKE, 162_000, 4_000),
    ("test", REAL, 6_000, 2_000),
    ("test", FAKE, 6_000, 2_000),
)


class GenImage(Dataset):
    """The papers' training set and main test set."""

    name = "genimage"
    title = "GenImage"
    paper = (
        "Zhu et al.: GenImage: A Million-Scale Benchmark for Detecting AI-Generated Image, NeurIPS 2023, "
        "arXiv 2306.08571"
    )
    licence = "custom, non-commercial (after CC BY-NC-SA 4.0)"
    commercial = "no"
    subsets = (
        Subset("midjourney", "MJ", "midjourney", ("midjourney", "imagenet_midjourney"), released="2023-03"),
        Subset(
            "sdv14",
            "SDv1.4",
            "sd1",
            ("stable_diffusion_v_1_4", "imagenet_ai_0419_sdv4", "stable diffusion v1.4", "sdv14"),
            released="2022-08",
        ),
        Subset(
            "sdv15",
            "SDv1.5",
            "sd1",
            ("stable_diffusion_v_1_5", "imagenet_ai_0424_sdv5", "stable diffusion v1.5", "sdv15"),
            released="2022-10",
        ),
        Subset("adm", "ADM", "adm", ("adm", "imagenet_ai_0508_adm"), released="2021-05"),
        Subset("glide", "GLIDE", "glide", ("glide", "imagenet_glide"), released="2021-12"),
        Subset("wukong", "Wukong", "sd1", ("wukong", "imagenet_ai_0424_wukong"), released="2022-09"),
        Subset("vqdm", "VQDM", "vqdm", ("vqdm", "imagenet_ai_0419_vqdm"), released="2021-11"),
        Subset("biggan", "BigGAN", "biggan", ("biggan", "imagenet_ai_0419_biggan"), released="2018-09"),
    )

    page = "https://github.com/GenImage-Dataset/GenImage"
    downloads = (Remote("635 GB in split zip archives", hub="ENSTA-U2IS/GenImage", kind="dataset"),)
    afterwards = "In each folder, unpack its archive: 7z x imagenet_*.zip (the parts .z01 … are read with it)."
    expected = MappingProxyType(
        {
            (name, split, label): count + (extra if name == "sdv15" else 0)
            for name in (subset.name for subset in subsets)
            for split, label, count, extra in _EXPECTED
        }
    )
    known_broken = frozenset(
        (
            *(f"033_sdv4_{number}.png" for number in ("00134", "00137", "00152")),
            *(f"208_midjourney_{number}.png" for number in (76, 91, 92)),
            *(f"116_biggan_{number}.png" for number in ("00081", "00094", "00098", "00107")),
        )
    )

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Accepts outer/inner/split/kind, outer/split/kind and inner/split/kind, ignoring case."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for folder in sorted(subfolders(root), key=lambda f: (f.name != self.own_name(f), f.name)):
            name = by_alias.get(folder.name.lower()) or self.own_name(folder, subsets)
            if name not in subsets and (folders := _split_folders([folder]) or _split_folders(subfolders(folder))):
                subsets[name] = folders
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        folders = "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/{train,val}/{ai,nature}"
        return f"DIR/{folders}/*.png (the inner or outer folder may be missing)"

    def inventory(self, home: Path) -> Path | None:
        """``metadata.csv`` of Unbiased GenImage (doi 10.7910/DVN/AKDIHF), which lists every file of the dataset."""
        table = home / "metadata.csv"
        return table if table.is_file() else None

    def place_of(self, path: str) -> tuple[tuple[str, Split, int], str] | None:
        """From ``…/<outer>[/<inner>]/{train,val}/{ai,nature}/<name>``."""
        parts = path.replace("\\", "/").split("/")
        if len(parts) < 4:
            return None
        *outer, split, kind, name = parts
        subset = next((s for folder in reversed(outer) if (s := self.by_alias().get(folder.lower()))), None)
        of_split = next((s for s, folder in _SPLITS if folder == split), None)
        label = next((label for label, folder in _KINDS if folder == kind), None)
        return None if subset is None or of_split is None or label is None else ((subset, of_split, label), name)

    def class_name(self, path: Path) -> str:
        """The ImageNet class number of a fake or the synset of a real; empty if the name has neither."""
        match = _CLASS.match(path.name)
        return next((g for g in match.groups() if g), "") if match else ""


def _split_folders(roots: Sequence[Path]) -> Folders:
    """The folders {train,val}/{ai,nature} in any of ``roots``."""
    splits = {
        split: {
            label: paths
            for label, kind in _KINDS
            if (paths := tuple(p for root in roots for folder in named(root, name) for p in named(folder, kind)))
        }
        for split, name in _SPLITS
    }
    return {split: classes for split, classes in splits.items() if classes}


DATASET = GenImage()
