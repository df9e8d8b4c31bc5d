"""Score a person's own images with a fit that a run has made. Importing this imports torch."""

from __future__ import annotations

import math
from typing import Any

from bench.data.index import Index
from bench.errors import UserError
from bench.kit.reference import references
from bench.ledger.folder import Results
from bench.progress import Progress
from bench.recipe import content_key
from bench.run import execute
from bench.run.request import Wanted
from bench.run.session import open_session
from bench.types import OK, Item, Job, Plan, Slice


def _slice(wanted: Wanted, progress: Progress) -> Slice:
    facts = Index(wanted.store.root / "index").scan(wanted.paths, progress)
    items = tuple(
        Item(row_id=content_key(["own", str(path)]), path=path, label=None, **fact)
        for path, fact in zip(wanted.paths, facts, strict=True)
    )
    return Slice("own", "images", "test", items)


def score_images(wanted: Wanted, progress: Progress) -> list[dict[str, Any]]:
    """One line an image: path, method, p_fake, logit, status, reason, fit."""
    part = _slice(wanted, progress)
    session = open_session(wanted.zoo, wanted.store, Results(wanted.store.root), wanted.device, progress)
    method = wanted.chosen.method
    needs = [need.bind(part.image) for need in method.needs("test").values()]
    recipes = [
        r for need in needs for r in need.resolve({role: wanted.zoo.hash(role) for role in need.roles()}).closure()
    ]
    if part.usable:
        execute.prepare(Plan({}, tuple(Job(recipe, part) for recipe in recipes), (), ()), session)
    if session.failed:
        reason = next(iter(session.failed.values()))
        raise UserError("The artefacts of these images could not be made.", reason, "See the warning above.")
    refs = references(method, [part], {role: wanted.zoo.hash(role) for need in needs for role in need.roles()}, "test")
    found = execute.score(method, wanted.fit, refs, session) if refs else []
    logits = dict(zip((ref.item.row_id for ref in refs), found, strict=True))
    return [_line(item, logits.get(item.row_id), wanted) for item in part.items]


def _line(item: Item, logit: float | None, wanted: Wanted) -> dict[str, Any]:
    p_fake = None if logit is None else 1 / (1 + math.exp(-max(min(logit, 700.0), -700.0)))
    return {
        "path": str(item.path),
        "method": wanted.fit.label,
        "p_fake": p_fake,
        "logit": logit,
        "status": item.status,
        "reason": "" if item.status == OK else item.reason,
        "fit": wanted.fit.key,
    }
