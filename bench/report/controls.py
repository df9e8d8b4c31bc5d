"""``tables/controls.md``: what is left of each detector's AUC when its artefacts cannot help.

Controls are those of :mod:`bench.controls`.
"""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.controls import CONTROLS
from bench.report.board import Board, Setting, percent
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv
from bench.results.numbers import JOINT

_NOTE = (
    "AUC (%) with 95 % intervals; a mean over seeds. A detector that relies on its artefacts falls. A detector that "
    "does not fall reads the image itself. A fall to 50 is not required: artefacts of another image still have the "
    "style of their generator, and a distance from another image still depends on how grainy the image is. Over "
    "several seeds the interval includes the choice of the other images and of the noise. A dash is a hole, or a "
    "control that does not apply because the detector's artefacts are not drawn from noise."
)


def table(board: Board) -> pd.DataFrame:
    """One row per detector, setting, subset and condition: on the training generator, and on the mean out of family."""
    parts = []
    for setting in board.settings:
        if setting.perturbation not in CONTROLS:
            continue
        source = setting.train if "+" not in setting.train else JOINT
        plain = setting._replace(perturbation="none")
        subsets = [name for name in (source, "mean:out") if board.has(plain, name)]
        for part in (plain, setting) if subsets else ():
            cells = board.cells(part, subsets, "auc")
            parts.append(cells.assign(**setting._replace(perturbation=part.perturbation)._asdict()))
    if not parts:
        return pd.DataFrame()
    cells = pd.concat(parts, ignore_index=True).drop_duplicates([*Setting._fields, "method", "subset"])
    used = cells.loc[(cells["perturbation"] != "none") & (cells["reason"] != "not in the matrix"), "method"].unique()
    return cells[cells["method"].isin(used)]


def markdown(cells: pd.DataFrame) -> str:
    """A section per setting and subset: a row per detector, a column per control."""
    text = f"{_NOTE}\n"
    by = [*Setting._fields[:-1], "subset"]
    for (train, trained, dataset, tested, subset), part in cells.groupby(by, sort=False):
        shown = {
            "none": "its own",
            **{name: words for name, words in CONTROLS.items() if (part["perturbation"] == name).any()},
        }
        texts = [percent(*numbers) for numbers in part[["value", "low", "high"]].itertuples(index=False)]
        wide = part.assign(text=texts).pivot(index="method", columns="perturbation", values="text").fillna("–")
        wide = wide.reindex(index=part["method"].unique(), columns=list(shown)).fillna("–")
        heads = [words.removeprefix("artefacts ") for words in shown.values()]
        body = tabulate(
            wide.reset_index().values.tolist(), ["Method: artefacts", *heads], "github", disable_numparse=True
        )
        place = {"mean:out": "mean out of family", JOINT: "mean of the sources"}.get(str(subset), subset)
        text += f"\n**{dataset}, {place}; trained on {train}, {trained} → {tested}**\n\n{body}\n"
    return text


def write_controls(board: Board, results: Results) -> list[str]:
    """Write the table as Markdown and CSV; returns its stem in a list, which is empty if there are no controls."""
    cells = table(board)
    if cells.empty:
        return []
    write_text(results.tables / "controls.md", f"{board.label[0].upper()}{board.label[1:]}. {markdown(cells)}")
    write_text(results.tables / "controls.csv", to_csv(cells))
    return ["controls"]
