"""Labels of points that cover neither each other nor the points: each is put at the nearest free place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from bench.report import style

#: Distances between a point and its label's nearest edge, in points; beyond the third there is a line between them.
_DISTANCES = (5, 7, 10, 14, 18, 24, 31, 39, 48, 58)
_ANGLES = (0, 180, 90, 270, 30, 150, 330, 210, 60, 120, 240, 300)
_POINT = 4.0
#: Points between two labels on one line: less reads as one label.
_APART = 6.0


class Placed(NamedTuple):
    """A point with its label, and the ends of its interval (vertical); all in data coordinates."""

    text: str
    x: float
    y: float
    low: float
    high: float


def _candidates(x: float, y: float, width: float, height: float, scale: float) -> Iterator[tuple[float, Bbox]]:
    """Places of a label of that size about a point, the nearest first, with their distances in points."""
    for distance in _DISTANCES:
        for angle in _ANGLES:
            across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            centre = x + across * (distance * scale + width / 2), y + up * (distance * scale + height / 2)
            yield distance, Bbox.from_bounds(centre[0] - width / 2, centre[1] - height / 2, width, height)


def _covered(box: Bbox, others: Sequence[Bbox]) -> float:
    """How much of other boxes a box covers, in square pixels."""
    shared = [Bbox.intersection(box, other) for other in others]
    return sum(part.width * part.height for part in shared if part is not None)


def place(
    figure: matplotlib.figure.Figure, axis: Axes, points: Sequence[Placed], line: Sequence[tuple[float, float]] = ()
) -> None:
    """Write the label of every point, after all else is drawn and the limits of the axes are set.

    ``line`` are the corners of a line of horizontal and vertical parts, which labels do not cover either.
    """
    figure.draw_without_rendering()  # Only now the axes have their final place.
    figure.set_layout_engine("none")
    scale, inside = figure.dpi / 72, axis.get_window_extent()
    spots = [axis.transData.transform((point.x, point.y)) for point in points]
    corners = [axis.transData.transform(corner) for corner in line]
    taken = [Bbox([one, other]).padded(scale) for one, other in pairwise(corners)]
    for point, (x, y) in zip(points, spots, strict=True):
        taken.append(Bbox.from_extents(x, y, x, y).padded(_POINT * scale))
        ends = [axis.transData.transform((point.x, end))[1] for end in (point.low, point.high) if end == end]
        if ends:
            taken.append(Bbox.from_extents(x - scale / 2, ends[0], x + scale / 2, ends[-1]))
    back = axis.transData.inverted()
    for point, (x, y) in zip(points, spots, strict=True):
        label = axis.annotate(point.text, (point.x, point.y), fontsize=style.SMALL, ha="center", va="center")
        size = label.get_window_extent()
        choices = [
            (_covered(box, taken), distance, box)
            for distance, box in _candidates(x, y, size.width, size.height, scale)
            if inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        ]
        if not choices:
            continue
        _, distance, box = min(choices, key=lambda choice: choice[:2])
        across, up = back.transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        label.set_position((float(across), float(up)))
        taken.append(Bbox.from_extents(box.x0 - _APART * scale, box.y0, box.x1 + _APART * scale, box.y1))
        if distance > _DISTANCES[2]:
            end = back.transform((min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)))
            axis.plot([point.x, end[0]], [point.y, end[1]], color=style.GREY, lw=0.5, zorder=1)
