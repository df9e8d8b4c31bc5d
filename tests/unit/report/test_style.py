"""Colours that are used together differ for people with every kind of colour blindness."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bench.report import style

#: Complete loss of one kind of cone, as matrices on linear RGB (Machado et al., IEEE TVCG 2009, severity 1).
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TOGETHER = {
    "relations": [look.colour for look in style.RELATIONS.values()],
    "histograms": [style.RELATIONS["source"].colour, style.RELATIONS["out"].colour, style.PURPLE, style.BLACK],
    "protocols": [look.colour for look in style.PROTOCOLS.values()],
    "shift": [style.CLASSES["real"].colour, style.CLASSES["fake"].colour],
    "conditions": [look.colour for look in style.CONDITIONS.values()],
}
XYZ = np.asarray([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, matrix):
    """CIELAB of a colour as it is seen."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(np.asarray(matrix) @ linear, 0, 1) / [0.9505, 1.0, 1.089]
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.asarray([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


# A just noticeable difference is about 2; these lines and markers also have shapes of their own.
@pytest.mark.parametrize("group", TOGETHER)
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_one_figure_differ(group, sight):
    for one, other in combinations(TOGETHER[group], 2):
        assert np.linalg.norm(lab(one, SIGHT[sight]) - lab(other, SIGHT[sight])) > 15, (one, other)


def test_no_text_is_smaller_than_seven_points():
    assert (
        min(value for name, value in style.TEXT.items() if name.endswith(("size", "titlesize")) and "major" not in name)
        >= 7
    )
    assert style.SMALL >= 7


def test_detectors_of_a_folder_have_looks_of_their_own():
    class Folder:
        cards = {f"m{i:02}": {"kind": "detector", "year": 2030 - i} for i in range(20)} | {
            "size": {"kind": "statistic"}
        }

        def title(self, label):
            return label.upper()

    looks = style.detectors(Folder())
    assert list(looks)[:2] == ["m19", "m18"]
    assert "size" not in looks
    assert len({(look.colour, look.marker, look.line) for look in looks.values()}) == 20
