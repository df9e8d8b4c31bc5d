"""Galleries: photographs and fakes with what is made of them, as one picture per protocol."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from bench.report.figures import save
from bench.report.written import Written, lines_of, table
from bench.results import shown
from bench.results.folder import Matrix, ProbeEntry, Results, write_text
from bench.results.frames import to_csv
from bench.results.shown import Shown
from bench.suites.probed import Panel, Probed

_NAMES = {0: "real", 1: "fake"}
_TITLES = {"real": "photograph", "fake": "fake"}
#: Inches of one picture's side, and the letters of a line below it.
_SIDE, _LETTERS = 1.45, 24


@dataclass(frozen=True)
class Line:
    """One image of a gallery: its slice, its class in words, and what the probes made of it, by the probe's name."""

    dataset: str
    subset: str
    label: str
    made: Mapping[str, Shown]

    @property
    def any(self) -> Shown:
        """What one of the probes made of it."""
        return next(iter(self.made.values()))


def _pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def collect(results: Results, experiment: Probed, protocol: str) -> tuple[list[Line], list[str]]:
    """The images of a gallery under a protocol in the order of the folder's columns, and a line for every hole."""
    matrix = results.read_matrix()
    entries: dict[tuple[str, str], list[ProbeEntry]] = {}
    for entry in matrix.probes:
        if entry.protocol == protocol and entry.name in experiment.measured:
            entries.setdefault((entry.dataset, entry.subset), []).append(entry)
    lines, holes = [], []
    for column in matrix.columns:
        found = entries.get((column.dataset, column.subset), [])
        reasons = {f"- {column.title}, {protocol}: {entry.reason}" for entry in found if entry.reason}
        holes += sorted(reasons)
        made: dict[str, dict[str, Shown]] = {}
        for entry in found if not reasons else []:
            for image in shown.read(results, entry.values):
                made.setdefault(image.row_id, {})[entry.name] = image
        for parts in made.values():
            label = _NAMES.get(next(iter(parts.values())).label or 0, "")
            if len(parts) < len(found):
                holes.append(
                    f"- {column.title}, {protocol}: a {_TITLES[label]} lacks {len(found) - len(parts)} artefacts"
                )
            elif label in experiment.classes:
                lines.append(Line(column.dataset, column.subset, label, parts))
    return lines, holes


def _rows(lines: Sequence[Line], classes: Sequence[str]) -> list[list[Line | None]]:
    """The images of each row: those of one pair side by side."""
    rows: list[list[Line | None]] = []
    for place in dict.fromkeys((line.dataset, line.subset) for line in lines):
        by_class = [[x for x in lines if (x.dataset, x.subset) == place and x.label == kind] for kind in classes]
        for number in range(max(map(len, by_class))):
            rows.append([members[number] if number < len(members) else None for members in by_class])
    return rows


def residual(one: NDArray[np.uint8], other: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """|x − x̂| of two images uint8 [H, W, 3], times ``gain``, cut at 255."""
    gap = np.abs(one.astype(np.float64) - other.astype(np.float64)) * gain
    return np.asarray(gap.round().clip(0, 255), np.uint8)


def _overlay(axis: Axes, made: Shown, scale: tuple[float, float]) -> None:
    """The image in grey, and the map over it: enlarged, transparent where it is low."""
    pixels, values = _pixels(made.image), np.load(io.BytesIO(made.data), allow_pickle=False)
    grey = np.repeat(pixels.mean(-1, keepdims=True).astype(np.uint8), 3, -1)
    height, width = pixels.shape[:2]
    axis.imshow(grey)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    share = ((values - scale[0]) / max(scale[1] - scale[0], 1e-12)).clip(0, 1)
    axis.imshow(share, cmap="inferno", vmin=0, vmax=1, alpha=0.15 + 0.6 * share, extent=extent, interpolation="nearest")


def _show(axis: Axes, line: Line, panel: Panel | None, scale: tuple[float, float]) -> None:
    """One picture with the text below it; the image itself if there is no panel."""
    if panel is None:
        axis.imshow(_pixels(line.any.image))
        axis.set_xlabel(_wrapped(line.any.class_name), fontsize=6.5, color="#555555")
        return
    made = line.made[panel.of]
    if panel.show == "overlay":
        _overlay(axis, made, scale)
    elif panel.show == "difference":
        axis.imshow(residual(_pixels(made.image), _pixels(made.data), panel.gain))
    else:
        axis.imshow(_pixels(made.data))
    below = []
    if panel.caption:
        below.append(_wrapped(f"“{line.made[panel.caption].data.decode()}”"))
    below += [f"mean {value:.4f}"] if (value := _mean(made, panel)) is not None else []
    axis.set_xlabel("\n".join(below), fontsize=6.5)


def _mean(made: Shown, panel: Panel) -> float | None:
    """The mean of a difference (pixels in 0…1, without gain) or of a map; None of a picture."""
    if panel.show == "difference":
        return float(residual(_pixels(made.image), _pixels(made.data), 1.0).mean() / 255)
    if panel.show == "overlay":
        return float(np.load(io.BytesIO(made.data), allow_pickle=False).mean())
    return None


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _LETTERS))


def draw(
    lines: Sequence[Line], experiment: Probed, titles: Mapping[tuple[str, str], str], caption: str
) -> matplotlib.figure.Figure:
    """Draw a row for each pair: the photograph with its panels, then the fake with its own."""
    rows, panels = _rows(lines, experiment.classes), (None, *experiment.panels)
    height = max(1, *(_letters(line, experiment) for line in lines))
    size = (0.5 + _SIDE * len(experiment.classes) * len(panels), 0.9 + (_SIDE + 0.11 * height) * len(rows))
    figure = mpl.figure.Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(experiment.classes) * len(panels), squeeze=False)
    maps = [np.load(io.BytesIO(m.data)) for line in lines for m in line.made.values() if m.kind == "npy"]
    scale = (float(np.quantile(maps, 0.02)), float(np.quantile(maps, 0.98))) if maps else (0.0, 1.0)
    for number, row in enumerate(rows):
        for place, line in enumerate(row):
            for at, panel in enumerate(panels):
                axis = axes[number, place * len(panels) + at]
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if line is not None:
                    _show(axis, line, panel, scale)
                if number == 0:
                    axis.set_title(_TITLES[experiment.classes[place]] if panel is None else panel.title, fontsize=8)
        first = next(line for line in row if line is not None)
        axes[number, 0].set_ylabel(titles[first.dataset, first.subset], fontsize=9)
    figure.suptitle("\n".join(textwrap.wrap(caption, int(12 * size[0]))), fontsize=9, color="#555555")
    return figure


def _letters(line: Line, experiment: Probed) -> int:
    """Lines of text below the pictures of an image."""
    counts = [len(textwrap.wrap(line.any.class_name, _LETTERS))]
    for panel in experiment.panels:
        text = line.made[panel.caption].data.decode() if panel.caption else ""
        counts.append(len(textwrap.wrap(f"“{text}”", _LETTERS)) * bool(text) + (panel.show != "picture"))
    return max(counts)


def _facts(lines: Sequence[Line], experiment: Probed, protocol: str) -> pd.DataFrame:
    """One row per image: what it is, the texts made of it, and the means of its maps and differences."""
    found = []
    for line in lines:
        facts = {"dataset": line.dataset, "subset": line.subset, "protocol": protocol, "label": line.label}
        facts |= {"row_id": line.any.row_id, "class": line.any.class_name}
        facts |= {name: made.data.decode() for name, made in line.made.items() if made.kind == "txt"}
        means = {panel.title: _mean(line.made[panel.of], panel) for panel in experiment.panels}
        found.append(facts | {title: mean for title, mean in means.items() if mean is not None})
    return pd.DataFrame(found)


def _page(facts: pd.DataFrame, titles: Mapping[tuple[str, str], str]) -> str:
    body = []
    for _, line in facts.iterrows():
        rest = [f"{v:.4f}" if isinstance(v, float) else str(v) for v in line.iloc[5:]]
        body.append([titles[line["dataset"], line["subset"]], _TITLES[line["label"]], *rest])
    return table(body, ["generator", "", *facts.columns[5:]])


def write(experiment: Probed, results: Results, stem: Path, head: Sequence[str]) -> Written:
    """Write the page, facts and pictures of a gallery; ``head`` are the first lines of the page."""
    matrix: Matrix = results.read_matrix()
    titles = {(column.dataset, column.subset): column.title for column in matrix.columns}
    text, parts, holes = list(head), [], []
    for protocol in experiment.protocols:
        lines, missing = collect(results, experiment, protocol)
        holes += missing
        if not lines:
            continue
        path = stem.with_name(f"{stem.name}-{protocol}.png")
        save(draw(lines, experiment, titles, f"{experiment.title}, {protocol}; {matrix.label}"), path, photographs=True)
        parts.append(_facts(lines, experiment, protocol))
        text += [f"![{experiment.title}, {protocol}]({path.name})", "", _page(parts[-1], titles), ""]
    page = "\n".join([*text, *holes, ""])
    facts = pd.concat(parts) if parts else pd.DataFrame()
    write_text(stem.with_suffix(".md"), page)
    write_text(stem.with_suffix(".csv"), to_csv(facts))
    return Written(page, lines_of(facts, experiment.name))
