"""What a detector is trained on: one generator, several together, or one generator against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import discover
from bench.data.dataset import Dataset, Folders
from bench.data.splits import check_classes
from bench.errors import UserError, unknown

#: The dataset that training sources are taken from.
TRAIN_DATASET = "genimage"
#: ``attribute:sdv15``: sdv15's images are 1, those of every other generator present 0; photographs take no part.
ATTRIBUTE = "attribute:"
#: What the slices of attribution are called in the place of a dataset.
ATTRIBUTION = "attribution"


@dataclass(frozen=True)
class Source:
    """A training source by its name on the command line, and the subsets it joins.

    ``target`` is the generator in question where generators are told apart, else empty.
    """

    name: str
    subsets: tuple[str, ...]
    target: str = ""

    @property
    def task(self) -> str:
        """``detect``, or ``attribute:<generator>``."""
        return f"{ATTRIBUTE}{self.target}" if self.target else "detect"


def comma_list(text: str) -> list[str]:
    """A comma list without empty words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def check_name(dataset: Dataset, name: str, present: Sequence[str] = ()) -> None:
    """Raise UserError for a name that is no subset of a dataset, nor a generator ``present`` in its folder."""
    known = dict.fromkeys([*(subset.name for subset in dataset.subsets), *present])
    if name not in known:
        raise unknown(f"subset of {dataset.name}", name, known)


def check_train_names(text: str) -> None:
    """Raise UserError for a subset that ``--train`` names and no dataset has; needs no data."""
    for word in [] if text == "all" else comma_list(text):
        for name in word.removeprefix(ATTRIBUTE).split("+"):
            check_name(discover.dataset(TRAIN_DATASET), name.strip())


def check_subset(dataset: Dataset, name: str, present: Sequence[str]) -> None:
    """Raise UserError for a subset that does not exist, or that the data lacks."""
    check_name(dataset, name, present)
    if name not in present:
        raise UserError(
            f"{dataset.name}:{name} is not in the data.",
            f"Present: {', '.join(sorted(present))}.",
            f"Add it as {dataset.layout()}, or choose another with --train or --test.",
        )


def _trainable(folders: dict[str, Folders]) -> list[str]:
    trainable = [name for name, found in folders.items() if "train" in found]
    return [subset.name for subset in discover.dataset(TRAIN_DATASET).ordered(trainable)]


def _attribution(word: str, folders: dict[str, Folders]) -> Source:
    target = word.removeprefix(ATTRIBUTE).strip()
    known = [name for name in _trainable(folders) if "test" in folders[name]]
    check_subset(discover.dataset(TRAIN_DATASET), target, known)
    if len(known) < 2:
        raise UserError(
            f"--train {word} has nothing to tell {target} from.",
            f"Subsets with a train and a test folder: {', '.join(known)}.",
            "Add another generator's images.",
        )
    return Source(word, tuple(known), target)


def choose_sources(text: str, folders: dict[str, Folders]) -> tuple[Source, ...]:
    """``a,b`` is one fit each, ``a+b`` a joint one, ``all`` every subset that has a train folder.

    ``attribute:a`` tells the images of a from those of all other generators.
    """
    dataset, trainable = discover.dataset(TRAIN_DATASET), _trainable(folders)
    asked = trainable if text == "all" else comma_list(text)
    if not asked:
        raise UserError("--train names nothing.", f"Subsets with a train folder: {', '.join(trainable)}.", "Name one.")
    sources = []
    for word in dict.fromkeys(asked):
        if word.startswith(ATTRIBUTE):
            sources.append(_attribution(word, folders))
            continue
        subsets = tuple(dict.fromkeys(part.strip() for part in word.split("+")))
        for name in subsets:
            check_subset(dataset, name, list(folders))
            if text != "all":  # There a subset without a class is a hole with its reason.
                check_classes(dataset, name, folders[name], "train")
        sources.append(Source("+".join(subsets), subsets))
    return tuple(sources)
