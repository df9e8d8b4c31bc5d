"""SynthWildX: images posted on X, by three generators, and photographs posted there (arXiv 2312.00195).

``download_synthwildx.py`` writes ``<type>/<name>.jpg``:
grip-unina/ClipBased-SyntheticImageDetection@5c30725:data/synthwildx.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset
from bench.data.files import named


class SynthWildX(Dataset):
    """Five hundred images of each generator, and as many photographs, as far as they can still be downloaded."""

    name = "synthwildx"
    title = "SynthWildX"
    paper = (
        "Cozzolino et al.: Raising the Bar of AI-generated Image Detection with CLIP, CVPR workshops 2024, "
        "arXiv 2312.00195"
    )
    subsets = (
        Subset("dalle3", "DALL·E 3", "dalle3", ("dalle3",), released="2023-10"),
        Subset("firefly", "Firefly", "firefly", ("firefly",), released="2023-03"),
        Subset("midjourney", "MJ", "midjourney", ("midjourney",), released="2023-03"),
    )

    page = "https://github.com/grip-unina/ClipBased-SyntheticImageDetection"
    afterwards = "Its script data/synthwildx/download_synthwildx.py downloads what X still has."

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders and the folder ``real``, in ``root`` or in its folder ``synthwildx``."""
        homes = (root, *named(root, "synthwildx"))
        reals = tuple(path for home in homes for path in named(home, "real"))
        return self.beside(homes, reals)

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/synthwildx/{dalle3,firefly,midjourney,real}/*.jpg"


DATASET = SynthWildX()
