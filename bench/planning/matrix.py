"""Build the matrix: turn a request and its slices into a plan. Pure: reads no file, does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from bench import discover
from bench.data.perturb import perturbed
from bench.data.protocols import apply_protocol
from bench.detector import STAGES, Detector, Method, Stage, is_baseline
from bench.errors import UserError
from bench.numerics import REFERENCE, Numerics
from bench.planning.gather import Gathered
from bench.planning.needs import draws_noise, needs, noise_of
from bench.planning.pairs import picked
from bench.planning.request import Chosen, Request
from bench.planning.sources import ATTRIBUTION, TRAIN_DATASET, Source, joint_name
from bench.recipe import Recipe
from bench.training.budgets import VERSION
from bench.types import BOTH, FAKE, RELEASED, Cell, CellId, Fit, Hole, Job, Plan, Probe, Slice, Use

HashOf = Callable[[str], str]


@dataclass
class _Draft:
    """A plan being built: slices under their protocols, and each job once, after the jobs that it depends on."""

    hash_of: HashOf
    numerics: Numerics
    unusable: Mapping[str, str] = field(default_factory=dict)
    slices: dict[str, Slice] = field(default_factory=dict)
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    fits: dict[str, Fit] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    presented: dict[tuple[str, str], Slice | str] = field(default_factory=dict)
    probes: list[Probe] = field(default_factory=list)

    def present(self, part: Slice, protocol: str) -> Slice | str:
        """The slice under a protocol, or the reason why the protocol cannot be applied to it."""
        key = (part.key, protocol)
        if key not in self.presented:
            try:
                self.presented[key] = apply_protocol(protocol, part)
            except UserError as error:
                self.presented[key] = f"{error.problem} {error.context}"
        return self.presented[key]

    def register(self, part: Slice, recipes: Iterable[Recipe], labels: frozenset[int] = BOTH) -> None:
        """Register a slice with the artefacts that it needs and everything that they depend on.

        They are needed of images with one of ``labels``, but for the pixels of the slice themselves.
        """
        self.slices[part.key] = part
        presented = part.image.closure() if isinstance(part.image, Recipe) else ()
        wanted = [*((recipe, BOTH) for recipe in presented), *((r, labels) for n in recipes for r in n.closure())]
        for recipe, those in wanted:
            job = self.jobs.setdefault((recipe.key, part.key), Job(recipe, part, those))
            if not job.labels >= those:
                self.jobs[recipe.key, part.key] = replace(job, labels=job.labels | those)

    def recipes(self, chosen: Chosen, part: Slice, stages: Iterable[Stage], noise: int) -> list[Recipe]:
        """The resolved recipes that a method needs for a slice in some stages, each once."""
        by_key: dict[str, Recipe] = {}
        for stage in stages:
            for need in needs(chosen.method, stage, noise).values():
                resolved = self.resolved(need, part)
                by_key[resolved.key] = resolved
        return list(by_key.values())

    def why_not(self, chosen: Chosen, part: Slice) -> str:
        """Why a method cannot use a slice: a label has no image, or images lack the class name that the method needs.

        Returns '' if the slice can be used.
        """
        if part.key in self.unusable:
            return self.unusable[part.key]
        unknown = [item for item in part.usable if not item.class_name] if uses_class(chosen) else []
        if not unknown:
            return ""
        why = f"{len(unknown)} of {len(part.usable)} images have no class name, {unknown[0].path.name} among them"
        return f"{why} (a table in the dataset's folder can give it: docs/paper-settings.md)"

    def resolved(self, need: Recipe, part: Slice) -> Recipe:
        """A need bound to a slice's pixels, with the content hash of every weights role."""
        bound = part.bound(need)
        return bound.resolve({role: self.hash_of(role) for role in bound.roles()}, self.numerics.describe())


def uses_class(chosen: Chosen) -> bool:
    """Whether a method's artefacts depend on the class that the dataset gives for an image."""
    return any(need.uses_class for stage in STAGES for need in chosen.method.needs(stage).values())


def pairs(protocols: Iterable[str]) -> list[tuple[str, str]]:
    """(train protocol, test protocol) of every column: raw → each, and each protocol on itself."""
    names = list(protocols)
    from_raw = [("raw", name) for name in names] if "raw" in names else []
    return list(dict.fromkeys([*from_raw, *((name, name) for name in names)]))


def relation(source: Source, dataset: str, subset: str, families: Mapping[str, str] = MappingProxyType({})) -> str:
    """``source`` for a training generator, ``family`` for one of its family in any dataset, else ``out``.

    ``families`` maps ``dataset:subset`` to a family other than the dataset's own.
    """
    if source.target or (dataset == TRAIN_DATASET and subset in source.subsets):
        return "source"

    def family(dataset: str, subset: str) -> str:
        return families.get(f"{dataset}:{subset}", discover.dataset(dataset).subset(subset).family)

    trained = {family(TRAIN_DATASET, name) for name in source.subsets}
    return "family" if family(dataset, subset) in trained else "out"


def _trained_on(method: Method) -> frozenset[int]:
    """The labels of the images that a method trains on: of photographs alone, if it makes its own fakes."""
    return frozenset(label for example in method.examples() for label in example.of)


def _fit(
    draft: _Draft, chosen: Chosen, source: Source, protocol: str, seed: int, data: Gathered, noise: int
) -> Fit | str:
    parts: dict[str, list[Slice]] = {"train": [], "val": []}
    for subset in (source.name,) if source.target else source.subsets:
        for role, pool in zip(("train", "val"), data.drawn(seed), strict=True):
            raw = pool.get(joint_name(source, subset), pool[subset])
            part = draft.why_not(chosen, raw) or draft.present(raw, protocol)
            if isinstance(part, str):
                return part
            if source.shared and subset != source.subsets[0]:
                part = replace(part, items=tuple(item for item in part.items if item.label == FAKE))
            parts[role].append(part)
    keys: set[str] = set()
    for role, members in parts.items():
        for part in members:
            recipes = draft.recipes(chosen, part, (STAGES if role == "train" else ("test",)), noise)
            draft.register(part, recipes, _trained_on(chosen.method) if role == "train" else BOTH)
            keys |= {recipe.key for recipe in recipes}
    fit = Fit(
        method=chosen.name,
        variant=chosen.variant,
        version=chosen.method.card.version,
        params=asdict(chosen.method.params),
        weights={role: draft.hash_of(role) for role in chosen.method.roles()},
        recipes=tuple(sorted(keys)),
        source=source.name,
        train=tuple(part.key for part in parts["train"]),
        val=tuple(part.key for part in parts["val"]),
        protocol=protocol,
        seed=seed,
        task=source.task,
        numerics=draft.numerics.describe_fit() if isinstance(chosen.method, Detector) else {},
        noise=noise,
        budget=f"plateau {VERSION}" if chosen.method.budget == "plateau" else chosen.method.budget,
    )
    return draft.fits.setdefault(fit.key, fit)


def _controls(chosen: Chosen, request: Request) -> list[str]:
    """The controls that say something about a method."""
    if not chosen.method.needs("test"):
        return []
    return [name for name in request.controls if name != "other_noise" or draws_noise(chosen.method)]


def _cells(draft: _Draft, request: Request, chosen: Chosen, fit: Fit | str, tests: list[Slice], blank: CellId) -> None:
    """Add the cells of a fit on raw test slices, or holes; ``blank`` is their id without what the slice decides."""
    controls = ["none", *_controls(chosen, request), *request.perturbations]
    for raw in tests:
        presented = draft.why_not(chosen, raw) or draft.present(raw, blank.protocol)
        related = _related(request, blank.train, raw)
        for control in controls:
            if isinstance(fit, str) or isinstance(presented, str):
                test = {"dataset": raw.dataset, "subset": raw.subset, "perturbation": control, "relation": related}
                reason = fit if isinstance(fit, str) else str(presented)
                draft.holes.append(Hole(**{**vars(blank), **test}, reason=reason))
                continue
            part = perturbed(control, presented) if control in request.perturbations else presented
            cell = Cell(fit, part, control, related, part.classes if uses_class(chosen) else "")
            draft.register(part, draft.recipes(chosen, part, ("test",), noise_of(cell)))
            draft.cells[cell.key] = cell


def _related(request: Request, train: str, raw: Slice) -> str:
    """The relation of a test slice to a training source; what released weights were trained on is not known."""
    if train == RELEASED:
        return "out"
    source = next(s for s in request.sources if s.name == train)
    return relation(source, raw.dataset, raw.subset, request.suite.families)


def _released(draft: _Draft, request: Request, tests: list[Slice]) -> None:
    """Add the cells of the detectors with released weights, under every protocol."""
    for released in request.released.values():
        chosen = released.chosen
        fit = released.fit(draft.hash_of)
        draft.fits.setdefault(fit.key, fit)
        for protocol in request.protocols_of(chosen):
            training = (chosen.name, chosen.variant, RELEASED, RELEASED, 0, "detect")
            _cells(draft, request, chosen, fit, tests, CellId(*training, "", "", "test", protocol, "none", "out"))


def _val_cells(draft: _Draft) -> None:
    for fit in draft.fits.values():
        for key in fit.val:
            cell = Cell(fit, draft.slices[key], "none", "source")
            draft.cells[cell.key] = cell


def _probed(draft: _Draft, request: Request, raw: Slice) -> dict[str, Slice | str]:
    """A slice under each protocol, or the reason why there is none; cut to a gallery's pairs if there is one."""
    parts = {name: draft.unusable.get(raw.key) or draft.present(raw, name) for name in request.protocols}
    pairs = request.suite.pairs or (request.suite.timed + 1) // 2
    return picked(parts, pairs) if pairs else parts


def _probes(draft: _Draft, request: Request, tests: list[Slice]) -> None:
    parts = {raw.key: _probed(draft, request, raw) for raw in tests if request.probes}
    suite = request.suite
    use: Use = "timed" if suite.timed else "shown" if suite.pairs else "measured"
    for name, recipe in request.probes.items():
        for raw in tests:
            for protocol, part in parts[raw.key].items():
                if isinstance(part, str):
                    if not request.methods:  # Else a hole of the same slice in the tables gives the reason.
                        draft.probes.append(Probe(name, recipe, replace(raw, protocol=protocol), use, part))
                    continue
                resolved = draft.resolved(recipe, part)
                draft.register(part, [] if suite.timed else [resolved])
                draft.probes.append(Probe(name, resolved, part, use))


def build(request: Request, data: Gathered, hash_of: HashOf, numerics: Numerics = REFERENCE) -> Plan:
    """The plan of a request; ``hash_of`` returns the content hash of a weights role."""
    draft = _Draft(hash_of, numerics, data.unusable)
    detect_tests = [data.tests[test] for test in request.tests if test in data.tests]
    for chosen in request.trained:
        for source in request.sources:
            tests = [data.tests[ATTRIBUTION, source.name]] if source.target else detect_tests
            for seed in request.seeds:
                for train_protocol, protocol in pairs(request.protocols_of(chosen)):
                    noise = seed if "noise" in request.suite.seeds_draw and not is_baseline(chosen.method) else 0
                    fit = _fit(draft, chosen, source, train_protocol, seed, data, noise)
                    training = (chosen.name, chosen.variant, source.name, train_protocol, seed, source.task)
                    blank = CellId(*training, "", "", "test", protocol, "none", "out")
                    _cells(draft, request, chosen, fit, tests, blank)
    _released(draft, request, detect_tests)
    _val_cells(draft)
    _probes(draft, request, detect_tests)
    return Plan(
        draft.slices,
        tuple(draft.jobs.values()),
        tuple(draft.fits.values()),
        tuple(draft.cells.values()),
        tuple(draft.holes),
        tuple(draft.probes),
        data.passed,
    )


def detectors(request: Request) -> Mapping[tuple[str, str], Chosen]:
    """The chosen methods by (name, variant)."""
    return {(chosen.name, chosen.variant): chosen for chosen in request.methods}
