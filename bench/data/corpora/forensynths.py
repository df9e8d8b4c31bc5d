"""ForenSynths, the CNNDetection test set: ``<folder>[/<class>]/{0_real,1_fake}`` (arXiv 1912.11035).

Folders and nested classes: PeterWang512/CNNDetection@ea0b562:eval_config.py. Re-hosts flatten the class level or wrap
everything in ``test/``, so the pair of class folders is looked for at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.corpus import Corpus, Folders, Subset
from bench.types import FAKE, REAL

_KINDS = {"0_real": REAL, "1_fake": FAKE}


class ForenSynths(Corpus):
    """The papers' cross-dataset test: eleven subsets, and two more that SARE leaves out. It has no training split."""

    name = "forensynths"
    title = "ForenSynths"
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
        by_alias = {alias: subset.name for subset in self.subsets for alias in subset.aliases}
        found: dict[str, Folders] = {}
        for folder in sorted(path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.is_dir()):
            name = by_alias.get(folder.name.lower())
            if name is None or name in found:
                continue
            pairs = {label: tuple(_named(folder, kind)) for kind, label in _KINDS.items()}
            if any(pairs.values()):
                found[name] = {"test": {label: homes for label, homes in pairs.items() if homes}}
        return found

    def layout(self) -> str:
        """The layout as a pattern."""
        return "DIR/progan/[airplane/]{0_real,1_fake}/*.png (seeingdark is SITD; the class level may be missing)"

    def klass(self, path: Path) -> str:
        """The nested class folder, or an empty string."""
        above = path.parent.parent.name.lower()
        aliases = {alias for subset in self.subsets for alias in subset.aliases}
        return "" if above in aliases or path.parent.name not in _KINDS else above


def _named(folder: Path, kind: str) -> list[Path]:
    return sorted(path for path in folder.rglob(kind) if path.is_dir() and "__MACOSX" not in path.parts)


CORPUS = ForenSynths()
