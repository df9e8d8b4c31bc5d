"""Which artefacts of a store were not made by it but taken from elsewhere (``store adopt``), and so are unverified."""

from __future__ import annotations

import json
import uuid

from bench.artefacts.store import Store
from bench.recipe import Recipe
from bench.types import Plan


def mark_unverified(store: Store, recipe: Recipe, count: int, origin: str) -> None:
    """Record that artefacts of a recipe come from elsewhere, as they were; ``origin`` names where they were found."""
    partial = store.folder(recipe.key) / f"{uuid.uuid4().hex}.part"
    partial.write_text(json.dumps({"artefacts": count, "origin": origin}), encoding="utf-8")
    partial.replace(partial.with_name(f"unverified-{partial.stem}.json"))


def unverified(store: Store, key: str) -> int:
    """How many artefacts of the recipe with this key come from elsewhere."""
    notes = store.folder(key).glob("unverified-*.json")
    return sum(json.loads(note.read_text(encoding="utf-8"))["artefacts"] for note in notes)


def unverified_in(plan: Plan, store: Store) -> dict[str, int]:
    """How many artefacts of a plan's recipes come from elsewhere, by key, for recipes that have such."""
    counts = {key: unverified(store, key) for key in {job.recipe.key for job in plan.jobs}}
    return {key: count for key, count in sorted(counts.items()) if count}
