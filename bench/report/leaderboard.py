"""The leaderboard: methods ranked by AUC outside the training generator's family."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabulate import tabulate

from bench.report.board import Board, Setting, Value, percent

_COLUMNS = (
    "Rank",
    "Method",
    "AUC out of family",
    "SD of seeds",
    "AUC family",
    "AUC source",
    "ACC out @0.5",
    "ACC out @source val",
    "Control: AUC source, artefacts permuted",
)
_DASH = "–"


def _percent(value: Value) -> str:
    value_, low, high = (math.nan if number is None else number for number in (value.value, value.low, value.high))
    return percent(value_, low, high)


def _source(board: Board, setting: Setting, method: str) -> Value:
    subset = setting.train if "+" not in setting.train else "mean:all"
    return board.value(setting, method, subset, "auc")


def _line(board: Board, setting: Setting, method: str) -> list[str]:
    control = setting._replace(perturbation="permuted")
    out = board.value(setting, method, "mean:out", "auc")
    return [
        board.title(method),
        _percent(out),
        _DASH if out.sd is None else f"{100 * out.sd:.1f}",
        _percent(board.value(setting, method, "mean:family", "auc")),
        _percent(_source(board, setting, method)),
        _percent(board.value(setting, method, "mean:out", "acc", "0.5")),
        _percent(board.value(setting, method, "mean:out", "acc", "source_val")),
        _percent(_source(board, control, method)),
    ]


def _ranked(board: Board, setting: Setting, methods: Sequence[str]) -> list[str]:
    def sort_key(method: str) -> tuple[bool, float, float, str]:
        out, source = board.value(setting, method, "mean:out", "auc").value, _source(board, setting, method).value
        return out is None, -(out or 0.0), -(source or 0.0), method

    return sorted(methods, key=sort_key)


def _rank(board: Board, setting: Setting, method: str, rank: int) -> str:
    """The rank; a dash for a method with a hole outside the family."""
    return _DASH if board.value(setting, method, "mean:out", "auc").value is None else str(rank)


def _section(board: Board, setting: Setting) -> str:
    detectors = _ranked(board, setting, board.methods(setting, "detector"))
    baselines = _ranked(board, setting, board.methods(setting, "statistic"))
    lines = [[_rank(board, setting, m, rank), *_line(board, setting, m)] for rank, m in enumerate(detectors, 1)]
    lines += [["", *_line(board, setting, m)] for m in baselines]
    filled = [i for i in range(len(_COLUMNS)) if any(line[i] not in ("", _DASH) for line in lines)]
    shown = [[line[i] for i in filled] for line in lines]
    body = tabulate(shown, [_COLUMNS[i] for i in filled], "github", disable_numparse=True, stralign="left")
    protocols = f"{setting.train_protocol} → {setting.protocol}"
    return f"## {setting.dataset}, trained on {setting.train}, {protocols}\n\n{body}\n"


def leaderboard(board: Board) -> str:
    """The leaderboard as Markdown: the fair setting (aligned → aligned) first, then those that show leaks."""
    order = {("aligned", "aligned"): 0, ("raw", "aligned"): 1, ("raw", "raw"): 2}
    settings = [s for s in board.settings if s.perturbation == "none"]
    datasets = board.datasets
    settings.sort(key=lambda s: (s.train, datasets.index(s.dataset), order.get((s.train_protocol, s.protocol), 3)))
    head = (
        "# Leaderboard\n\n"
        f"{board.label[0].upper()}{board.label[1:]}. In percent, ranked by mean AUC over the generators outside the "
        "training generator's family. Unranked rows are trivial baselines: one fact or one number per image. A "
        "detector that does not beat them has learned the dataset, not the task.\n\n"
        "`raw`: files as they are. `aligned`: both classes have one size, the same JPEG coding and equally many "
        "images. Intervals are of the test images. Over several seeds, values and interval ends are means; the "
        "standard deviation among seeds is given.\n"
    )
    sections = "\n".join(_section(board, setting) for setting in settings)
    return f"{head}\n{sections or 'Nothing is ranked here: no detector of generated images was run.'}\n".rstrip() + "\n"
