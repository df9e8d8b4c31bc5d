"""Chameleon: fakes that people take for photographs, ``test/{0_real,1_fake}`` (ICLR 2025, arXiv 2406.19435).

Layout and counts: shilinyan99/AIDE@6725b71. The authors give the images to academics who ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bench.data.dataset import Dataset, Folders, Subset
from bench.data.files import named
from bench.types import FAKE, REAL


class Chameleon(Dataset):
    """One test set of 14,863 photographs and 11,170 fakes of unnamed generators, at 720p to 4K."""

    name = "chameleon"
    title = "Chameleon"
    paper = "Yan et al.: A Sanity Check for AI-generated Image Detection, ICLR 2025, arXiv 2406.19435"
    licence = "academic use, on request"
    commercial = "no"
    subsets = (Subset("chameleon", "Chameleon", "in the wild", ("chameleon",)),)

    page = "https://github.com/shilinyan99/AIDE"
    afterwards = "The authors send a link to academics who write to them."
    expected = MappingProxyType({("chameleon", "test", REAL): 14_863, ("chameleon", "test", FAKE): 11_170})

    def find(self, root: Path) -> Mapping[str, Folders]:
        """The class folders in ``[Chameleon/][test/]``."""
        outer = (*named(root, "chameleon"), root)
        for home in (folder for place in outer for folder in (*named(place, "test"), place)):
            found = {label: tuple(named(home, name)) for name, label in (("0_real", REAL), ("1_fake", FAKE))}
            if any(found.values()):
                return {"chameleon": {"test": {label: paths for label, paths in found.items() if paths}}}
        return {}

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/Chameleon/test/{0_real,1_fake}/*.jpg"


DATASET = Chameleon()
