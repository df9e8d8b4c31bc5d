"""WildRF: images found on three social networks, ``test/<network>/{0_real,1_fake}`` (arXiv 2406.09398).

Layout: barcavia/RealTime-DeepfakeDetection-in-the-RealWorld@0005fbe:README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, class_folders
from bench.data.files import named, subfolders


class WildRF(Dataset):
    """Photographs and fakes of unknown generators, by where they were posted."""

    name = "wildrf"
    title = "WildRF"
    paper = "Cavia et al.: Real-Time Deepfake Detection in the Real-World, arXiv 2406.09398"
    subsets = (
        Subset("reddit", "Reddit", "in the wild", ("reddit",)),
        Subset("twitter", "Twitter", "in the wild", ("twitter",)),
        Subset("facebook", "Facebook", "in the wild", ("facebook",)),
    )

    page = "https://github.com/barcavia/RealTime-DeepfakeDetection-in-the-RealWorld"
    afterwards = "Linked there."

    def find(self, root: Path) -> Mapping[str, Folders]:
        """The networks' folders in ``[WildRF/]test/``; the folders ``train`` and ``val`` are not used."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        homes = (root, *named(root, "wildrf"))
        for test in (test for home in homes for test in (home, *named(home, "test"))):
            for folder in subfolders(test):
                name = by_alias.get(folder.name.lower())
                if name and name not in subsets and (found := class_folders(folder)):
                    subsets[name] = {"test": found}
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/WildRF/test/{reddit,twitter,facebook}/{0_real,1_fake}/*"


DATASET = WildRF()
