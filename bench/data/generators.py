"""Families and dates of generators that no dataset lists: as a folder, a table or the Hub names them."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("generators.toml")


class Generator(NamedTuple):
    """What a name says: generators of one ``family`` are closely related. ``released`` is ``2022-08``, or empty."""

    family: str
    released: str = ""


@cache
def _known() -> tuple[tuple[re.Pattern[str], Generator], ...]:
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))["generator"]
    return tuple((re.compile(e["match"]), Generator(e["family"], e.get("released", ""))) for e in entries)


def generator(name: str) -> Generator | None:
    """The generator that a name speaks of, such as ``stable-diffusion-v1-5`` or ``FLUX.1-dev``; None if unknown."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return next((found for pattern, found in _known() if pattern.search(plain)), None)
