"""Where finished fits are in the store, and what their records say. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

from bench.artefacts.store import Store
from bench.types import Fit


def fit_folder(store: Store, key: str) -> Path:
    """The folder of a fit's checkpoint."""
    return store.root / "fits" / key


def is_fitted(store: Store, fit: Fit) -> bool:
    """Whether a fit is finished."""
    return (fit_folder(store, fit.key) / "fit.json").exists()


def waiting(store: Store, fit: Fit) -> dict[str, list[str]]:
    """Images that a finished fit was trained without but may use later: recipe key, image id and reason by row_id."""
    path = fit_folder(store, fit.key) / "fit.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    images: dict[str, list[str]] = record.get("waiting", {})
    return images
