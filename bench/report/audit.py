"""The audit of a dataset: what the files themselves tell of their class, per subset, as a table and a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bench.metrics.shortcuts import LEAK, shortcuts
from bench.recipe import content_key
from bench.report import style
from bench.results.folder import write_text

#: Facts of a file by name, with their titles; those that are gated must not tell the classes apart.
GATED = {
    "container": "container",
    "quality": "JPEG quality",
    "subsampling": "chroma subsampling",
    "coding": "JPEG coding",
    "mode": "colour mode",
    "size": "width × height",
    "shorter_side": "shorter side, px",
    "longer_side": "longer side, px",
    "aspect": "width / height",
    "profile": "colour profile",
    "camera": "camera in EXIF",
}
#: Facts that only JPEG files have; they are judged among these.
_OF_JPEG = ("quality", "subsampling", "coding")
#: Reported, not gated: it depends on what the image shows.
REPORTED = {"bytes_per_pixel": "bytes per pixel"}
_PLACE = ["dataset", "subset", "split"]
_CLASSES = (("photographs", style.BLUE), ("fakes", style.VERMILLION))
_SHOWN = 40


def facts_of(files: pd.DataFrame) -> dict[str, Sequence[Any]]:
    """The facts of a subset's readable files by name."""
    pixels = (files["width"] * files["height"]).clip(lower=1)
    sizes = files["width"].astype(str) + " × " + files["height"].astype(str)
    sides = files[["width", "height"]]
    found = {name: files[name].tolist() for name in GATED if name in files}
    return {
        **found,
        "size": sizes.tolist(),
        "shorter_side": sides.min(axis=1).tolist(),
        "longer_side": sides.max(axis=1).tolist(),
        "aspect": (files["width"] / files["height"].clip(lower=1)).round(3).tolist(),
        "bytes_per_pixel": (files["bytes"] / pixels).tolist(),
    }


def _word(value: object) -> str:
    """A value as people read it; a JPEG quality of 0 and an empty word are those of other containers."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return str(value) if value else "none"


def _usual(values: Sequence[Any], labels: Sequence[int], label: int) -> str:
    """The most frequent value of a class, with its share; the median of numbers that vary."""
    own = pd.Series([v for v, y in zip(values, labels, strict=True) if y == label])
    if own.empty:
        return ""
    if own.dtype.kind == "f":
        return f"median {own.median():.2f}"
    top = own.value_counts()
    return f"{_word(top.index[0])} ({100 * top.iloc[0] / len(own):.0f} %)"


def judge(files: pd.DataFrame) -> pd.DataFrame:
    """One row per subset, split and fact: AUC, 95 % interval, corrected p-value, verdict, usual values of the classes.

    ``files`` has one row per file: dataset, subset, split, label, path and the facts of a header. Files without a
    container cannot be read, and are counted as ``unreadable``.
    """
    rows = []
    for place, part in files.groupby(_PLACE, sort=False):
        used = part[part["container"] != ""]
        labels = used["label"].to_numpy(np.int64)
        held_out = np.asarray([int(content_key([path])[0], 16) % 2 == 1 for path in used["path"]], bool)
        facts, jpeg = facts_of(used), used["container"].eq("jpeg").to_numpy()
        counts = {"real": int((labels == 0).sum()), "fake": int((labels == 1).sum())}
        columns = {}
        for name, values in facts.items():
            kept = jpeg if name in _OF_JPEG else np.ones(len(used), bool)
            columns[name] = ([v for v, k in zip(values, kept, strict=True) if k], labels[kept], held_out[kept])
        for one in shortcuts(columns):
            values, classes, _ = columns[one.fact]
            usual = {f"usual_{n}": _usual(values, classes.tolist(), y) for y, n in ((0, "real"), (1, "fake"))}
            head = dict(zip(_PLACE, place, strict=True)) | counts | {"unreadable": len(part) - len(used)}
            judged = one.fact in GATED or one.verdict in ("constant", "too few")
            rows.append({**head, **vars(one), "verdict": one.verdict if judged else "reported", **usual})
    return pd.DataFrame(rows)


def sentence(rows: pd.DataFrame) -> str:
    """What the rows of one subset say, in words."""
    gated = rows[rows["fact"].isin(GATED)]
    by_verdict = {v: part.sort_values("auc", ascending=False) for v, part in gated.groupby("verdict")}
    named = {
        verdict: ", ".join(f"{GATED[one.fact]} (AUC {one.auc:.3f})" for one in part.itertuples())
        for verdict, part in by_verdict.items()
    }
    if "leak" in named:
        return f"LEAK: {named['leak']}. A score on files as they are says nothing about the images; use aligned."
    if "hint" in named:
        return f"Unbalanced: {named['hint']}. Part of a score on files as they are can be this."
    if rows["verdict"].eq("too few").all():
        return "Too few files of a class to say."
    dense = rows[(rows["fact"] == "bytes_per_pixel") & (rows["auc"] >= LEAK)]
    if len(dense):
        return (
            f"No fact of the files tells the classes apart but bytes per pixel (AUC {dense['auc'].iloc[0]:.3f}), which "
            "may be how grainy the images are."
        )
    return "No fact of the files tells the classes apart."


def _bars(axis: Axes, values: Sequence[Any], labels: Sequence[int], title: str) -> None:
    """The shares of the values in each class: bars for words, a histogram for numbers that vary."""
    series, classes = pd.Series(values), np.asarray(labels)
    numbers = series.dtype.kind in "if" and series.nunique() > 6
    if numbers:
        edges = np.histogram_bin_edges(series.astype(float), 24)
        for label, (name, colour) in enumerate(_CLASSES):
            own = series[classes == label].astype(float)
            weights = np.full(len(own), 100 / max(len(own), 1))
            axis.hist(own, edges.tolist(), weights=weights, color=colour, alpha=0.6, label=name)
    else:
        top = list(series.value_counts().index[:6])
        names = [_word(value) for value in top]
        for label, (name, colour) in enumerate(_CLASSES):
            own = series[classes == label]
            shares = [100 * float((own == value).mean()) if len(own) else 0.0 for value in top]
            axis.bar(np.arange(len(top)) + 0.4 * label - 0.2, shares, 0.4, color=colour, label=name)
        axis.set_xticks(range(len(top)), names, rotation=30, ha="right")
    axis.set_title(title, fontsize=8)
    axis.set_ylabel("% of the class", fontsize=7)
    axis.tick_params(labelsize=7)


def figure(part: pd.DataFrame) -> mpl.figure.Figure:
    """The distributions of a subset's facts in both classes, one panel per fact that varies."""
    facts = facts_of(part)
    labels, jpeg = part["label"].to_numpy(), part["container"].eq("jpeg").to_numpy()
    titles = {**GATED, **REPORTED}
    columns = {}
    for name in (name for name in titles if name in facts and name != "size"):
        kept = jpeg if name in _OF_JPEG else np.ones(len(part), bool)
        values = [value for value, keep in zip(facts[name], kept, strict=True) if keep]
        if len(set(labels[kept].tolist())) == 2 and len(set(values)) > 1:
            columns[name] = values, labels[kept].tolist()
    drawn = list(columns)
    across = max(1, min(4, len(drawn)))
    down = max(1, math.ceil(len(drawn) / across))
    made = mpl.figure.Figure(figsize=(2.6 * across, 2.1 * down + 0.3), layout="constrained")
    axes = np.atleast_1d(made.subplots(down, across)).ravel()
    for axis, name in zip(axes, drawn, strict=False):
        _bars(axis, *columns[name], titles[name])
    for axis in axes[len(drawn) :]:
        axis.set_axis_off()
    if drawn:
        axes[0].legend(fontsize=7)
    return made


def _png(part: pd.DataFrame) -> str:
    buffer = io.BytesIO()
    figure(part).savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def page(files: pd.DataFrame, judged: pd.DataFrame, doubles: Sequence[Mapping[str, Any]], source: str) -> str:
    """The page of an audit; of many subsets, the first ones have figures."""
    titles = {**GATED, **REPORTED}
    subsets: list[dict[str, Any]] = []
    for place, rows in judged.groupby(_PLACE, sort=False):
        part = files[(files[_PLACE] == list(place)).all(axis=1) & files["container"].ne("")]
        subsets.append(
            {
                "name": f"{place[0]}:{place[1]}, {place[2]}",
                "real": int(rows["real"].iloc[0]),
                "fake": int(rows["fake"].iloc[0]),
                "unreadable": int(rows["unreadable"].iloc[0]),
                "says": sentence(rows),
                "rows": [
                    row | {"title": titles[row["fact"]], "gated": row["fact"] in GATED}
                    for row in rows.to_dict("records")
                ],
                "doubles": [d for d in doubles if (d["dataset"], d["subset"], d["split"]) == place],
                "figure": _png(part) if len(subsets) < _SHOWN and len(part) else "",
            }
        )
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = (Path(__file__).parent / "page" / "audit.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(subsets=subsets, source=source, leak=LEAK)


def write(
    folder: Path, files: pd.DataFrame, judged: pd.DataFrame, doubles: Sequence[Mapping[str, Any]], source: str
) -> None:
    """Write ``audit.csv``, ``files.csv`` and ``index.html`` to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "audit.csv", judged.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "files.csv", files.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "index.html", page(files, judged, doubles, source))
