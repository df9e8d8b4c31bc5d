"""``tables/nulls.md``: AUC of every detector on every null generator, and what that says of a protocol."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board, percent
from bench.results.folder import Results, write_text
from bench.results.nulls import MEAN

_NOTE = (
    "AUC (%) where there is no generator: both classes are photographs, and the fakes differ in one thing in which "
    "real datasets differ (docs/protocols.md says which). A mean over seeds with 95 % intervals. Bold: the interval "
    "lies above 50 even if it is corrected for all detectors and nulls of its section. Then the protocol lets this "
    "difference through. The last row is the mean over the detectors, which shows what is too small in each of them; "
    "its interval is not corrected."
)


def leaks(found: pd.DataFrame) -> pd.DataFrame:
    """The rows whose corrected interval lies above 0.5."""
    return found[found["corrected_low"] > 0.5]


def _order(found: pd.DataFrame) -> pd.DataFrame:
    """Aligned before raw: the setting without shortcuts first."""
    return found.assign(place=(found["train_protocol"] == "raw") * 2 + (found["protocol"] == "raw") * 1).sort_values(
        "place", kind="stable"
    )


def markdown(board: Board) -> str:
    """A section per pair of protocols: a row per detector, a column per null."""
    found, text = _order(board.nulls), f"{_NOTE}\n"
    label = found["method"] + found["variant"].map(lambda name: f"[{name}]" if name else "")
    found = found.assign(title=[board.title(name) if name in board.cards else name for name in label])
    for (trained, tested), part in found.groupby(["train_protocol", "protocol"], sort=False):
        texts = []
        for row in part.itertuples():
            number, _, rest = percent(row.auc, row.low, row.high).partition(" ")
            texts.append(f"**{number}** {rest}" if row.corrected_low > 0.5 else f"{number} {rest}".strip())
        wide = part.assign(text=texts).pivot(index="title", columns="null", values="text").fillna("–")
        titles = sorted(part["title"].unique(), key=lambda title: title == MEAN)
        wide = wide.reindex(index=titles, columns=part["null"].unique())
        body = tabulate(wide.reset_index().values.tolist(), ["Method", *wide.columns], "github", disable_numparse=True)
        text += f"\n**Trained {trained}, tested {tested}**\n\n{body}\n"
    return text


def row(board: Board, train_protocol: str, protocol: str) -> str:
    """What the nulls say of a pair of protocols, in a sentence; '' without nulls."""
    found = board.nulls
    found = found[(found["train_protocol"] == train_protocol) & (found["protocol"] == protocol)].dropna(subset="auc")
    is_mean = found["method"] == MEAN
    means, found = found[is_mean].set_index("null"), found[~is_mean]
    if found.empty:
        return ""
    parts = [
        f"{null} {percent(*means.loc[null, ['auc', 'low', 'high']]) if null in means.index else '–'}, "
        f"{100 * part['auc'].max():.1f}"
        for null, part in found.groupby("null", sort=False)
    ]
    return (
        "Where there is no generator (`nulls.md`), the mean AUC of the detectors and their highest are: "
        f"{'; '.join(parts)}. Significantly above 50 if corrected for all {len(found)}: {len(leaks(found))}."
    )


def write_nulls(board: Board, results: Results) -> list[str]:
    """Write the table; returns its stem in a list, which is empty without nulls."""
    if board.nulls.empty:
        return []
    write_text(results.tables / "nulls.md", markdown(board))
    return ["nulls"]
