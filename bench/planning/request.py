"""What a person asked for, checked word by word before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import discover
from bench.artefacts.probes import PROBES
from bench.data.dataset import Folders
from bench.data.protocols import check_protocol
from bench.data.splits import Limits, missing_class
from bench.detector import STAGES, Method
from bench.device import has_driver
from bench.errors import UserError, unknown
from bench.planning.sources import TRAIN_DATASET, Source, check_name, check_subset, comma_list
from bench.recipe import Recipe
from bench.suites.suite import Suite, instantiate, split_variant

CONTROLS = ("permuted",)
#: What torch and numpy both take.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Chosen:
    """A method with its variant and parameters."""

    name: str
    variant: str
    method: Method

    @property
    def label(self) -> str:
        """``dire`` or ``dire[adm]``, as on the command line."""
        return f"{self.name}[{self.variant}]" if self.variant else self.name


@dataclass(frozen=True)
class Request:
    """A checked request. ``roots`` and ``folders`` are by dataset; ``tests`` are (dataset, subset) in column order."""

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


def choose_methods(text: str, suite: Suite) -> tuple[Chosen, ...]:
    """The methods of ``--methods``: names, ``name[variant]``, or ``all``."""
    every = suite.all or [name for name in discover.methods() if discover.method(name).detects]
    asked = list(every) if text == "all" else comma_list(text)
    if not asked:
        raise UserError("--methods names nothing.", f"Known: {', '.join(discover.methods())}.", "Name some, or all.")
    chosen = []
    for word in dict.fromkeys(asked):
        name, variant = split_variant(word)
        chosen.append(Chosen(name, variant, instantiate(suite, name, variant, discover.method(name))))
    return tuple(chosen)


def choose_probes(suite: Suite) -> dict[str, Recipe]:
    """The probes of a suite by name. Raises UserError for a probe or a setting that does not exist."""
    found: dict[str, Recipe] = {}
    for name, settings in suite.probes.items():
        if name not in PROBES:
            raise unknown("probe", name, PROBES)
        try:
            found |= PROBES[name](**settings)
        except TypeError as error:
            raise UserError(
                f"The probe {name} of suite {suite.name} cannot be made.",
                f"{error}.",
                f"Change [probes.{name}] in {suite.file}.",
            ) from error
    return found


def locate(name: str, root: Path) -> tuple[Path, dict[str, Folders]]:
    """The root and the present subsets of a dataset below ``root`` or ``root/<dataset>``."""
    dataset = discover.dataset(name)
    if not root.is_dir():
        raise UserError(
            f"--data {str(root)!r} is not a folder.",
            f"Looked at {root.absolute()}.",
            f"Its layout is {dataset.layout()}.",
        )
    home = root / name if (root / name).is_dir() else root
    found = dict(dataset.find(home))
    if not found:
        inside = sorted(path.name for path in home.iterdir())[:8]
        raise UserError(
            f"{home} holds no subset of {dataset.title}.",
            f"It holds: {', '.join(inside) or 'nothing'}.",
            f"Arrange it as {dataset.layout()}.",
        )
    return home, found


def _test_names(text: str) -> list[tuple[str, str]]:
    """(dataset, subset) of every word of ``--test``; the subset is empty where a whole dataset is meant."""
    found: list[tuple[str, str]] = []
    current = TRAIN_DATASET
    for word in comma_list(text):
        head, colon, tail = word.partition(":")
        if colon or head in discover.datasets():
            current, subset = head, tail
        else:
            subset = head  # ``genimage:adm,biggan`` goes on with the dataset named last.
        found.append((current, subset))
    return found


def check_test_names(text: str) -> None:
    """Raise UserError for a dataset or subset that ``--test`` names and that does not exist; needs no data."""
    for name, subset in [] if text == "all" else _test_names(text):
        dataset = discover.dataset(name)
        if subset in comma_list(text) and subset not in (known := [s.name for s in dataset.subsets]):
            raise unknown(f"dataset, and no subset of {name},", subset, [*discover.datasets(), *known])
        if subset:
            check_name(dataset, subset)


def choose_tests(text: str, folders: dict[str, dict[str, Folders]]) -> tuple[tuple[str, str], ...]:
    """``all``, or datasets with or without subsets: ``genimage:adm,biggan`` continues the last dataset named."""
    asked: list[tuple[str, str]] = []
    for name, subset in [(name, "") for name in folders] if text == "all" else _test_names(text):
        if name not in folders:
            raise unknown("dataset in the data", name, folders)
        dataset = discover.dataset(name)
        present = [s.name for s in dataset.ordered(s for s, found in folders[name].items() if "test" in found)]
        for chosen in [subset] if subset else present:
            check_subset(dataset, chosen, list(folders[name]))
            asked.append((name, chosen))
    if not asked:
        raise UserError("--test names nothing.", f"Datasets: {', '.join(folders)}.", "Name a dataset or a subset.")
    errors = [missing_class(discover.dataset(name), subset, folders[name][subset], "test") for name, subset in asked]
    if errors[0] is not None and all(errors):
        raise errors[0]  # Where another subset has both classes, this one is a hole with its reason.
    return tuple(dict.fromkeys(asked))


def choose_protocols(text: str) -> tuple[str, ...]:
    """The protocols of a comma list."""
    asked = tuple(dict.fromkeys(comma_list(text)))
    for name in asked:
        check_protocol(name)
    if not asked:
        raise UserError("--protocols names nothing.", "An empty list measures nothing.", "Name raw, aligned or both.")
    return asked


def choose_seeds(text: str) -> tuple[int, ...]:
    """The seeds of a comma list of whole numbers from 0."""
    asked = comma_list(text)
    if not asked or not all(word.isdigit() for word in asked):
        raise UserError(
            f"--seeds {text!r} is no list of seeds.", "A seed is a whole number from 0.", "Write --seeds 0,1,2."
        )
    seeds = tuple(dict.fromkeys(int(word) for word in asked))
    if max(seeds) > LARGEST_SEED:
        raise UserError(
            f"--seeds {text!r} has a seed that is too large.",
            f"The largest is {LARGEST_SEED}.",
            "Write small numbers: --seeds 0,1,2.",
        )
    return seeds


def choose_limit(option: str, value: int | None) -> int | None:
    """A limit of images a class and subset: at least 2, so that a split is possible."""
    if value is not None and value < 2:
        raise UserError(f"{option} {value} is too small.", "It counts images a class and subset.", "Give at least 2.")
    return value


def choose_device(name: str) -> None:
    """Raise UserError for a word that is no device."""
    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not has_driver():
        raise UserError("--device cuda was asked for.", "This machine has no CUDA driver.", "Use --device auto or cpu.")


def roles_of(chosen: Chosen) -> set[str]:
    """Every weights role that a method's networks and artefacts ask for."""
    needs = [need for stage in STAGES for need in chosen.method.needs(stage).values()]
    return set(chosen.method.roles()).union(*(need.roles() for need in needs))


def check_tasks(methods: Sequence[Chosen], chosen: Sequence[Source]) -> None:
    """Raise UserError for a method that cannot learn what a source asks."""
    for one in methods:
        relabels = any(example.label is not None for example in one.method.examples())
        for source in chosen:
            targets = one.method.targets
            if not source.target and not one.method.detects:
                raise UserError(
                    f"{one.label} does not tell generated images from photographs.",
                    "It tells one generator's images from those of others.",
                    f"Write --train attribute:{next(iter(targets), 'sdv15')}, or choose another method.",
                )
            if source.target and (relabels or (targets and source.target not in targets)):
                why = (
                    "It trains on reconstructions as fakes" if relabels else f"It regenerates with {', '.join(targets)}"
                )
                raise UserError(
                    f"{one.label} cannot learn {source.name}.", f"{why}.", "Choose another method, or another --train."
                )
