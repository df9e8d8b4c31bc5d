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
from bench.kit import checkpoint, network
from bench.kit.faults import Fault
from bench.kit.reference import references, substituted
from bench.ledger.folder import Results
from bench.models.embedded import whole
from bench.progress import Progress
from bench.recipe import content_key
from bench.run import execute, given, pool
from bench.run.companions import save_clip
from bench.run.estimate import fit_folder
from bench.run.request import Wanted
from bench.run.session import open_session
from bench.types import OK, Fit, Item, Job, Plan, Slice

if TYPE_CHECKING:
    from torch import Tensor


def _slice(wanted: Wanted, progress: Progress) -> Slice:
    facts = Index(wanted.store.root / "index").scan(wanted.paths, progress)
    items = tuple(
        Item(row_id=content_key(["own", str(path)]), path=path, label=None, **fact)
        for path, fact in zip(wanted.paths, facts, strict=True)
    )
    return Slice("own", "images", "test", items)


def score_images(wanted: Wanted, progress: Progress) -> list[dict[str, Any]]:
    """One line an image: path, method, p_fake (p_sdv15 of a fit that attributes to it), logit, status, reason, fit."""
    part = _slice(wanted, progress)
    session = open_session(wanted.zoo, wanted.store, Results(wanted.store.root), wanted.device, progress)
    method = wanted.chosen.method
    if isinstance(method, Detector) and isinstance(wanted.fit, Path):
        adopt_copies(method, wanted, wanted.fit, progress)
    ready = given.keep(method, wanted.artefacts, part, wanted.store, progress)
    needs = [part.bound(need) for need in substituted(method.needs("test"), ready).values()]
    recipes = [
        r for need in needs for r in need.resolve({role: wanted.zoo.hash(role) for role in need.roles()}).closure()
    ]
    if part.usable:
        jobs = tuple(Job(recipe, part) for recipe in recipes if recipe.engine != given.GIVEN)
        pool.work(Plan({}, jobs, (), ()), {}, session, Processes(1))
    if session.failed:
        reason = next(iter(session.failed.values()))
        raise UserError("The artefacts of these images could not be made.", reason, "See the warning above.")
    hashes = {role: wanted.zoo.hash(role) for need in needs for role in need.roles()}
    refs = references(method, [part], hashes, "test", ready)
    fit = wanted.fit if isinstance(wanted.fit, Fit) else import_checkpoint(wanted, wanted.fit)
    lost, found = dict[str, Fault](), list[float]()
    session.exact = False
    devices.spread()  # Artefacts are made by one thread, as in every run; these scores go nowhere else.
    try:
        if refs:
            execute.healed(lambda: found.extend(execute.score(method, fit, refs, session, lost)), session)
    except (ValueError, RuntimeError) as error:
        if isinstance(wanted.fit, Fit) and not wanted.artefacts:
            raise  # Nothing of the user's is in it.
        raise UserError(
            f"{wanted.chosen.label} cannot score these images with what it was given.",
            f"{type(error).__name__}: {error}",
            "Weights and artefacts must have the sizes that the method is scored with (`list methods --json`).",
        ) from error
    logits = dict(zip((ref.item.row_id for ref in refs), found, strict=True))
    why = {row: fault.reason(session.lost) for row, fault in lost.items()}
    return [_line(i, logits.get(i.row_id), wanted.chosen.label, fit, why.get(i.row_id, "")) for i in part.items]


def adopt_copies(method: Detector, wanted: Wanted, path: Path, progress: Progress) -> None:
    """Use the encoders that an official checkpoint holds whole, where the user names no others.

    They are kept below the store in the Hub's format, once for each checkpoint.
    """
    free = [role for role in method.companions() if not wanted.zoo.names(role)]
    if not free:
        return
    content = wanted.zoo.digest(path)[:16]
    homes = {role: wanted.store.root / "weights" / f"{role}-of-{content}" for role in free}
    if not all(home.is_dir() for home in homes.values()):
        tensors = checkpoint.read(path, wanted.trust_pickle)
        for role, copy in method.copies(tensors).items():
            if role in homes and copy:
                _keep_copy(role, copy, homes[role], wanted, path)
    for role, home in homes.items():
        if home.is_dir():
            wanted.zoo.adopt(role, home)
            progress.note(f"{role} is taken from {path}, where it is whole")


def _keep_copy(role: str, copy: Mapping[str, Tensor], home: Path, wanted: Wanted, path: Path) -> None:
    try:
        whole(home, lambda partial: save_clip(role, copy, partial, wanted.zoo, f"the copy of {role} in {path}"))
    except UserError:
        return  # Not whole, or of another size: what is there is compared with the one beside it, see `foreign`.


def import_checkpoint(wanted: Wanted, path: Path) -> Fit:
    """An official checkpoint as a finished fit of the store; read, checked and written once for each content."""
    method = wanted.chosen.method
    if not isinstance(method, Detector):
        raise UserError(f"{wanted.chosen.label} has no checkpoints.", "It is a statistic.", "Name a detector.")
    weights = {role: wanted.zoo.folder(role) for role in method.companions()}
    content = wanted.zoo.digest(path)
    fit = Fit(
        method=wanted.chosen.name,
        variant=wanted.chosen.variant,
        version=method.card.version,
        params=asdict(method.params),
        weights={role: wanted.zoo.hash(role) for role in weights},
        recipes=(),
        source=f"checkpoint {content[:12]}",
        train=(content,),
        val=(),
        protocol="",
        seed=0,
    )
    folder = fit_folder(wanted.store, fit.key)
    if not (folder / "fit.json").exists():
        tensors = checkpoint.read(path, wanted.trust_pickle)
        model = method.build(weights)
        checkpoint.fill(method, model, tensors, path)
        network.save_model(model, folder, {"fit": execute.describe(fit), "train_images": 0, "checkpoint": path.name})
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
