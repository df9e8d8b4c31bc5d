"""How figures look: colours, markers, sizes and captions, in one place for all of them.

The colours are Okabe's and Ito's, which people with any kind of colour blindness tell apart (yellow is left out: it is
too light for lines on white). Whatever has a colour also has a marker or a line style of its own. The heat map alone
has another scale, red to blue, because its values have a middle.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from bench.report.board import KINDS, Board

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"
#: Lines that only guide the eye.
FAINT = "#B0B0B0"
#: Widths of a paper's text and of one of its two columns, in inches.
WIDTH, COLUMN = 7.0, 3.4
#: The smallest text, in points at the saved size.
SMALL = 7.0
#: Characters of the smallest text in an inch.
_CHARACTERS = 18.0
#: Inches beside a name in a legend.
_SAMPLE = 0.6
#: Text and lines of every figure: ``@mpl.rc_context(TEXT)`` before a function that draws one.
TEXT = {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": 7.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.handlelength": 2.4,
}


class Look(NamedTuple):
    """How one thing is drawn, and its name in legends."""

    title: str
    colour: str
    marker: str
    line: str = "-"


#: Test generators by their relation to the training generator.
RELATIONS: Mapping[str, Look] = MappingProxyType(
    {
        "source": Look("training generator (source)", BLUE, "o", "-"),
        "family": Look("its family", GREEN, "s", "--"),
        "out": Look("out of family (out)", VERMILLION, "^", "-."),
    }
)
#: Classes, where fakes of all relations are drawn alike.
CLASSES: Mapping[str, Look] = MappingProxyType(
    {"real": Look("photographs", BLACK, "o"), "fake": Look("fakes", PURPLE, "D")}
)
#: Pairs of protocols, in training and in testing.
PROTOCOLS: Mapping[tuple[str, str], Look] = MappingProxyType(
    {
        ("raw", "raw"): Look("raw → raw", VERMILLION, "s"),
        ("raw", "aligned"): Look("raw → aligned", SKY, "D"),
        ("aligned", "aligned"): Look("aligned → aligned", BLUE, "o"),
    }
)
#: Conditions of a reconstruction.
CONDITIONS: Mapping[str, Look] = MappingProxyType(
    {
        "without captions": Look("Δ without captions", SKY, "o"),
        "with captions": Look("Δ with captions", BLUE, "s"),
    }
)
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
_MARKERS, _LINES = ("o", "s", "^", "D", "v", "P", "X"), ("-", "--", "-.", ":")


def detectors(board: Board) -> dict[str, Look]:
    """The look of every detector and ablation of a folder, by label, in the order of all reports: by year and name.

    It depends on the folder's methods alone, so a detector has the same look in all figures of the folder.
    """
    found = [label for label, card in board.cards.items() if card["kind"] != KINDS[-1]]
    found.sort(key=lambda name: (KINDS.index(board.cards[name]["kind"]), board.cards[name].get("year", 0), name))
    looks = {}
    for place, label in enumerate(found):
        turn, colour = divmod(place, len(_COLOURS))
        # The second detector of a colour has another marker and another line.
        marker = _MARKERS[(colour + 3 * turn) % len(_MARKERS)]
        looks[label] = Look(board.title(label), _COLOURS[colour], marker, _LINES[turn % len(_LINES)])
    return looks


def panels(count: int, x: str, y: str, height: float = 1.3, across: int = 5) -> tuple[mpl.figure.Figure, list[Axes]]:
    """A figure of ``count`` panels with the same axes, named ``x`` and ``y``, ``height`` inches high each.

    ``across`` is the number of panels in a full row.
    """
    columns = min(across, count)
    rows = math.ceil(count / columns)
    width = max(COLUMN, WIDTH * columns / across)
    figure = mpl.figure.Figure(figsize=(width, 0.4 + rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis in axes[-1]:
        axis.set_xlabel(x)
    for axis in axes[:, 0]:
        axis.set_ylabel(y)
    shown: list[Axes] = axes.ravel().tolist()
    for axis in shown[count:]:
        axis.set_visible(False)
    return figure, shown[:count]


def number(axis: Axes, place: int, count: int, look: Look, text: str) -> None:
    """Write a line's number above the lines of a panel, the ``place``-th of ``count``; the panel must leave room."""
    where = (place + 1) / (count + 1)
    label = axis.text(where, 0.97, text, ha="center", va="top", transform=axis.transAxes)
    label.set(fontsize=SMALL, color=look.colour)


def log_ticks(axis: Axes) -> None:
    """Ticks on a logarithmic x axis whose limits are set: 1, 2 and 5 times the powers of ten, or equal steps."""
    low, high = axis.get_xlim()
    ticks = [step * 10.0**power for power in range(-9, 9) for step in (1, 2, 5)]
    shown = [tick for tick in ticks if low <= tick <= high]
    if len(shown) < 3:  # The axis spans less than a decade.
        shown = [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axis.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axis.xaxis.set_minor_locator(NullLocator())


def caption(figure: mpl.figure.Figure, text: str) -> None:
    """Write a caption above a figure, broken to its width; the figure grows by its lines."""
    width = int(figure.get_figwidth() * _CHARACTERS)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, width)]
    figure.set_figheight(figure.get_figheight() + 0.13 * len(lines))
    figure.suptitle("\n".join(lines), fontsize=SMALL, color="#444444")


def key(look: Look, **changes: Any) -> Line2D:  # noqa: ANN401 - properties of a line
    """The sample of a look in a legend; ``changes`` are properties of the line."""
    return Line2D([], [], **{"color": look.colour, "ls": look.line, "label": look.title, "lw": 1.3, **changes})


def legend(figure: mpl.figure.Figure, handles: Sequence[Any], columns: int = 4) -> None:
    """Draw a legend below the panels, in at most ``columns`` columns that fit; the figure grows by its lines."""
    lengths = [len(str(handle.get_label())) for handle in handles]
    for count in range(min(columns, len(lengths)), 0, -1):
        width = sum(_SAMPLE + max(part) / _CHARACTERS for part in np.array_split(lengths, count))
        if width < figure.get_figwidth():
            break
    figure.set_figheight(figure.get_figheight() + 0.17 * math.ceil(len(lengths) / count))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=count, frameon=False)
