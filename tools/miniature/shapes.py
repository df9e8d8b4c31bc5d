"""Approximate signed distances of the miniature's shapes: negative inside, positive outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]
Shape = Callable[[Plane, Plane], Plane]


def _convex(x: Plane, y: Plane, sides: int, inradius: float, turn: float) -> Plane:
    """A regular polygon with ``sides`` sides as the largest of its half-plane distances."""
    angles = turn + 2 * np.pi * np.arange(sides) / sides
    planes = [x * np.float32(np.cos(a)) + y * np.float32(np.sin(a)) - np.float32(inradius) for a in angles]
    return np.maximum.reduce(planes)


def _petals(x: Plane, y: Plane, count: int, inner: float, outer: float, sharp: float) -> Plane:
    """A closed curve whose radius oscillates between ``inner`` and ``outer`` ``count`` times per turn."""
    angle = np.arctan2(x, -y)
    wave = (0.5 + 0.5 * np.cos(count * angle)) ** np.float32(sharp)
    return np.hypot(x, y) - (inner + (outer - inner) * wave)


def _heart(x: Plane, y: Plane) -> Plane:
    px = np.abs(x)
    lobe = np.hypot(px - 0.42, y + 0.28) - 0.5
    wedge = np.maximum(px * 0.749 + (y - 0.95) * 0.663, -y)  # Tangent to the lobes, with the tip at (0, 0.95).
    return np.minimum(lobe, wedge)


def _star(x: Plane, y: Plane) -> Plane:
    tip, notch, half = 1.1, 0.46, np.pi / 5
    radius, angle = np.hypot(x, y), np.arctan2(x, -y)
    folded = np.abs(np.mod(angle + half, 2 * half) - half)
    along, across = radius * np.cos(folded), radius * np.sin(folded)
    edge = np.array([notch * np.sin(half), tip - notch * np.cos(half)])
    normal = (edge / np.linalg.norm(edge)).astype(np.float32)
    return (along - np.float32(tip)) * normal[0] + across * normal[1]


def _house(x: Plane, y: Plane) -> Plane:
    walls = np.maximum(np.abs(x) - 0.62, np.abs(y - 0.35) - 0.5)
    roof = np.maximum(np.abs(x) * 0.66 - (y + 0.95) * 0.75, y + 0.12)
    door = np.maximum(np.abs(x) - 0.16, np.abs(y - 0.6) - 0.26)
    return np.maximum(np.minimum(walls, roof), -door)


def _cross(x: Plane, y: Plane) -> Plane:
    bar = np.maximum(np.abs(x) - 0.95, np.abs(y) - 0.32)
    post = np.maximum(np.abs(x) - 0.32, np.abs(y) - 0.95)
    return np.minimum(bar, post)


SHAPES: dict[str, Shape] = {
    "disc": lambda x, y: np.hypot(x, y) - 0.92,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 0.8,
    "triangle": lambda x, y: _convex(x, y + -0.18, 3, 0.5, np.pi / 2),
    "star": _star,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.7) - 0.26,
    "cross": _cross,
    "flower": lambda x, y: _petals(x, y, 6, 0.55, 1.02, 0.6) * 0.8,
    "crescent": lambda x, y: np.maximum(np.hypot(x, y) - 0.95, 0.78 - np.hypot(x - 0.48, y + 0.1)),
    "heart": _heart,
    "house": _house,
}
