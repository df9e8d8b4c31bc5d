"""Printed output of ``score``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from bench.cli.show import document
from bench.data.files import printable
from bench.predict.verdicts import BASELINE, FAKE, INCONCLUSIVE, REAL, chance

if TYPE_CHECKING:
    from bench.predict.several import Digest
    from bench.predict.summary import Measured

_NOTE = (
    "A score is no proof: detectors err on generators that are newer than their training images, and on images that\n"
    "were resized or compressed again."
)


def scores(
    digest: Digest, measured: Sequence[Measured], worst: Sequence[Mapping[str, Any]], out: Path | None, as_json: bool
) -> None:
    """Print scores and verdicts of images; with a file of all, of the first ones and the counts."""
    if as_json:
        document(digest.shown if out is None else _counts(digest, out))
        return
    lines = digest.shown
    name = next(key for key in lines[0] if key.startswith("p_"))
    methods = list(dict.fromkeys(line["method"] for line in lines))
    heads = [f"P({name[2:]})"] if len(methods) == 1 else methods
    rows = [_row(list(group), name) for _, group in groupby(lines, key=lambda line: line["path"])]
    used = [0, *(number for number in range(1, len(rows[0])) if any(row[number] for row in rows))]
    names = ["image", *heads, "", "the file says", ""]
    print(tabulate([[row[n] for n in used] for row in rows], [names[n] for n in used], disable_numparse=True))
    if digest.images > len(rows):
        print(f"… and {digest.images - len(rows)} more images")
    print()
    for line in {line["method"]: line for line in lines}.values():
        print(f"fit: {line['trained']}{_threshold(line) if name == 'p_fake' else ''}")
    if out is not None:
        for method, counts in digest.verdicts.items():
            print(f"{method}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in (FAKE, INCONCLUSIVE, REAL)))
    if digest.divided:
        print(f"{digest.divided} of {digest.images} images: some detectors say fake, others real")
    if measured:
        metrics = list(dict.fromkeys(one.metric for one in measured))
        by_place = {(one.method, one.metric): _percent(one) for one in measured}
        body = [[m, *(by_place.get((m, metric), "") for metric in metrics)] for m in methods]
        print("\n" + tabulate(body, ["%, on labelled images", *metrics], disable_numparse=True))
    if worst:
        wrong = [
            [printable(Path(one["path"])), one["method"], f"{chance(one['logit']):.4f}", (REAL, FAKE)[one["label"]]]
            for one in worst
        ]
        print("\n" + tabulate(wrong, ["worst mistakes", "", "P(fake)", "label"], disable_numparse=True))
    print(f"\n{_NOTE}")
    if out is not None:
        print(f"written to {out}")


def _counts(digest: Digest, out: Path) -> dict[str, Any]:
    return {"out": str(out), "images": digest.images, "verdicts": {m: dict(c) for m, c in digest.verdicts.items()}}


def _percent(one: Measured) -> str:
    ends = f" [{100 * one.interval.low:.1f}, {100 * one.interval.high:.1f}]" if one.interval else " (too few images)"
    return f"{100 * one.value:.1f}{ends}"


def _row(group: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """An image with one column per detector, whether they disagree, what the file says, and why there is no score."""
    cells = ["–" if line[name] is None else f"{line[name]:.4f} {line['verdict']}".strip() for line in group]
    divided = "detectors disagree" if group[0]["disagreement"] else ""
    reasons = "; ".join(dict.fromkeys(line["reason"] for line in group if line["reason"]))
    return [printable(Path(group[0]["path"])), *cells, divided, group[0]["file_says"], reasons]


def _threshold(line: Mapping[str, Any]) -> str:
    """``; fake above 0.7312 (5 % of 200 photographs …), inconclusive from 0.6001 to 0.8123``."""
    if line["rule"] == BASELINE:
        return f"\n     {BASELINE}"
    low, high = line["band"]
    text = f"\n     threshold P(fake) = {chance(line['threshold']):.4f}: {line['rule']}"
    if low == high and low is not None:
        return text
    ends = [0.0 if low is None else chance(low), 1.0 if high is None else chance(high)]
    return f"{text}; inconclusive from {ends[0]:.4f} to {ends[1]:.4f} (95 % interval)"
