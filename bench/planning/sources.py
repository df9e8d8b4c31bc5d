"""Training sources: one generator, several together, or one generator against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import discover
from bench.data.dataset import Dataset, Folders
from bench.data.splits import check_classes
from bench.errors import UserError, unknown

#: The dataset that training sources are taken from.
TRAIN_DATASET = "genimage"
#: ``attribute:sdv15``: images of sdv15 have label 1, those of every other generator present label 0; photographs are
#: not used.
ATTRIBUTE = "attribute:"
#: ``shared:a+b``: both generators' fakes, against the photographs of a alone.
SHARED = "shared:"
#: The dataset name of attribution slices.
ATTRIBUTION = "attribution"


@dataclass(frozen=True)
class Source:
    """A training source: its name on the command line and its subsets.

    ``target`` is the generator to recognise if the task is attribution, else empty. If ``shared``, the photographs are
    those of the first subset alone.
    """

    name: str
    subsets: tuple[str, ...]
    target: str = ""
    shared: bool = False

    @property
    def task(self) -> str:
        """``detect``, or ``attribute:<generator>``."""
        return f"{ATTRIBUTE}{self.target}" if self.target else "detect"


def joint_name(source: Source, subset: str) -> str:
    """The name of a subset's validation slice for a joint source: without what the others train on."""
    return f"{source.name} {subset}"


def comma_list(text: str) -> list[str]:
    """The words of a comma-separated list, without empty ones."""
    return [word.strip() for word in text.split(",") if word.strip()]


def check_name(dataset: Dataset, name: str, present: Sequence[str] = ()) -> None:
    """Raise UserError for a name that is neither a subset of a dataset nor ``present`` in its folder."""
    known = dict.fromkeys([*(subset.name for subset in dataset.subsets), *present])
    if name not in known:
        raise unknown(f"subset of {dataset.name}", name, known)


def check_train_names(text: str) -> None:
    """Raise UserError if ``--train`` names a subset that does not exist; needs no data."""
    for word in [] if text == "all" else comma_list(text):
        for name in word.removeprefix(ATTRIBUTE).removeprefix(SHARED).split("+"):
            check_name(discover.dataset(TRAIN_DATASET), name.strip())


def check_subset(dataset: Dataset, name: str, present: Sequence[str]) -> None:
    """Raise UserError for a subset that does not exist, or that is not in the data."""
    check_name(dataset, name, present)
    if name not in present:
        raise UserError(
            f"{dataset.name}:{name} is not in the data.",
            f"Present: {', '.join(sorted(present))}.",
            f"Add it as {dataset.layout()}, or choose another with --train or --test.",
        )


def _trainable(folders: dict[str, Folders]) -> list[str]:
    trainable = [name for name, by_split in folders.items() if "train" in by_split]
    return [subset.name for subset in discover.dataset(TRAIN_DATASET).ordered(trainable)]


def _attribution(word: str, folders: dict[str, Folders]) -> Source:
    target = word.removeprefix(ATTRIBUTE).strip()
    complete = [name for name in _trainable(folders) if "test" in folders[name]]
    check_subset(discover.dataset(TRAIN_DATASET), target, complete)
    if len(complete) < 2:
        raise UserError(
            f"--train {word} needs at least one generator besides {target}.",
            f"Subsets with a train and a test folder: {', '.join(complete)}.",
            "Add images of another generator.",
        )
    return Source(word, tuple(complete), target)


def choose_sources(text: str, folders: dict[str, Folders]) -> tuple[Source, ...]:
    """The training sources of ``--train``: ``a,b`` is one fit each, ``a+b`` a joint fit.

    ``shared:a+b`` is one with the photographs of a alone. ``all`` means every subset with a train folder;
    ``attribute:a`` separates the images of a from those of all other generators. Raises UserError for a subset that is
    not in the data or lacks a class.
    """
    dataset, trainable = discover.dataset(TRAIN_DATASET), _trainable(folders)
    words = trainable if text == "all" else comma_list(text)
    if not words:
        raise UserError("--train is empty.", f"Subsets with a train folder: {', '.join(trainable)}.", "Name a subset.")
    sources = []
    for word in dict.fromkeys(words):
        if word.startswith(ATTRIBUTE):
            sources.append(_attribution(word, folders))
            continue
        shared = word.startswith(SHARED)
        subsets = tuple(dict.fromkeys(part.strip() for part in word.removeprefix(SHARED).split("+")))
        for name in subsets:
            check_subset(dataset, name, list(folders))
            if text != "all":  # With ``all``, a subset that lacks a class becomes a hole with its reason.
                check_classes(dataset, name, folders[name], "train")
        if shared and len(subsets) < 2:
            raise UserError(
                f"--train {word} names one generator.",
                "Photographs are shared by several.",
                f"Write {SHARED}{subsets[0]}+… or leave {SHARED} out.",
            )
        sources.append(Source(f"{SHARED if shared else ''}{'+'.join(subsets)}", subsets, shared=shared))
    return tuple(sources)
