"""Check a user's request, option by option, before anything slow is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import discover
from bench.artefacts.probes import PROBES
from bench.data.dataset import Folders
from bench.data.protocols import check_protocol
from bench.data.splits import Limits, missing_class
from bench.detector import STAGES, Detector, Method, Stage
from bench.errors import UserError, unknown
from bench.planning.sources import TRAIN_DATASET, Source, check_name, check_subset, comma_list
from bench.recipe import Recipe
from bench.suites.suite import Suite, instantiate, split_variant
from bench.types import label_of

if TYPE_CHECKING:
    from bench.planning.released import Released

#: What ``--methods`` names if nothing is trained or scored.
NO_METHODS = "none"
#: What ``--methods`` names for all methods that detect, those outside the line-up included.
EVERYTHING = "everything"


@dataclass(frozen=True)
class Chosen:
    """A method that the user chose, with its variant and parameters."""

    name: str
    variant: str
    method: Method

    @property
    def label(self) -> str:
        """``dire`` or ``dire[adm]``, as on the command line."""
        return label_of(self.name, self.variant)


@dataclass(frozen=True)
class Request:
    """A checked request. ``roots`` and ``folders`` are by dataset; ``tests`` are (dataset, subset) pairs as named.

    ``released`` are the detectors with their authors' weights by label; they are in ``methods`` too.
    """

    suite: Suite
    methods: tuple[Chosen, ...]
    sources: tuple[Source, ...]
    tests: tuple[tuple[str, str], ...]
    protocols: tuple[str, ...]
    controls: tuple[str, ...]
    seeds: tuple[int, ...]
    limits: Limits
    roots: dict[str, Path]
    folders: dict[str, dict[str, Folders]]
    probes: Mapping[str, Recipe] = field(default_factory=dict)
    perturbations: tuple[str, ...] = ()
    released: Mapping[str, Released] = field(default_factory=dict)

    @property
    def trained(self) -> tuple[Chosen, ...]:
        """The methods that are trained here; the others have released weights."""
        return tuple(chosen for chosen in self.methods if chosen.label not in self.released)

    def protocols_of(self, chosen: Chosen) -> tuple[str, ...]:
        """The protocols in which a method is trained and tested: those of its suite's ``protocols_of``, or all.

        Released weights have all.
        """
        of = {} if chosen.label in self.released else self.suite.protocols_of
        allowed = of.get(chosen.label, of.get(chosen.name, self.protocols))
        return tuple(name for name in self.protocols if name in allowed)


def choose_methods(text: str, suite: Suite) -> tuple[Chosen, ...]:
    """The methods of ``--methods``: names, ``name[variant]``, groups, and ``-name`` for one less.

    ``all`` is the suite's line-up, ``everything`` each method that detects, ``none`` is for probes alone. Raises
    UserError for a name that does not exist, and if nothing is left.
    """
    detecting = [name for name in discover.methods() if discover.method(name).detects]
    usual = [name for name in detecting if discover.method(name).in_all]
    groups = {EVERYTHING: detecting}
    groups["all"] = [one for word in suite.all for one in groups.get(word, [word])] or usual
    if text == NO_METHODS:
        return ()
    without = {word.removeprefix("-") for word in comma_list(text) if word.startswith("-")}
    named = [word for word in comma_list(text) if not word.startswith("-")] or (["all"] if without else [])
    words = dict.fromkeys(one for word in named for one in groups.get(word, [word]))
    for word in sorted(without - set(words)):
        method = discover.method(split_variant(word)[0])  # Raises for a name that does not exist.
        raise UserError(
            f"-{word} leaves nothing out.",
            f"{method.card.title} is not among the methods that are named: {', '.join(words)}.",
            "Leave it away, or name `all` or `everything` before it.",
        )
    words = dict.fromkeys(word for word in words if word not in without)
    if not words:
        left = f"Left out: {', '.join(sorted(without))}. " if without else ""
        known = f"{left}Known: {', '.join(discover.methods())}."
        raise UserError("--methods names nothing.", known, "Name some methods, or all.")
    parts = [split_variant(word) for word in words]
    return tuple(Chosen(name, of, instantiate(suite, name, of, discover.method(name))) for name, of in parts)


def choose_probes(suite: Suite) -> dict[str, Recipe]:
    """The recipes of a suite's probes by name. Raises UserError for a probe or a setting that does not exist."""
    recipes: dict[str, Recipe] = {}
    for name, settings in suite.probes.items():
        if name not in PROBES:
            raise unknown("probe", name, PROBES)
        try:
            recipes |= PROBES[name](**settings)
        except TypeError as error:
            raise UserError(
                f"The settings of probe {name} in suite {suite.name} are not valid.",
                f"{error}.",
                f"Change [probes.{name}] in {suite.file}.",
            ) from error
    return recipes


def locate(name: str, root: Path) -> tuple[Path, dict[str, Folders]]:
    """The root of a dataset, ``root/<dataset>`` or ``root``, and the folders of the subsets that exist in it."""
    dataset = discover.dataset(name)
    if not root.is_dir():
        raise UserError(
            f"--data {str(root)!r} is not a folder.",
            f"Looked at {root.absolute()}.",
            f"Name a folder with the layout {dataset.layout()}.",
        )
    home = root / name if (root / name).is_dir() else root
    subsets = dict(dataset.find(home))
    if not subsets:
        inside = sorted(path.name for path in home.iterdir())[:8]
        raise UserError(
            f"{home} contains no subset of {dataset.title}.",
            f"It contains: {', '.join(inside) or 'nothing'}.",
            f"Arrange it as {dataset.layout()}.",
        )
    return home, subsets


def _test_names(text: str) -> list[tuple[str, str]]:
    """(dataset, subset) of every word of ``--test``; the subset is empty if the word names a whole dataset."""
    tests: list[tuple[str, str]] = []
    current = TRAIN_DATASET
    for word in comma_list(text):
        head, colon, tail = word.partition(":")
        if colon or head in discover.datasets():
            current, subset = head, tail
        else:
            subset = head  # In ``genimage:adm,biggan`` the second word belongs to the dataset named last.
        tests.append((current, subset))
    return tests


def datasets_of(text: str, root: Path) -> list[str]:
    """The datasets that ``--test`` names, and those with a folder of their own in ``root``."""
    named = [] if text == "all" else [discover.dataset(name).name for name, _ in _test_names(text)]
    return [*named, *(name for name in discover.datasets() if (root / name).is_dir())]


def check_test_names(text: str) -> None:
    """Raise UserError if ``--test`` names a dataset or subset that does not exist; needs no data."""
    for name, subset in [] if text == "all" else _test_names(text):
        dataset = discover.dataset(name)
        if subset in comma_list(text) and subset not in (known := [s.name for s in dataset.subsets]):
            raise unknown(f"dataset, and no subset of {name},", subset, [*discover.datasets(), *known])
        if subset:
            check_name(dataset, subset)


def choose_tests(text: str, folders: dict[str, dict[str, Folders]]) -> tuple[tuple[str, str], ...]:
    """(dataset, subset) pairs of ``--test``: ``all``, or datasets with or without subsets (``genimage:adm,biggan``).

    A subset without a dataset belongs to the dataset named last. Raises UserError if a subset is not in the data, or if
    none of them has images of both classes.
    """
    tests: list[tuple[str, str]] = []
    for name, subset in [(name, "") for name in folders] if text == "all" else _test_names(text):
        if name not in folders:
            raise unknown("dataset in the data", name, folders)
        dataset = discover.dataset(name)
        present = [s.name for s in dataset.ordered(s for s, by_split in folders[name].items() if "test" in by_split)]
        for chosen in [subset] if subset else present:
            check_subset(dataset, chosen, list(folders[name]))
            tests.append((name, chosen))
    if not tests:
        raise UserError("--test is empty.", f"Datasets: {', '.join(folders)}.", "Name a dataset or a subset.")
    errors = [missing_class(discover.dataset(name), subset, folders[name][subset], "test") for name, subset in tests]
    if errors[0] is not None and all(errors):
        raise errors[0]  # If another subset has both classes, this one becomes a hole with its reason.
    return tuple(dict.fromkeys(tests))


def limited_to(only: Sequence[str], tests: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The tests that a suite limits itself to. Raises UserError if the data have none of them."""
    kept = tuple(test for test in tests if not only or ":".join(test) in only)
    if not kept:
        raise UserError(
            f"None of {', '.join(only)} is in the data.",
            f"Present: {', '.join(':'.join(test) for test in tests)}.",
            "Add images of one of them below --data.",
        )
    return kept


def roles_of(chosen: Chosen, released: bool = False) -> set[str]:
    """Every weights role that a method's networks and artefacts need; with ``released`` weights it is not trained."""
    stages: tuple[Stage, ...] = ("test",) if released else STAGES
    needs = [need for stage in stages for need in chosen.method.needs(stage).values()]
    own = chosen.method.companions() if released and isinstance(chosen.method, Detector) else chosen.method.roles()
    return set(own).union(*(need.roles() for need in needs))


def check_protocols(request: Request) -> None:
    """Raise UserError if ``protocols_of`` of a suite is not valid, or leaves a chosen method none of the protocols."""
    for label, protocols in request.suite.protocols_of.items():
        discover.method(split_variant(label)[0])
        for name in protocols:
            check_protocol(name)
    for chosen in request.methods:
        if not request.protocols_of(chosen):
            raise UserError(
                f"{chosen.label} has no protocol.",
                f"The suite {request.suite.name} leaves it none of {', '.join(request.protocols)} (protocols_of).",
                f"Change --protocols, or [protocols_of] in {request.suite.file}.",
            )


def check_tasks(methods: Sequence[Chosen], sources: Sequence[Source]) -> None:
    """Raise UserError if a method cannot be trained for the task of a training source."""
    for chosen in methods:
        relabels = any(example.label is not None for example in chosen.method.examples())
        for source in sources:
            targets = chosen.method.targets
            if not source.target and not chosen.method.detects:
                raise UserError(
                    f"{chosen.label} cannot separate generated images from photographs.",
                    "It only separates one generator's images from those of others.",
                    f"Write --train attribute:{next(iter(targets), 'sdv15')}, or choose another method.",
                )
            if source.target and (relabels or (targets and source.target not in targets)):
                why = (
                    "It trains on reconstructions as fakes" if relabels else f"It regenerates with {', '.join(targets)}"
                )
                raise UserError(
                    f"{chosen.label} cannot be trained on {source.name}.",
                    f"{why}.",
                    "Choose another method, or another --train.",
                )
