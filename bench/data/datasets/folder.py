"""Any folder of photographs and fakes: ``[<generator>/][{train,test}/]{real,fake}``, also under other names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import CLASS_FOLDERS, Dataset, Folders, Split, Subset
from bench.data.files import named, subfolders

#: Names of the folders of a split; a validation set is tested if there is no test set.
_SPLITS: tuple[tuple[Split, tuple[str, ...]], ...] = (("train", ("train",)), ("test", ("test", "val", "validation")))


class AnyFolder(Dataset):
    """One subset for each generator's folder, or a single one if the class folders are at the top."""

    name = "folder"
    title = "folder"
    subsets: tuple[Subset, ...] = ()

    def find(self, root: Path) -> Mapping[str, Folders]:
        """The class folders in ``root`` itself, else those in each of its folders."""
        if found := _splits(root):
            return {self.own_name(root): found}
        subsets: dict[str, Folders] = {}
        for folder in subfolders(root):
            if found := _splits(folder):
                subsets[self.own_name(folder, subsets)] = found
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/[generator/][test/]{real,fake}/* (or 0_real and 1_fake, or nature and ai)"


def _classes(folder: Path) -> dict[int, tuple[Path, ...]]:
    """The class folders directly in a folder, by label."""
    found: dict[int, tuple[Path, ...]] = {}
    for name, label in CLASS_FOLDERS.items():
        if paths := tuple(named(folder, name)):
            found[label] = (*found.get(label, ()), *paths)
    return found


def _splits(folder: Path) -> Folders:
    """The class folders of each split; without folders of splits, all of it is for testing."""
    if direct := _classes(folder):
        return {"test": direct}
    found: dict[Split, dict[int, tuple[Path, ...]]] = {}
    for split, names in _SPLITS:
        homes = [classes for name in names for home in named(folder, name) if (classes := _classes(home))]
        if homes:
            found[split] = homes[0]
    return found


DATASET = AnyFolder()
