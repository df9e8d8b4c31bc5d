"""Train a fit and score its cells. A failure becomes a status; a bad image does not affect the others."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.artefacts.store import MissingArtefact
from bench.detector import STAGES, Detector, Method, Statistic, TrainingFree
from bench.errors import BenchError
from bench.execution import ranks
from bench.execution.left_out import LeftOut
from bench.execution.session import Place, Session
from bench.models.zoo import Zoo
from bench.planning.estimate import passes
from bench.planning.needs import needs, noise_of
from bench.planning.units import Trial
from bench.recipe import Recipe, content_key
from bench.results.scores import Scores
from bench.training import network, statistic
from bench.training.examples import Reference, controlled, references
from bench.training.faults import BadImages, Fault, without
from bench.training.fits import fit_folder, waiting
from bench.types import NO_ARTEFACT, OK, Cell, Fit, Plan


def _folders(fit: Fit, zoo: Zoo) -> dict[str, Path]:
    return {role: zoo.folder(role) for role in fit.weights}


def train(trial: Trial, method: Method, plan: Plan, session: Session) -> None:
    """Train one fit and save it. Images that cannot be used are left out, named and recorded.

    They are found during training, which then starts again without them, so that the result does not depend on when
    they are found.
    """
    fit, folder = trial.fit, fit_folder(session.store, trial.fit.key)
    resolve, drawn = session.zoo.resolve, {stage: needs(method, stage, fit.noise) for stage in STAGES}
    all_train = references(method, [plan.slices[key] for key in fit.train], resolve, "train", drawn["train"])
    all_val = references(method, [plan.slices[key] for key in fit.val], resolve, "test", drawn["test"])
    out = LeftOut()
    while True:
        refs, val = without(all_train, out.reasons), without(all_val, out.reasons)
        out.check(refs, val, bool(all_val))
        record: dict[str, Any] = {"fit": describe(fit), "train_images": len(refs), "val_images": len(val)}
        try:
            record |= _learn(trial, method, refs, val, session)
            break
        except BadImages as bad:
            if bad.damaged:
                raise
            for row, reason in list(out.add(bad, session.lost).items())[:5]:
                session.progress.warn(f"left out of {trial.title}: {row}: {reason}")
    network.save_record(folder, record | out.record())
    session.meter.fits_trained += 1


def _learn(
    trial: Trial, method: Method, refs: Sequence[Reference], val: Sequence[Reference], session: Session
) -> dict[str, Any]:
    """Train on references and save the network, if the method is one; returns entries for the fit's record."""
    fit, folder = trial.fit, fit_folder(session.store, trial.fit.key)
    if isinstance(method, Statistic):
        statistics = statistic.values(method, refs, session.reader, session.progress)
        labels = [ref.label for ref in refs]
        state = statistic.fit(statistics, labels, isinstance(method, TrainingFree))
        if state.get("slope") == statistic.FLATTEST:
            session.progress.warn(f"{trial.title}: its scores do not rise with the fakes among the training images")
        return {"state": state}
    if not isinstance(method, Detector):
        raise TypeError(f"{type(method).__name__} is neither a Detector nor a Statistic.")
    data = content_key([[ref.item.row_id, ref.example.pixels] for ref in (*refs, *val)])
    several = session.zoo.numerics.devices_per_fit
    if several > 1:
        place = Place.of(session, session.workers // several)
        words = (method, _folders(fit, session.zoo), fit.seed, folder, data, refs, val, trial.title, session.lost)
        return ranks.train(ranks.Share(place, *words), session, several)
    training = network.Training(method, _folders(fit, session.zoo), fit.seed, folder, session.runtime)
    training.data = data
    training.resume()
    training.run(refs, val, trial.title)
    network.save_weights(training.model, folder)
    return training.record()


def describe(fit: Fit) -> Mapping[str, Any]:
    """A fit as plain JSON, with its key."""
    return {name: value for name, value in vars(fit).items() if name != "key"} | {"key": fit.key}


def score(
    method: Method, fit: Fit, refs: tuple[Reference, ...], session: Session, lost: dict[str, Fault]
) -> list[float]:
    """Logits of references by a finished fit. One that cannot be used gets NaN, and its fault is added to ``lost``."""
    folder = fit_folder(session.store, fit.key)
    if isinstance(method, Statistic):
        state = json.loads((folder / "fit.json").read_text(encoding="utf-8"))["state"]
        try:
            statistics = statistic.values(method, refs, session.reader, session.progress)
        except BadImages as bad:
            if bad.damaged:
                raise
            lost |= {fault.row_id: fault for fault in bad.faults}
            statistics = statistic.values(method, without(refs, lost), session.reader, session.progress)
        logits = iter(statistic.logits(state, statistics))
        return [float("nan") if ref.item.row_id in lost else next(logits) for ref in refs]
    if not isinstance(method, Detector):
        raise TypeError(f"{type(method).__name__} is neither a Detector nor a Statistic.")
    model = session.model(
        fit.key, lambda: network.load_model(method, _folders(fit, session.zoo), folder, session.device)
    )
    return network.predict(method, model, refs, session.runtime, lost)


def score_cell(cell: Cell, method: Method, session: Session) -> None:
    """Score one cell and write its per-image scores; quarantined images keep their reason and get no score.

    Raises BenchError if no score is finite.
    """
    refs = references(method, [cell.test], session.zoo.resolve, "test", needs(method, "test", noise_of(cell)))
    refs = controlled(cell.perturbation, refs, cell.fit.seed)
    lost: dict[str, Fault] = {}
    logits = dict(zip((r.item.row_id for r in refs), score(method, cell.fit, refs, session, lost), strict=True))
    reasons = {row: fault.reason(session.lost) for row, fault in lost.items()}
    bad = {row: "the score is not finite" for row, value in logits.items() if not np.isfinite(value)} | reasons
    if len(bad) == len(logits) and logits:
        first = next(iter(bad.values()))
        why = "None of its images can be used." if lost else "The fit has diverged."
        raise BenchError(f"None of the {len(logits)} scores is finite: {first}.", why, "See the reasons above.")
    items = cell.test.items
    missing = {row for row, fault in lost.items() if isinstance(fault.error, MissingArtefact)}
    # Scores are provisional, and the next run computes them again, if an error of an image or the fit may be temporary.
    provisional = any(fault.passing for fault in lost.values()) or bool(waiting(session.store, cell.fit))
    scores = Scores(
        tuple(i.row_id for i in items),
        tuple(i.image_id for i in items),
        tuple(i.label for i in items),
        tuple(logits.get(item.row_id, float("nan")) for item in items),
        tuple(NO_ARTEFACT if i.row_id in missing else "failed" if i.row_id in bad else i.status for i in items),
        tuple(bad.get(i.row_id, i.reason) for i in items),
    )
    session.results.write_scores(session.results.scores_path(cell), scores, "" if provisional else cell.key)
    if reasons:
        row, reason = next(iter(reasons.items()))
        session.progress.warn(
            f"{len(reasons)} of {len(items)} images of {cell.title} have no score, for example {row}: {reason}"
        )


def fit_or_record(trial: Trial, method: Method, plan: Plan, session: Session) -> None:
    """Train a trial's fit, or record why it failed."""
    fit, started = trial.fit, time.monotonic()
    images = [plan.slices[key].image for key in (*fit.trained_on, *fit.val)]
    presented = [recipe.key for image in images if isinstance(image, Recipe) for recipe in image.closure()]
    reason = session.blocked((*fit.recipes, *presented))
    if reason is not None:
        session.failed[fit.key] = reason
    elif session.attempt(
        fit.key, f"fit of {trial.title}", partial(session.repair, partial(train, trial, method, plan, session))
    ):
        count = sum(len(plan.slices[key].usable) for key in fit.trained_on) * passes(method)
        session.costs.append(("fit", fit.label, count, time.monotonic() - started))


def score_or_record(cell: Cell, method: Method, session: Session) -> None:
    """Score a cell unless it has scores, or record why it failed."""
    if session.results.has_scores(session.results.scores_path(cell), cell.key):
        return
    if cell.fit.key in session.failed:
        session.failed[cell.key] = session.failed[cell.fit.key]
        return
    bound = [cell.test.bound(need) for need in needs(method, "test", noise_of(cell)).values()]
    presented = (cell.test.image,) if isinstance(cell.test.image, Recipe) else ()
    keys = tuple(recipe.key for recipe in (*presented, *(session.zoo.resolve(need) for need in bound)))
    reason = session.blocked(keys)
    if reason is not None:
        session.failed[cell.key] = reason
        return
    started = time.monotonic()
    if session.attempt(cell.key, cell.title, partial(session.repair, partial(score_cell, cell, method, session))):
        session.costs.append(("score", cell.fit.label, len(cell.test.usable), time.monotonic() - started))


def status_of(cell: Cell, session: Session) -> tuple[str, str]:
    """The status of a cell and its reason: (``ok``, '') or (``failed``, reason)."""
    reason = session.failed.get(cell.key)
    return (OK, "") if reason is None else ("failed", reason)
