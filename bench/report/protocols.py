"""``tables/protocols.md``: how much of each detector's AUC is the files', in three columns and their differences."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board, percent
from bench.report.comparisons import points
from bench.results import protocols
from bench.results.folder import Results, write_text
from bench.results.numbers import JOINT

_NOTE = (
    "How much of this score is the file's? AUC (%) of fits on images as they are, tested raw and under another "
    "protocol, and of fits under that protocol; a mean over seeds, on the images that all of them have scored. "
    "*Lost* is what the protocol takes away from the raw fit, *own training* what training under the protocol gives "
    "back, both in points with 95 % intervals that are paired by test image. A method that keeps little had learnt the "
    "files; the third column is what the method itself can do. Trivial baselines are at the end."
)
_PLACES = {"mean:out": "mean out of family", JOINT: "mean of the sources"}


def _section(board: Board, part: pd.DataFrame) -> str:
    order = {label: index for index, label in enumerate(board.cards)}
    statistic = part["method"].map(lambda label: board.cards[label]["kind"] == "statistic")
    part = part.assign(last=statistic, place=part["method"].map(order)).sort_values(
        ["last", "raw", "place"], ascending=[True, False, True]
    )
    body = []
    for _, row in part.iterrows():
        if row["reason"]:
            body.append([board.title(row["method"]), *["–"] * 5, row["reason"]])
            continue
        values = [percent(row[name], float("nan"), float("nan")) for name in ("raw", "moved", "own")]
        body.append(
            [
                board.title(row["method"]),
                *values,
                *(points(row[n], row[f"{n}_low"], row[f"{n}_high"]) for n in ("lost", "gained")),
                "",
            ]
        )
    name = part["protocol"].iloc[0]
    heads = ["Method", "raw → raw", f"raw → {name}", f"{name} → {name}", "lost", "own training", "why not"]
    if not part["reason"].any():
        body, heads = [line[:-1] for line in body], heads[:-1]
    return str(tabulate(body, heads, "github", disable_numparse=True))


def write_protocols(board: Board, results: Results) -> list[str]:
    """Write the table; returns its stem in a list, which is empty if nothing was tested raw and otherwise."""
    found = protocols.read(results)
    found = found[found["subset"].isin(("mean:out", JOINT)) | (found["subset"] == found["train"])]
    if found.empty:
        return []
    text = f"{board.label[0].upper()}{board.label[1:]}. {_NOTE}\n"
    for (dataset, train, name, subset), part in found.groupby(["dataset", "train", "protocol", "subset"], sort=False):
        where = _PLACES.get(str(subset), subset)
        text += f"\n**{dataset}, {where}; trained on {train}; {name}**\n\n{_section(board, part)}\n"
    write_text(results.tables / "protocols.md", text)
    return ["protocols"]
