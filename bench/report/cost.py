"""Experiments that measure time: network evaluations and seconds per image, as a table and a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from scipy import stats

from bench.metrics.intervals import LEVEL
from bench.report import style
from bench.report.figures import save
from bench.report.written import Written, interval, lines_of, table
from bench.results import shown
from bench.results.folder import Matrix, Results, write_text
from bench.results.frames import to_csv
from bench.suites import published
from bench.suites.probed import Probed


def compute(results: Results, experiment: Probed) -> pd.DataFrame:
    """One row per value and slice: network evaluations, mean seconds per image with a 95 % interval over repetitions.

    ``images`` were run ``repeats`` times. A hole has a ``reason``.
    """
    lines: list[dict[str, Any]] = []
    for name, probe in experiment.values.items():
        for entry in (entry for entry in results.read_matrix().probes if entry.name == probe):
            place = {"value": name, "dataset": entry.dataset, "subset": entry.subset, "protocol": entry.protocol}
            lines.append(place | {"reason": entry.reason})
            if entry.reason:
                continue
            times = shown.read_times(results, entry.values)
            seconds = np.array([time.seconds for time in times])
            span = stats.ttest_1samp(seconds, 0.0).confidence_interval(LEVEL)
            facts = {"images": times[0].images, "forwards": times[0].forwards, "repeats": len(times)}
            lines[-1] |= facts | {"seconds": seconds.mean(), "low": max(0.0, span.low), "high": span.high}
    columns = ["value", "dataset", "subset", "protocol", "images", "repeats", "forwards", "seconds", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "reason"])


@mpl.rc_context(style.TEXT)
def _draw(measured: pd.DataFrame, caption: str) -> matplotlib.figure.Figure:
    """Seconds per image as bars, with intervals and the number of network evaluations."""
    figure = mpl.figure.Figure(figsize=(6.4, 1.4 + 0.5 * len(measured)), layout="constrained")
    axis = figure.subplots()
    spans = [measured["seconds"] - measured["low"], measured["high"] - measured["seconds"]]
    bars = axis.barh(measured["value"], measured["seconds"], 0.6, xerr=spans, color=style.BLUE, capsize=3)
    texts = [
        f"  {s:.3g} s, {f:.0f} evaluations" for s, f in zip(measured["seconds"], measured["forwards"], strict=True)
    ]
    axis.bar_label(bars, texts, padding=8)
    axis.set(xlabel="seconds per image", xlim=(0, 1.6 * measured["high"].max()))
    axis.invert_yaxis()
    style.caption(figure, caption)
    return figure


def machine(results: Results) -> str:
    """On what the times were measured, from ``run.json``."""
    run = json.loads(results.run.read_text(encoding="utf-8")) if results.run.exists() else {}
    known = run.get("environment", {})
    return f"{known['device']} ({known['device_name']})" if known else "an unknown machine"


def _body(known: pd.DataFrame, last: str) -> list[list[str]]:
    named = known[known["value"] == last]["seconds"]
    return [
        [
            str(line["value"]),
            f"{line['forwards']:.0f}",
            interval(line["seconds"], line["low"], line["high"], 4),
            f"{line['seconds'] / named.iloc[0]:.1f}" if len(named) else "–",
        ]
        for _, line in known.iterrows()
    ]


def _told(experiment: Probed, matrix: Matrix, known: pd.DataFrame, where: str) -> list[str]:
    last = list(experiment.values)[-1]
    columns = ["features of", "network evaluations per image", "seconds per image", f"times {last}"]
    printed = published.values("lare2", "text").get(("speed of feature extraction over DIRE", "times"))
    counts = f"{known['images'].max():.0f} images, {known['repeats'].max():.0f} times"
    return [
        f"Measured on {counts}, one process, {where} ({matrix.label}):",
        "",
        table(_body(known, last), columns),
        "",
        "Intervals are of 95 %, by Student's t over the repetitions. A step of a network with guidance counts twice.",
        "",
        *([f"Published: {printed} times as fast as DIRE, on the authors' machine.", ""] if printed else []),
    ]


def write(experiment: Probed, results: Results, stem: Path, head: Sequence[str]) -> Written:
    """Write the page, values and figure of a measurement of time; ``head`` are the first lines of the page."""
    measured, matrix = compute(results, experiment), results.read_matrix()
    known, lines = measured[measured["reason"] == ""], list(head)
    if len(known):
        where = machine(results)
        save(_draw(known, f"{experiment.title}\n{where}; {matrix.label}"), stem.with_suffix(".png"))
        lines += [f"![{experiment.title}]({stem.name}.png)", "", *_told(experiment, matrix, known, where)]
    for hole in measured[measured["reason"] != ""].itertuples():
        lines.append(f"- {hole.value}, {hole.subset}, {hole.protocol}: {hole.reason}")
    text = "\n".join(lines)
    write_text(stem.with_suffix(".md"), text)
    write_text(stem.with_suffix(".csv"), to_csv(measured))
    return Written(text, lines_of(measured, experiment.name))
