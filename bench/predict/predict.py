"""Score a person's own images with a fit that a run has made. Importing this imports torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import device as devices
from bench.data.index import Index
from bench.detector import Detector
from bench.device import Processes
from bench.errors import UserError
from bench.execution import fitting, pool
from bench.execution.session import open_session
from bench.models.embedded import build_atomically
from bench.predict import user_artefacts
from bench.predict.options import ScoreRequest
from bench.predict.user_weights import save_clip
from bench.progress import Progress
from bench.recipe import content_key
from bench.results.folder import Results
from bench.training import checkpoint, network
from bench.training.examples import references, substituted
from bench.training.faults import Fault
from bench.training.fits import fit_folder
from bench.types import OK, Fit, Item, Job, Plan, Slice

if TYPE_CHECKING:
    from torch import Tensor


def _slice(request: ScoreRequest, progress: Progress) -> Slice:
    facts = Index(request.store.root / "index").scan(request.paths, progress)
    items = tuple(
        Item(row_id=content_key(["own", str(path)]), path=path, label=None, **fact)
        for path, fact in zip(request.paths, facts, strict=True)
    )
    return Slice("own", "images", "test", items)


def score_images(request: ScoreRequest, progress: Progress) -> list[dict[str, Any]]:
    """One line an image: path, method, p_fake (p_sdv15 of a fit that attributes to it), logit, status, reason, fit."""
    part = _slice(request, progress)
    session = open_session(request.zoo, request.store, Results(request.store.root), request.device, progress)
    method = request.chosen.method
    if isinstance(method, Detector) and isinstance(request.fit, Path):
        adopt_copies(method, request, request.fit, progress)
    ready = user_artefacts.keep(method, request.artefacts, part, request.store, progress)
    needs = [part.bound(need) for need in substituted(method.needs("test"), ready).values()]
    recipes = [
        r for need in needs for r in need.resolve({role: request.zoo.hash(role) for role in need.roles()}).closure()
    ]
    if part.usable:
        jobs = tuple(Job(recipe, part) for recipe in recipes if recipe.engine != user_artefacts.GIVEN)
        pool.execute(Plan({}, jobs, (), ()), {}, session, Processes(1))
    if session.failed:
        reason = next(iter(session.failed.values()))
        raise UserError("The artefacts of these images could not be made.", reason, "See the warning above.")
    hashes = {role: request.zoo.hash(role) for need in needs for role in need.roles()}
    refs = references(method, [part], hashes, "test", ready)
    fit = request.fit if isinstance(request.fit, Fit) else import_checkpoint(request, request.fit)
    lost, found = dict[str, Fault](), list[float]()
    session.exact = False
    devices.spread()  # Artefacts are made by one thread, as in every run; these scores go nowhere else.
    try:
        if refs:
            session.repair(lambda: found.extend(fitting.score(method, fit, refs, session, lost)))
    except (ValueError, RuntimeError) as error:
        if isinstance(request.fit, Fit) and not request.artefacts:
            raise  # Nothing of the user's is in it.
        raise UserError(
            f"{request.chosen.label} cannot score these images with what it was given.",
            f"{type(error).__name__}: {error}",
            "Weights and artefacts must have the sizes that the method is scored with (`list methods --json`).",
        ) from error
    logits = dict(zip((ref.item.row_id for ref in refs), found, strict=True))
    why = {row: fault.reason(session.lost) for row, fault in lost.items()}
    return [_line(i, logits.get(i.row_id), request.chosen.label, fit, why.get(i.row_id, "")) for i in part.items]


def adopt_copies(method: Detector, request: ScoreRequest, path: Path, progress: Progress) -> None:
    """Use the encoders that an official checkpoint holds whole, where the user names no others.

    They are kept below the store in the Hub's format, once for each checkpoint.
    """
    free = [role for role in method.companions() if not request.zoo.names(role)]
    if not free:
        return
    content = request.zoo.digest(path)[:16]
    homes = {role: request.store.root / "weights" / f"{role}-of-{content}" for role in free}
    if not all(home.is_dir() for home in homes.values()):
        tensors = checkpoint.read(path, request.trust_pickle)
        for role, copy in method.copies(tensors).items():
            if role in homes and copy:
                _keep_copy(role, copy, homes[role], request, path)
    for role, home in homes.items():
        if home.is_dir():
            request.zoo.adopt(role, home)
            progress.note(f"{role} is taken from {path}, where it is whole")


def _keep_copy(role: str, copy: Mapping[str, Tensor], home: Path, request: ScoreRequest, path: Path) -> None:
    try:
        build_atomically(
            home, lambda partial: save_clip(role, copy, partial, request.zoo, f"the copy of {role} in {path}")
        )
    except UserError:
        return  # Not whole, or of another size: what is there is compared with the one beside it, see `foreign`.


def import_checkpoint(request: ScoreRequest, path: Path) -> Fit:
    """An official checkpoint as a finished fit of the store; read, checked and written once for each content."""
    method = request.chosen.method
    if not isinstance(method, Detector):
        raise UserError(f"{request.chosen.label} has no checkpoints.", "It is a statistic.", "Name a detector.")
    weights = {role: request.zoo.folder(role) for role in method.companions()}
    content = request.zoo.digest(path)
    fit = Fit(
        method=request.chosen.name,
        variant=request.chosen.variant,
        version=method.card.version,
        params=asdict(method.params),
        weights={role: request.zoo.hash(role) for role in weights},
        recipes=(),
        source=f"checkpoint {content[:12]}",
        train=(content,),
        val=(),
        protocol="",
        seed=0,
    )
    folder = fit_folder(request.store, fit.key)
    if not (folder / "fit.json").exists():
        tensors = checkpoint.read(path, request.trust_pickle)
        model = method.build(weights)
        checkpoint.fill(method, model, tensors, path)
        network.save_model(model, folder, {"fit": fitting.describe(fit), "train_images": 0, "checkpoint": path.name})
    return fit


def _line(item: Item, logit: float | None, method: str, fit: Fit, why: str) -> dict[str, Any]:
    target = fit.task.partition(":")[2] or "fake"
    status, reason = item.status, "" if item.status == OK else item.reason
    if logit is not None and not math.isfinite(logit):
        logit, status, reason = None, "failed", why or "the score is not finite"
    chance = None if logit is None else 1 / (1 + math.exp(-max(min(logit, 700.0), -700.0)))
    return {
        "path": str(item.path),
        "method": method,
        f"p_{target}": chance,
        "logit": logit,
        "status": status,
        "reason": reason,
        "fit": fit.key,
        "trained": fit.title,
    }
