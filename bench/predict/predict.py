"""Score a user's own images with a fit of a run or an official checkpoint. Importing this imports torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import device as devices
from bench.artefacts.store import Store
from bench.data.index import Index
from bench.detector import Detector
from bench.device import Processes
from bench.errors import UserError
from bench.execution import fitting, pool
from bench.execution.session import open_session
from bench.models.embedded import build_atomically
from bench.models.zoo import Zoo
from bench.planning.released import fit_of
from bench.planning.request import Chosen
from bench.predict import user_artefacts
from bench.predict.options import ScoreRequest
from bench.predict.user_weights import save_copy
from bench.progress import Progress
from bench.recipe import content_key
from bench.results.folder import Results
from bench.training import checkpoint, network, statistic
from bench.training.examples import references, substituted
from bench.training.faults import Fault
from bench.training.fits import fit_folder, is_fitted
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
    """One entry per image; ``p_fake`` in 0…1 is called ``p_sdv15`` for a fit that attributes images to sdv15."""
    part = _slice(request, progress)
    session = open_session(request.zoo, request.store, Results(request.store.root), request.device, progress)
    method = request.chosen.method
    if isinstance(method, Detector) and isinstance(request.fit, Path):
        adopt_copies(method, request, request.fit, progress)
    ready = user_artefacts.keep(method, request.artefacts, part, request.store, progress)
    needs = [part.bound(need) for need in substituted(method.needs("test"), ready).values()]
    recipes = [recipe for need in needs for recipe in request.zoo.resolve(need).closure()]
    if part.usable:
        jobs = tuple(Job(recipe, part) for recipe in recipes if recipe.engine != user_artefacts.GIVEN)
        pool.execute(Plan({}, jobs, (), ()), {}, session, Processes(1))
    if session.failed:
        reason = next(iter(session.failed.values()))
        raise UserError("The artefacts of these images could not be made.", reason, "See the warning above.")
    refs = references(method, [part], request.zoo.resolve, "test", ready)
    fit = request.fit if isinstance(request.fit, Fit) else import_checkpoint(request, request.fit)
    lost, scores = dict[str, Fault](), list[float]()
    session.exact = False
    devices.spread()  # Artefacts are made by one thread, as in every run; these scores are not stored.
    try:
        if refs:
            session.repair(lambda: scores.extend(fitting.score(method, fit, refs, session, lost)))
    except (ValueError, RuntimeError) as error:
        if isinstance(request.fit, Fit) and not request.artefacts:
            raise  # No file of the user can be the cause.
        raise UserError(
            f"{request.chosen.label} cannot score these images with the given weights and artefacts.",
            f"{type(error).__name__}: {error}",
            "Use weights and artefacts of the sizes in the method's parameters (`list methods --json`).",
        ) from error
    logits = dict(zip((ref.item.row_id for ref in refs), scores, strict=True))
    why = {row: fault.reason(session.lost) for row, fault in lost.items()}
    return [_line(i, logits.get(i.row_id), request.chosen.label, fit, why.get(i.row_id, "")) for i in part.items]


def adopt_copies(method: Detector, request: ScoreRequest, path: Path, progress: Progress) -> None:
    """Use the encoders that an official checkpoint contains in full, unless the user gives others.

    They are saved in the store in the Hub's format, once per checkpoint.
    """
    roles = [role for role in method.companions() if not request.zoo.names(role)]
    if not roles:
        return
    content = request.zoo.digest(path)[:16]
    folders = {role: request.store.root / "weights" / f"{role}-of-{content}" for role in roles}
    if not all(folder.is_dir() for folder in folders.values()):
        tensors = checkpoint.read(path, request.trust_pickle)
        for role, copy in method.copies(tensors).items():
            if role in folders and copy:
                _keep_copy(role, copy, folders[role], request, path)
    for role, folder in folders.items():
        if folder.is_dir():
            request.zoo.adopt(role, folder)
            progress.note(f"using the complete copy of {role} in {path}")


def _keep_copy(role: str, copy: Mapping[str, Tensor], folder: Path, request: ScoreRequest, path: Path) -> None:
    try:
        build_atomically(
            folder, lambda partial: save_copy(role, copy, partial, request.zoo, f"the copy of {role} in {path}")
        )
    except UserError:
        return  # Incomplete, or of another size: its tensors are compared with the encoder in use, see `foreign`.


def import_checkpoint(request: ScoreRequest, path: Path) -> Fit:
    """An official checkpoint as a finished fit in the store; read, checked and written once per content."""
    fit = fit_of(request.chosen, request.zoo.digest(path), request.zoo.hash)
    keep_checkpoint(request.chosen, fit, path, (request.zoo, request.store), request.trust_pickle)
    return fit


def keep_checkpoint(
    chosen: Chosen, fit: Fit, path: Path | None, places: tuple[Zoo, Store], trust_pickle: bool = False
) -> None:
    """Write an official checkpoint to the store as the finished ``fit``, unless it is there.

    Without a ``path`` the detector is not trained, and its number is the logit. Raises UserError if the file cannot be
    read, or does not match the detector's network.
    """
    zoo, store = places
    folder = fit_folder(store, fit.key)
    if is_fitted(store, fit):
        return
    if path is None:
        record = {"fit": fitting.describe(fit), "train_images": 0, "state": statistic.UNCALIBRATED}
        network.save_record(folder, record)
    elif isinstance(chosen.method, Detector):
        tensors = checkpoint.read(path, trust_pickle)
        model = chosen.method.build({role: zoo.folder(role) for role in chosen.method.companions()})
        checkpoint.fill(chosen.method, model, tensors, path)
        network.save_model(model, folder, {"fit": fitting.describe(fit), "train_images": 0, "checkpoint": path.name})


def _line(item: Item, logit: float | None, method: str, fit: Fit, why: str) -> dict[str, Any]:
    """The entry of one image; ``why`` is the reason if it could not be scored."""
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
