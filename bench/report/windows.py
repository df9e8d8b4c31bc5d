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


def sentence(board: Board, setting: Setting) -> str:
    """The windows of a setting's subsets in words, those of the training images first; '' if it has none."""
    places = {c.subset: c.title for c in board.columns_of(setting)}
    slices = {f"{setting.dataset}-{name}-test@{setting.protocol}": title for name, title in places.items()}
    if setting.protocol == setting.train_protocol:
        slices = {_training(board, setting): "training"} | slices
    sizes: dict[int, list[str]] = {}
    kept: list[int] = []
    for name, title in slices.items():
        part = board.slices.get(name, {})
        if "window" in part:
            sizes.setdefault(part["window"], []).append(title)
            kept.append(min(part["real"], part["fake"]))
    if not sizes:
        return ""
    told = "; ".join(f"{side} px for {', '.join(titles)}" for side, titles in sizes.items())
    tests = kept[1:] if "training" in sizes[next(iter(sizes))] else kept
    pairs = " to ".join(str(count) for count in dict.fromkeys((min(tests), max(tests))))
    return f"Windows: {told}; {pairs} pairs of test images. Scale and coverage stand below every table of AUC."


def _training(board: Board, setting: Setting) -> str:
    """The name of the slice of training images; '' for a joint source, which has several."""
    names = (f"{column.dataset}-{setting.train}-train@{setting.train_protocol}" for column in board.columns)
    return next((name for name in names if name in board.slices), "")
