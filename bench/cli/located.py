"""Where the images of a run are: the folder and the present subsets of each dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import discover
from bench.cli.listed_data import check_columns, is_listed, tree_of
from bench.cli.run_options import RunOptions
from bench.data.dataset import Folders, unused_folders
from bench.data.files import printable
from bench.data.generators import generator
from bench.data.splits import Limits
from bench.detector import TrainingFree
from bench.errors import UserError, unknown
from bench.miniature.unpack import unpack
from bench.planning import released
from bench.planning import request as requests
from bench.planning.sources import TRAIN_DATASET
from bench.progress import Progress
from bench.suites import suite as suites
from bench.suites.suite import Suite

#: Root and present subsets of each dataset.
Located = dict[str, tuple[Path, dict[str, Folders]]]


def _roots(suite: Suite, options: RunOptions, progress: Progress) -> dict[str, Path]:
    data = options.data or suite.data
    if data == "mini":
        return dict.fromkeys(suite.datasets, unpack(options.store, progress))
    return dict.fromkeys([*suite.datasets, *requests.datasets_of(options.test, Path(data))], Path(data))


def locate(suite: Suite, options: RunOptions, progress: Progress, trains: bool, limits: Limits) -> Located:
    """Root and present subsets of each dataset, as :func:`_located` finds them; says what is taken for which family."""
    located = _located(suite, options, progress, trains, limits)
    for message in families(located) if trains else ():
        progress.note(message)
    return located


def _located(suite: Suite, options: RunOptions, progress: Progress, trains: bool, limits: Limits) -> Located:
    """Root and present subsets of each dataset. A missing test dataset is left out, with a note.

    Raises UserError if the data to train on are missing and the run ``trains``, or if nothing is there. Of a dataset on
    the Hub, ``limits`` bound what is downloaded.
    """
    check_columns(options)
    if is_listed(options.data):
        listed = tree_of(options, limits, trains, progress)
        return {listed.dataset: requests.locate(listed.dataset, listed.root)}
    located: Located = {}
    missing: list[UserError] = []
    for name, root in _roots(suite, options, progress).items():
        try:
            located[name] = requests.locate(name, root)
        except UserError as error:
            if (name == TRAIN_DATASET and trains) or not root.is_dir():
                raise
            missing.append(error)
    if missing and not located:
        located = _plain(Path(options.data or suite.data))
    else:
        for absent in missing:
            progress.note(f"left out: {absent.problem} {absent.fix}")
    for message in unused(located, Path(options.data)) if options.data else ():
        progress.warn(message)
    for message in _renamed(located):
        progress.note(message)
    return located


def _plain(root: Path) -> Located:
    """Any folder of photographs and fakes, where no dataset was found. Raises UserError if it is none either."""
    try:
        return {"folder": requests.locate("folder", root)}
    except UserError as error:
        raise UserError(
            f"{root} has no folders of photographs and fakes in a layout that is known.",
            error.context,
            f"Arrange it as {discover.dataset('folder').layout()}, or as one of the datasets of docs/datasets.md; or "
            "list its images in a CSV file.",
        ) from None


def _renamed(located: Mapping[str, tuple[Path, dict[str, Folders]]]) -> list[str]:
    """The names given to generators that no dataset knows, if they differ from their folders' names."""
    messages = []
    for name, (root, subsets) in located.items():
        known = {subset.name for subset in discover.dataset(name).subsets}
        for subset in sorted(set(subsets) - known):
            homes = [h for classes in subsets[subset].values() for paths in classes.values() for h in paths]
            folder = homes[0].relative_to(root).parts[0]
            if folder != subset:
                messages.append(f"{printable(root / folder)} is {name}:{subset}")
    return messages


def families(located: Located) -> list[str]:
    """What the names of generators that no dataset lists are taken for, in at most two lines."""
    known, strange = [], []
    for name, (_, subsets) in located.items():
        dataset = discover.dataset(name)
        for subset in sorted(set(subsets) - {subset.name for subset in dataset.subsets}):
            family = dataset.subset(subset).family
            if generator(subset) is None:
                strange.append(subset)
            else:
                known.append(f"{subset} ({family})")
    messages = [f"families, by name: {', '.join(known)}"] if known else []
    return messages + ([f"of no known family, so out of family: {', '.join(strange)}"] if strange else [])


def unused(located: Mapping[str, tuple[Path, dict[str, Folders]]], root: Path) -> list[str]:
    """One line for each folder of a user's data that no dataset uses, with the reason or how to arrange it."""
    used = [folders for _, subsets in located.values() for folders in subsets.values()]
    homes = {root, *(home for home, _ in located.values())}
    messages = []
    for folder in sorted({f for home in homes for f in unused_folders(home, used) if f not in homes}):
        twin = [
            f"{name}:{dataset.by_alias()[folder.name.lower()]}"
            for name, dataset in ((name, discover.dataset(name)) for name in located)
            if dataset.by_alias().get(folder.name.lower()) in located[name][1]
        ]
        layouts = " or ".join(discover.dataset(name).layout() for name in located)
        reason = f"{twin[0]} is read from another folder" if twin else f"arrange it as {layouts}"
        messages.append(f"not used: {printable(folder)} ({reason})")
    return messages


def suite_of(options: RunOptions) -> Suite:
    """The suite that the options name. Raises UserError if it has a section of a method that does not exist."""
    suite = suites.load(options.suite).perturbed(options.perturb)
    for section in suite.methods:
        name = suites.split_variant(section)[0]
        if name not in discover.methods():
            raise unknown("method", name, discover.methods(), fix=f"Change the section in {suite.file}.")
    return suite


def places_of(
    suite: Suite, options: RunOptions, progress: Progress, trained: Sequence[requests.Chosen], limits: Limits
) -> Located:
    """Where the datasets are; what is missing says how detectors that are not trained do without it."""
    try:
        return locate(suite, options, progress, bool(trained), limits)
    except UserError as error:
        free = [chosen.label for chosen in trained if isinstance(chosen.method, TrainingFree)]
        if len(free) < len(trained) or not free:
            raise
        words = " ".join(f"--checkpoint {label}={released.NONE}" for label in free)
        fix = f"{error.fix} On test images alone, they are measured as published: {words}."
        raise UserError(error.problem, error.context, fix) from error
