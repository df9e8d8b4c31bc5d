"""The leaderboard: methods ranked by AUC outside the training generator's family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from tabulate import tabulate

from bench.metrics.ranking import ALPHA, Rank
from bench.report import shortcuts, trivial, windows
from bench.report.board import Board, Setting, Value, of_setting, percent
from bench.report.comparisons import p_text
from bench.report.nulls import row
from bench.results.numbers import JOINT

_COLUMNS = (
    "Rank",
    "Method",
    "AUC out of family",
    "AUC out, trained to the plateau",
    "SD of seeds",
    "Worst generator out",
    "AUC family",
    "AUC source",
    "ACC out @0.5",
    "ACC out @source val",
    "Control: AUC source, artefacts of another image",
)
_DASH = "–"


def _percent(value: Value) -> str:
    value_, low, high = (math.nan if number is None else number for number in (value.value, value.low, value.high))
    return percent(value_, low, high)


def _source(board: Board, setting: Setting, method: str) -> Value:
    subset = setting.train if "+" not in setting.train else JOINT
    return board.value(setting, method, subset, "auc")


def _worst(board: Board, setting: Setting, method: str) -> str:
    """The lowest AUC among the generators out of family, and which it is."""
    cells = board.cells(setting, board.outside(setting), "auc")
    values = cells[cells["method"] == board.title(method)].set_index("subset")["value"]
    if values.empty or values.isna().any():
        return _DASH
    titles = {column.subset: column.title for column in board.columns_of(setting)}
    return f"{100 * values.min():.1f} ({titles[str(values.idxmin())]})"


def _to_plateau(board: Board, setting: Setting, method: str) -> str:
    """The mean AUC out of family if the detector is trained until its validation loss stops falling."""
    found = board.budgets
    names = {**setting._asdict(), "method": method, "subset": "mean:out"}
    names.pop("perturbation")
    found = found[np.logical_and.reduce([found[name] == value for name, value in names.items()])]
    return percent(*found[["plateau", "plateau_low", "plateau_high"]].iloc[0]) if len(found) else _DASH


def _line(board: Board, setting: Setting, method: str) -> list[str]:
    control = setting._replace(perturbation="permuted")
    out = board.value(setting, method, "mean:out", "auc")
    return [
        board.title(method),
        _percent(out),
        _to_plateau(board, setting, method),
        _DASH if out.sd is None else f"{100 * out.sd:.1f}",
        _worst(board, setting, method),
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


def _ranks(board: Board, setting: Setting) -> dict[str, str]:
    """The rank of every ranked detector: one number, or the first and the last place that are possible.

    None under a protocol that takes a score apart.
    """
    if {setting.train_protocol, setting.protocol} & set(_OTHERS):
        return {}
    table = board.ranking(setting)
    table = table[(table["reason"] == "") & (table["ranked"] > 1)]
    return {str(label): str(Rank(int(row["first"]), int(row["last"]))) for label, row in table.iterrows()}


def _half_width(board: Board, setting: Setting, subsets: Sequence[str]) -> str:
    """Half the width of the detectors' median interval on these subsets, in points."""
    cells = board.cells(setting, subsets, "auc")
    widths = (cells["high"] - cells["low"])[cells["kind"] == "detector"].dropna() / 2
    return f"{100 * widths.median():.1f}" if len(widths) else ""


def _note(board: Board, setting: Setting) -> str:
    """What the section's numbers can tell apart."""
    table, parts = board.ranking(setting), []
    one, mean = (_half_width(board, setting, names) for names in (board.outside(setting), ["mean:out"]))
    if one and mean:
        parts.append(f"Half an interval is {one} points on one generator and {mean} on their mean (medians).")
    pairs = of_setting(board.pairs, setting)
    if len(pairs):
        parts.append(f"{(pairs['p_holm'] < ALPHA).sum()} of {len(pairs)} pairs of detectors differ significantly.")
    tested = table.dropna(subset="friedman_p")
    if len(tested):
        p, distance = tested[["friedman_p", "critical_difference"]].iloc[0]
        parts.append(
            f"Over the generators: Friedman's p {p_text(p) if p < 0.001 else '= ' + p_text(p)}; mean ranks that differ "
            f"by less than {distance:.1f} are not told apart."
        )
    parts.append(trivial.line(board, setting))
    seeds = board.budgets["seeds"].max() if len(board.budgets) else 0
    if seeds == 1 and setting.train_protocol == setting.protocol == "aligned":
        parts.append("Trained to the plateau: one seed, with intervals of the test images alone.")
    parts += [row(board, setting.train_protocol, setting.protocol), shortcuts.line(board, setting)]
    parts.append(windows.sentence(board, setting))
    unranked = table.loc[table["reason"] != "", "reason"]
    for why, labels in unranked.groupby(unranked).groups.items():
        parts.append(f"Not ranked: {', '.join(map(board.title, labels))} ({why}).")
    text = " ".join(part for part in parts if part)
    return f"\n{text}\n" if text else ""


def _section(board: Board, setting: Setting) -> str:
    detectors = _ranked(board, setting, board.methods(setting, "detector"))
    ablations, baselines = (_ranked(board, setting, board.methods(setting, kind)) for kind in ("ablation", "statistic"))
    ranks = _ranks(board, setting)
    lines = [[ranks.get(method, _DASH), *_line(board, setting, method)] for method in detectors]
    lines += [["ablation", *_line(board, setting, m)] for m in ablations]
    lines += [["", *_line(board, setting, m)] for m in baselines]
    filled = [i for i in range(len(_COLUMNS)) if any(line[i] not in ("", _DASH) for line in lines)]
    shown = [[line[i] for i in filled] for line in lines]
    body = tabulate(shown, [_COLUMNS[i] for i in filled], "github", disable_numparse=True, stralign="left")
    where = f"trained on {setting.train}, {setting.train_protocol} → {setting.protocol}"
    where = f"{setting.untrained}, {setting.protocol}" if setting.untrained else where
    return f"## {setting.dataset}, {where}\n\n{body}\n{_note(board, setting)}"


def _drawn(board: Board) -> str:
    """What differs between seeds."""
    words = {"subset": "the training images", "noise": "the noise of artefacts"}
    more = "".join(f", {words[name]}" for name in board.seeds_draw if name in words)
    return f"A seed draws the first weights, the order of images and augmentation{more}."


_APART = (
    "Protocols other than `aligned` take a score apart; they measure no detector, since what they leave can be found."
)
#: What the protocols do that are run on request.
_OTHERS: Mapping[str, str] = {
    "harmonised": "both classes have one size and equally many images, not encoded again: each has its own history",
    "codec_match": "fakes have the JPEG coding of photographs, and their own sizes",
    "codec_both": "both classes are encoded once more in one way, at their own sizes",
    "codec_fakes_only": "fakes are encoded at quality 96, at their own sizes",
}


def _others(settings: Sequence[Setting]) -> str:
    """What the protocols do that are neither raw nor aligned; empty if there is none."""
    used = {name for setting in settings for name in (setting.train_protocol, setting.protocol)}
    told = "".join(f"`{name}`: {does}. " for name, does in _OTHERS.items() if name in used)
    return f"{told}{_APART} " if told else ""


def leaderboard(board: Board) -> str:
    """The leaderboard as Markdown: the fair setting (aligned → aligned) first, then those that show leaks."""
    order = {("aligned", "aligned"): 0, ("raw", "aligned"): 1, ("raw", "raw"): 2}
    settings = [s for s in board.settings if s.perturbation == "none"]
    datasets = board.datasets
    settings.sort(key=lambda s: (s.train, datasets.index(s.dataset), order.get((s.train_protocol, s.protocol), 3)))
    head = (
        "# Leaderboard\n\n"
        f"{board.label[0].upper()}{board.label[1:]}. In percent, in the order of the mean AUC over the generators "
        "outside the training generator's family. Unranked rows at the end are trivial baselines: one fact or one "
        "number per image. A detector that does not beat them has learned the dataset, not the task. An ablation is a "
        "detector without one of its parts. It is not ranked.\n\n"
        "A rank is 1 + the number of detectors that are significantly better; after the dash is the last place that is "
        "possible (5 %, corrected by Holm's method for all pairs of a table).\n\n"
        "`raw`: files as they are. `aligned`: both classes have one size, the same JPEG coding and equally many "
        f"images. {_others(settings)}Values are means over seeds. 95 % intervals are of training and test images if "
        "there are several "
        f"seeds, and of the test images alone if there is one; then nothing is ranked. {_drawn(board)}\n"
    )
    sections = "\n".join(_section(board, setting) for setting in settings)
    return f"{head}\n{sections or 'Nothing is ranked here: no detector of generated images was run.'}\n".rstrip() + "\n"
