"""What a protocol made of the test images of a table's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.report.board import Board, Setting

_Part = Mapping[str, Any]


def _used(part: _Part) -> str:
    """The share of a slice's readable images that the protocol keeps."""
    kept = part["real"] + part["fake"]
    return f"{100 * kept / max(kept + part['left_out'], 1):.0f} %"


_FACTS: tuple[tuple[str, Callable[[_Part], str]], ...] = (
    ("window, px", lambda part: str(part["window"])),
    ("scale", lambda part: "–".join(f"{end:.2f}" for end in dict.fromkeys(part["scale"]))),
    ("pairs", lambda part: str(min(part["real"], part["fake"]))),
    ("images used", _used),
)


def windows(board: Board, setting: Setting, subsets: Sequence[str]) -> list[list[str]]:
    """A line for each fact with a text per subset; none if the protocol has no windows, as ``raw``."""
    parts = [board.slices.get(f"{setting.dataset}-{name}-test@{setting.protocol}", {}) for name in subsets]
    if not any("window" in part for part in parts):
        return []
    return [[name, *(shown(part) if "window" in part else "" for part in parts)] for name, shown in _FACTS]
