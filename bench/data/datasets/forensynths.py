"""ForenSynths, the CNNDetection test set: ``<folder>[/<class>]/{0_real,1_fake}`` (arXiv 1912.11035).

Folders and nested classes: PeterWang512/CNNDetection@ea0b562:eval_config.py. Re-hosts flatten the class level or wrap
everything in ``test/``, so the pair of class folders is looked for at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset
from bench.data.files import below, subfolders
from bench.types import FAKE, REAL

_KINDS = {"0_real": REAL, "1_fake": FAKE}


class ForenSynths(Dataset):
    """The papers' cross-dataset test: eleven subsets, and two more that SARE leaves out. It has no training split."""

    name = "forensynths"
    title = "ForenSynths"
    paper = "Wang et al.: CNN-generated images are surprisingly easy to spot... for now, CVPR 2020, arXiv 1912.11035"
    licence = "CC BY-NC-SA 4.0"
    commercial = "no"
    subsets = (
        Subset("progan", "ProGAN", "progan", ("progan",)),
        Subset("stylegan", "StyleGAN", "stylegan", ("stylegan",)),
        Subset("biggan", "BigGAN", "biggan", ("biggan",)),
        Subset("cyclegan", "CycleGAN", "cyclegan", ("cyclegan",)),
        Subset("stargan", "StarGAN", "stargan", ("stargan",)),
        Subset("gaugan", "GauGAN", "gaugan", ("gaugan",)),
        Subset("crn", "CRN", "crn", ("crn",)),
        Subset("imle", "IMLE", "imle", ("imle",)),
        Subset("sitd", "SITD", "sitd", ("seeingdark", "sitd")),
        Subset("san", "SAN", "san", ("san",)),
        Subset("deepfake", "Deepfake", "deepfake", ("deepfake",)),
        Subset("stylegan2", "StyleGAN2", "stylegan", ("stylegan2",)),
        Subset("whichfaceisreal", "WFIR", "stylegan", ("whichfaceisreal",)),
    )

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders below ``root`` or one level deeper, each with its pairs of class folders at any depth."""
        by_alias, found = self.by_alias(), dict[str, Folders]()
        for folder in subfolders(root):
            inside, own = subfolders(folder), folder.name.lower()
            if own in ("train", "val"):
                continue  # CNNDetection's other splits.
            wraps = own == "test" or (own not in by_alias and any(f.name.lower() in by_alias for f in inside))
            for home in inside if wraps else [folder]:
                name = by_alias.get(home.name.lower()) or self.own_name(home, found)
                if name not in found and (folders := _pairs(home)):
                    found[name] = folders
        return found

    def layout(self) -> str:
        """The layout as a pattern."""
        return "DIR/progan/[airplane/]{0_real,1_fake}/*.png (seeingdark is SITD; the class level may be missing)"

    def class_name(self, path: Path) -> str:
        """The nested class folder, or an empty string."""
        above = path.parent.parent.name.lower()
        return "" if above in self.by_alias() or path.parent.name.lower() not in _KINDS else above


def _pairs(home: Path) -> Folders:
    pairs = {label: tuple(below(home, kind)) for kind, label in _KINDS.items()}
    return {"test": {label: homes for label, homes in pairs.items() if homes}} if any(pairs.values()) else {}


DATASET = ForenSynths()
