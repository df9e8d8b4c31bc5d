"""The 30 high-pass filters of the spatial rich model that detectors of camera noise use.

Fridrich and Kodovský: Rich Models for Steganalysis of Digital Images, IEEE TIFS 2012. Their order is that of AIDE's and
PatchCraft's weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Filter = NDArray[np.float32]
#: The eight directions as (row, column), row by row.
_ROWS = tuple(step for step in product((-1, 0, 1), repeat=2) if step != (0, 0))
#: The same clockwise from the top left.
_CLOCKWISE = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_SQUARE_3 = ((-1, 2, -1), (2, -4, 2), (-1, 2, -1))
_SQUARE_5 = ((-1, 2, -2, 2, -1), (2, -6, 8, -6, 2), (-2, 8, -12, 8, -2), (2, -6, 8, -6, 2), (-1, 2, -2, 2, -1))


def _around(values: Mapping[int, float], down: int, right: int) -> Filter:
    """A 5 × 5 filter with these values at steps along one direction from its centre."""
    made = np.zeros((5, 5), np.float32)
    for step, value in values.items():
        made[2 + step * down, 2 + step * right] = value
    return made


def _edges(square: Filter) -> Iterator[Filter]:
    """The square filter without its lower rows, left columns, upper rows and right columns."""
    for rows, columns in (((3, 5), (0, 5)), ((0, 5), (0, 2)), ((0, 2), (0, 5)), ((0, 5), (3, 5))):
        made = square.copy()
        made[slice(*rows), slice(*columns)] = 0
        yield made


def srm() -> Tensor:
    """The filters, float [30, 1, 5, 5]: differences of three orders, edges and squares, divided by the centre."""
    small = np.pad(np.asarray(_SQUARE_3, np.float32), 1)
    large = np.asarray(_SQUARE_5, np.float32)
    filters: list[tuple[Filter, int]] = [
        *((_around({0: -1, 1: 1}, *step), 1) for step in _ROWS),
        *((_around({-1: 1, 0: -2, 1: 1}, *step), 2) for step in _ROWS[:4]),
        *((_around({-1: 1, 0: -3, 1: 3, 2: -1}, *step), 3) for step in _CLOCKWISE),
        *((edge, 4) for edge in _edges(small)),
        *((edge, 12) for edge in _edges(large)),
        *((small, 4), (large, 12)),
    ]
    return torch.stack([torch.from_numpy(made) / centre for made, centre in filters])[:, None]
