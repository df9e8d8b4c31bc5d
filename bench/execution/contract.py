"""The contract suite: what every method promises, checked on a toy world without files.

``check-method`` runs it on one method, also one from outside; the project's own tests run it on all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bench import discover
from bench.detector import STAGES, Detector, Method, Sample, Statistic, TrainingFree, is_baseline
from bench.errors import BenchError
from bench.execution.toy import Subject, ToyReader, auc, predict, runtime, toy_item, toy_references
from bench.models.catalogue import MODELS
from bench.progress import Progress
from bench.suites import suite as suites
from bench.training import network, statistic
from bench.training.examples import controlled
from bench.training.faults import BadImages
from bench.training.loader import padded


class Broken(BenchError):
    """A promise that a method breaks."""


def _require(holds: bool, problem: str, context: str = "", fix: str = "See docs/add-a-method.md.") -> None:
    """Raise Broken unless a condition holds."""
    if not holds:
        raise Broken(problem, context or "The contract suite checks it on a toy world.", fix)


class _Strict(dict[str, Any]):
    """Artefacts that refuse what was not declared."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 - it never returns
        raise Broken(f"A view reads the artefact {name!r}, which is not declared.", "See `needs`.", "Declare it there.")


def the_card_is_complete(subject: Subject) -> None:
    """The card says what a reader must know; its weights are in the catalogue."""
    method = subject.instance()
    card = method.card
    empty = [
        n for n in ("title", "paper", "code", "licence", "pretraining", "label_convention") if not getattr(card, n)
    ]
    _require(not empty, f"The card lacks {', '.join(empty)}.")
    _require(card.version >= 1, "The card's version is below 1.")
    _require(bool(card.geometry) != is_baseline(method), "The card must say whose resize and crop it uses.")
    year = card.year > 2000 or (card.year == 0 and is_baseline(method))
    _require(year, "The card's year is not that of a paper.")
    needed = {role for s in STAGES for need in method.needs(s).values() for role in need.roles()}
    strange = sorted((set(card.weights) | needed) - set(MODELS))
    _require(not strange, f"The catalogue has no {', '.join(strange)}.", "See `list models`.")
    missing = sorted(set(method.roles()) - set(card.weights))
    _require(not missing, f"The card does not name the weights {', '.join(missing)}.")


def its_engines_exist(subject: Subject) -> None:
    """Every artefact that it needs is made by an engine that exists, in that engine's version."""
    method = subject.instance()
    for need in (need for stage in STAGES for need in method.needs(stage).values()):
        _require(need.engine in discover.engines(), f"There is no engine {need.engine}.")
        version = discover.engine(need.engine).version
        _require(need.version == version, f"It needs version {need.version} of {need.engine}, which has {version}.")


def it_learns(subject: Subject) -> None:
    """It learns to separate the toy world, and scores every image."""
    method, model = subject.trained
    refs = toy_references(method, 900, 50, "test")
    scores = predict(method, model, refs)
    _require(len(scores) == 50 and bool(np.isfinite(scores).all()), "Not every image has a finite score.")
    reached = auc(scores, refs)
    _require(reached >= 0.9, f"Its AUC on the toy world is {reached:.2f}, not 0.9 or more.")


def a_score_depends_on_its_image_alone(subject: Subject) -> None:
    """A score depends neither on the order of the images nor on their number."""
    method, model = subject.trained
    refs = toy_references(method, 900, 40, "test")
    together, reverse = (predict(method, model, part, runtime()) for part in (refs, refs[::-1]))
    alone = predict(method, model, refs[:1], runtime())
    light = runtime(exact=False)  # As `score` does it: no filler, the next batch loaded ahead.
    other = predict(method, model, refs, light)
    distance = max(float(np.abs(together - x).max()) for x in (reverse[::-1], other))
    distance = max(distance, float(np.abs(together[:1] - alone).max()))
    _require(distance <= 1e-4, f"A logit moves by {distance:.2g} with the images around it.")
    _require(light.meter.forwards == 40, f"{light.meter.forwards} forwards were made for 40 images.")


def a_score_ignores_file_facts(subject: Subject) -> None:
    """A score does not depend on the file's name or container."""
    method, model = subject.trained
    refs = toy_references(method, 900, 8, "test")
    path = refs[0].item.path.with_name("x.bmp")
    renamed = tuple(replace(r, item=replace(r.item, path=path, row_id="9" * 32)) for r in refs)
    there = predict(method, model, renamed, runtime(ToyReader("bmp"), exact=False))
    _require(bool((there == predict(method, model, refs)).all()), "A score changes with the file's name or container.")


def the_seed_decides(subject: Subject) -> None:
    """Two fits with one seed are equal, and another seed gives another fit."""
    method, states = subject.detector(epochs=1), []
    for number, seed in enumerate((3, 3, 4)):
        training = subject.training(method, seed, f"seed-{number}")
        training.run(toy_references(method, 0, 24, "train"), toy_references(method, 500, 8, "test"))
        states.append(training.model.state_dict())
    _require(_equal(states[0], states[1]), "Two fits with one seed differ.")
    _require(not _equal(states[0], states[2]), "Two fits with different seeds are equal.")


def _equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def an_interruption_changes_nothing(subject: Subject) -> None:
    """A fit that was interrupted and resumed ends like an undisturbed one."""
    method, states = subject.detector(epochs=2), []
    for number, stops in enumerate(((), (1,))):
        for epochs in (*stops, 2):
            training = subject.training(method, 3, f"interrupted-{number}")
            training.plan = replace(training.plan, epochs=epochs)
            training.resume()
            training.run(toy_references(method, 0, 24, "train"), toy_references(method, 500, 8, "test"))
        states.append(training.model.state_dict())
    _require(_equal(*states), "A resumed fit differs from an undisturbed one.")


def what_is_saved_is_loaded(subject: Subject) -> None:
    """A saved fit is loaded with the same scores; a missing tensor is an error."""
    from safetensors.torch import save_file

    method, model = subject.trained
    folder = subject.folder / "saved"
    network.save_model(model, folder, {"epochs": 5})
    loaded = network.load_model(method, subject.weights(method), folder, "cpu")
    refs = toy_references(method, 900, 6, "test")
    same = bool((predict(method, loaded, refs) == predict(method, model, refs)).all())
    _require(same, "A loaded fit gives other scores than the saved one.")
    state = loaded.state_dict()
    state.pop(sorted(state)[0])
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / "model.safetensors")
    try:
        network.load_model(method, subject.weights(method), folder, "cpu")
    except RuntimeError:
        return
    raise Broken("A fit without one of its tensors is loaded.", "", "Build every tensor in `build`.")


def views_read_what_is_declared(subject: Subject) -> None:
    """A view reads only declared artefacts, its tensors are finite, and a test view uses no randomness."""
    method = subject.detector()
    for stage in STAGES:
        sample = toy_references(method, 0, 2, stage)[0].sample(ToyReader())
        strict = Sample(sample.rgb, _Strict(sample.artefacts), sample.facts)
        views = [method.view(strict, stage, np.random.default_rng(seed)) for seed in (0, 1)]
        finite = all(bool(torch.isfinite(tensor).all()) for view in views for tensor in view.values())
        _require(finite, f"A {stage} view has values that are not finite.")
        same = all(torch.equal(views[0][key], views[1][key]) for key in views[0])
        _require(stage == "train" or same, "A test view depends on the random generator.")


def every_size_gives_one_shape(subject: Subject) -> None:
    """Images of every size, also odd and small ones, give tensors that can share a batch."""
    method = subject.detector()
    refs = {stage: toy_references(method, 0, 2, stage)[0] for stage in STAGES}
    free = ("full",) if method.ragged else ()
    collate = padded if method.ragged else torch.utils.data.default_collate
    for width, height in ((40, 32), (64, 64), (160, 128), (75, 50)):
        odd = toy_item(7, 0, width, height)
        for stage, ref in refs.items():
            pair = (ref, replace(ref, item=odd, donor=odd))
            views = [method.view(r.sample(ToyReader()), stage, np.random.default_rng(0)) for r in pair]
            shapes = {name: {tuple(view[name].shape) for view in views} for name in views[0] if name not in free}
            differing = sorted(name for name, found in shapes.items() if len(found) > 1)
            _require(not differing, f"At {width} x {height} pixels, {', '.join(differing)} has another shape.")
            batch: Mapping[str, torch.Tensor] = collate([dict(view) for view in views])
            _require({len(tensor) for tensor in batch.values()} == {2}, "Views do not collate into a batch.")


def artefacts_are_used(subject: Subject) -> None:
    """Scores change if artefacts are permuted among images."""
    method, model = subject.trained
    if not method.needs("test"):
        return
    refs = toy_references(method, 900, 32, "test")
    moved = float(np.abs(predict(method, model, refs) - predict(method, model, controlled("permuted", refs, 0))).max())
    _require(moved > 0.05, "Its scores are the same with the artefacts of other images.", "It does not use them.")


def every_variant_learns(subject: Subject) -> None:
    """Every variant learns from a batch and scores."""
    variants = suites.variants(subject.suite, subject.name, discover.method(subject.name))
    for variant in [subject.variant] if subject.variant else variants:
        variant_learns(subject, variant)


def variant_learns(subject: Subject, variant: str) -> None:
    """A variant learns from a batch and scores. Raises UserError if its weights are missing."""
    method = subject.detector(variant, epochs=1)
    training = subject.training(method, 3, f"variant-{variant}")
    before = {key: tensor.clone() for key, tensor in training.model.state_dict().items()}
    training.run(toy_references(method, 0, 8, "train"), toy_references(method, 500, 8, "test"))
    _require(not _equal(training.model.state_dict(), before), f"{subject.name}[{variant}] does not learn.")
    scores = predict(method, training.model, toy_references(method, 900, 5, "test"))
    _require(bool(np.isfinite(scores).all()), f"A score of {subject.name}[{variant}] is not finite.")
    for need in method.needs("test").values():
        _require(need.version == discover.engine(need.engine).version, f"{need.engine} has another version.")


def a_statistic_separates(subject: Subject) -> None:
    """Its values are of one type, and it separates the toy world."""
    method = subject.instance()
    if not isinstance(method, Statistic):
        raise TypeError(f"{subject.name} is not a Statistic.")
    values = statistic.values(method, toy_references(method, 0, 60, "train"), ToyReader(), Progress())
    _require(len({type(value) for value in values}) == 1, "Its values are not of one type.")
    refs = toy_references(method, 900, 50, "test")
    rising = isinstance(method, TrainingFree)
    state = statistic.fit(values, [index % 2 for index in range(60)], rising)
    logits = statistic.logits(state, statistic.values(method, refs, ToyReader(), Progress()))
    reached = auc(np.asarray(logits, np.float32), refs)
    _require(reached >= 0.9, f"Its AUC on the toy world is {reached:.2f}, not 0.9 or more.")


def a_statistic_is_a_function_of_its_image(subject: Subject) -> None:
    """Its value is finite, the same every time, and exists for images of every size."""
    method = subject.instance()
    if not isinstance(method, Statistic):
        raise TypeError(f"{subject.name} is not a Statistic.")
    ref = toy_references(method, 0, 1, "test")[0]
    for width, height in ((40, 32), (64, 64), (160, 128), (75, 50)):
        odd = toy_item(7, 0, width, height)
        twice = [method.value(replace(ref, item=odd, donor=odd).sample(ToyReader())) for _ in range(2)]
        finite = all(isinstance(value, str) or np.isfinite(value) for value in twice)
        _require(finite, f"At {width} x {height} pixels, its value is {twice[0]!r}.")
        _require(twice[0] == twice[1], f"Its value for one image is {twice[0]!r}, then {twice[1]!r}.")


Promise = Callable[[Subject], None]
OF_ALL: tuple[Promise, ...] = (the_card_is_complete, its_engines_exist)
OF_DETECTORS: tuple[Promise, ...] = (
    *(views_read_what_is_declared, every_size_gives_one_shape, it_learns, a_score_depends_on_its_image_alone),
    *(a_score_ignores_file_facts, the_seed_decides, an_interruption_changes_nothing, what_is_saved_is_loaded),
    *(artefacts_are_used, every_variant_learns),
)
OF_STATISTICS: tuple[Promise, ...] = (a_statistic_is_a_function_of_its_image, a_statistic_separates)


def promises(method: type[Method]) -> tuple[Promise, ...]:
    """What a method of that class promises."""
    return (*OF_ALL, *(OF_DETECTORS if issubclass(method, Detector) else OF_STATISTICS))


def check(subject: Subject, progress: Progress) -> Iterator[tuple[str, str]]:
    """Check every promise of a method: (the promise in words, why it is broken or an empty string)."""
    kept = promises(discover.method(subject.name))
    with progress.stage(f"promises of {subject.label}", len(kept)) as stage:
        for promise in kept:
            words = (promise.__doc__ or promise.__name__).splitlines()[0]
            try:
                promise(subject)
                reason = ""
            except Exception as error:  # noqa: BLE001 - a stranger's method may raise anything; it breaks this promise
                first = error.faults[0].error if isinstance(error, BadImages) else error
                reason = first.problem if isinstance(first, BenchError) else f"{type(first).__name__}: {first}"
            progress.advance(stage)
            yield words, reason
