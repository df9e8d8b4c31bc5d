"""ForenSynths, the CNNDetection test set: ``<folder>[/<class>]/{0_real,1_fake}`` (arXiv 1912.11035).

Folders and nested classes: PeterWang512/CNNDetection@ea0b562:eval_config.py. Some copies of the dataset omit the class
level or put everything in ``test/``, so the pairs of class folders are searched for at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, class_folders
from bench.data.files import subfolders
from bench.download import Remote
from bench.types import FAKE, REAL

_KINDS = {"0_real": REAL, "1_fake": FAKE}


class ForenSynths(Dataset):
    """The papers' cross-dataset test set: eleven subsets, and two that SARE leaves out of its averages.

    It has no training split.
    """

    name = "forensynths"
    title = "ForenSynths"
    paper = "Wang et al.: CNN-generated images are surprisingly easy to spot... for now, CVPR 2020, arXiv 1912.11035"
    licence = "CC BY-NC-SA 4.0"
    commercial = "no"
    subsets = (
        Subset("progan", "ProGAN", "progan", ("progan",), released="2017-10"),
        Subset("stylegan", "StyleGAN", "stylegan", ("stylegan",), released="2018-12"),
        Subset("biggan", "BigGAN", "biggan", ("biggan",), released="2018-09"),
        Subset("cyclegan", "CycleGAN", "cyclegan", ("cyclegan",), released="2017-03"),
        Subset("stargan", "StarGAN", "stargan", ("stargan",), released="2017-11"),
        Subset("gaugan", "GauGAN", "gaugan", ("gaugan",), released="2019-03"),
        Subset("crn", "CRN", "crn", ("crn",), released="2017-07"),
        Subset("imle", "IMLE", "imle", ("imle",), released="2018-11"),
        Subset("sitd", "SITD", "sitd", ("seeingdark", "sitd"), released="2018-05"),
        Subset("san", "SAN", "san", ("san",), released="2019-06"),
        Subset("deepfake", "Deepfake", "deepfake", ("deepfake",), released="2019-01"),
        Subset("stylegan2", "StyleGAN2", "stylegan", ("stylegan2",), averaged=False, released="2019-12"),
        Subset("whichfaceisreal", "WFIR", "stylegan", ("whichfaceisreal",), averaged=False, released="2018-12"),
    )

    page = "https://github.com/PeterWang512/CNNDetection"
    downloads = (
        Remote("20.1 GB", hub="sywang/CNNDetection", kind="dataset", files=("CNN_synth_testset.zip",), unpack=True),
    )

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders in ``root`` or one level deeper, each with its pairs of class folders at any depth."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for folder in subfolders(root):
            children, folder_name = subfolders(folder), folder.name.lower()
            if folder_name in ("train", "val"):
                continue  # CNNDetection's other splits.
            has_subsets = any(child.name.lower() in by_alias for child in children)
            is_wrapper = folder_name == "test" or (folder_name not in by_alias and has_subsets)
            for subset_folder in children if is_wrapper else [folder]:
                name = by_alias.get(subset_folder.name.lower()) or self.own_name(subset_folder, subsets)
                if name not in subsets and (folders := _pairs(subset_folder)):
                    subsets[name] = folders
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/progan/[airplane/]{0_real,1_fake}/*.png (seeingdark is SITD; the class level may be missing)"

    def class_name(self, path: Path) -> str:
        """The name of the nested class folder, or an empty string if there is none."""
        grandparent = path.parent.parent.name.lower()
        return "" if grandparent in self.by_alias() or path.parent.name.lower() not in _KINDS else grandparent


def _pairs(folder: Path) -> Folders:
    pairs = class_folders(folder, _KINDS)
    return {"test": pairs} if pairs else {}


DATASET = ForenSynths()
