"""``tables/controls.md``: what is left of each detector's AUC when its artefacts cannot help.

Controls are those of :mod:`bench.controls`.
"""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.controls import CONTROLS
from bench.metrics.ranking import ALPHA
from bench.report.board import Board, percent
from bench.report.comparisons import points
from bench.results import comparisons, controls
from bench.results.folder import Results, write_text
from bench.results.numbers import JOINT

_NOTE = (
    "AUC (%) with 95 % intervals; a mean over seeds. *Lost* is the AUC with a detector's own artefacts minus that of "
    "the control, in points: the same fits on the same images, so its interval is paired by both; bold if it is "
    "significant when corrected by Holm's method for all of this page. A detector that relies on its artefacts falls. "
    "A detector that does not fall reads the image itself. A negative loss is a gain: its own artefacts mislead it, "
    "as on a subset where its AUC is below 50. A fall to 50 is not required: artefacts of another image still have the "
    "style of their generator, and a distance from another image still depends on how grainy the image is. Over "
    "several seeds the interval includes the choice of the other images and of the noise. A dash is a hole, or a "
    "control that does not apply because the detector's artefacts are not drawn from noise."
)
_DASH = "–"


def _lost(row: pd.Series) -> str:
    number, _, ends = points(*row[["lost", "lost_low", "lost_high"]]).partition(" ")
    return f"**{number}** {ends}" if row["p_holm"] < ALPHA else f"{number} {ends}".strip()


def _section(board: Board, part: pd.DataFrame) -> str:
    """A row per detector, two columns per control."""
    shown = [name for name in CONTROLS if (part["control"] == name).any()]
    by_place = part.set_index(["method", "control"])
    lines = []
    for label in (name for name in board.cards if (part["method"] == name).any()):
        own = part[part["method"] == label].iloc[0]
        line = [board.title(label), percent(*own[["own", "own_low", "own_high"]])]
        for control in shown:
            if (label, control) not in by_place.index:
                line += [_DASH, _DASH]
                continue
            row = by_place.loc[(label, control)]
            line += [percent(*row[["controlled", "controlled_low", "controlled_high"]]), _lost(row)]
        lines.append(line)
    heads = [head for name in shown for head in (CONTROLS[name].removeprefix("artefacts "), "lost")]
    return str(tabulate(lines, ["Method: artefacts", "its own", *heads], "github", disable_numparse=True))


def markdown(board: Board, found: pd.DataFrame) -> str:
    """A section per setting and subset: aligned before raw, the training generator before the mean."""
    text = f"{_NOTE}\n"
    place = pd.DataFrame({"raw": (found["train_protocol"] == "raw") * 2 + (found["protocol"] == "raw") * 1})
    ordered = found.assign(raw=place["raw"], mean=found["subset"] == "mean:out")
    ordered["dataset"] = pd.Categorical(ordered["dataset"], board.datasets)
    ordered = ordered.sort_values(["train", "dataset", "raw", "mean"], kind="stable")
    for keys, part in ordered.groupby([*comparisons.SETTING, "subset"], sort=False, observed=True):
        train, trained, dataset, tested, subset = map(str, keys)
        where = {"mean:out": "mean out of family", JOINT: "mean of the sources"}.get(subset, subset)
        text += f"\n**{dataset}, {where}; trained on {train}, {trained} → {tested}**\n\n{_section(board, part)}\n"
    return text


def write_controls(board: Board, results: Results) -> list[str]:
    """Write the table; returns its stem in a list, which is empty if there are no controls."""
    found = controls.read(results)
    if found.empty:
        return []
    write_text(results.tables / "controls.md", f"{board.label[0].upper()}{board.label[1:]}. {markdown(board, found)}")
    return ["controls"]
