"""``trivial.csv``: which detectors are better than every trivial baseline, a single fact or number of an image.

A detector that is not has learned the dataset, not the task. The detector and each baseline are compared in the mean
AUC out of family, on the same images. It is better than all if it is better than each, so the largest of the p-values
is that of the whole claim (an intersection-union test, Berger 1982, Technometrics 24:295), and the choice of the
baseline that is hardest to beat needs no correction. Holm's method corrects for all detectors of a setting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.metrics import ranking
from bench.results.frames import read_csv, table
from bench.results.rankings import Detector, difference, head_of
from bench.results.scored import SETTING

#: One row per detector of a setting. ``baseline`` is the hardest to beat, and ``effect`` the AUC of the detector minus
#: that of the baseline, in −1…1, with its interval. ``p`` is 1 if the effect is not above 0.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(SETTING, "str"),
    **dict.fromkeys(("detector", "baseline"), "str"),
    **dict.fromkeys(("effect", "low", "high", "p", "p_holm"), "float64"),
}


def _hardest(detector: Detector, baselines: Sequence[Detector]) -> dict[str, Any]:
    """The comparison with the baseline that the detector is least surely better than."""
    found = []
    for baseline in baselines:
        if detector.out is not None and baseline.out is not None:
            numbers = difference(detector.out, baseline.out)
            p = numbers["p"] if numbers["effect"] > 0 else 1.0
            found.append({"baseline": baseline.label, **numbers, "p": p})
    return max(found, key=lambda numbers: (numbers["p"], -numbers["effect"]))


def of_setting(found: Sequence[Detector], detectors: Collection[str], statistics: Collection[str]) -> list[Any]:
    """The rows of a setting, from the methods that have numbers out of family; empty without a baseline.

    Detectors and baselines for which nothing is known about training have no row, as they have no rank.
    """
    compared = [one for one in found if one.label in detectors and one.out is not None]
    baselines = [one for one in found if one.label in statistics and one.out is not None]
    if not compared or not baselines:
        return []
    lines = [{**head_of(compared), "detector": one.label, **_hardest(one, baselines)} for one in compared]
    for line, corrected in zip(lines, ranking.holm([line["p"] for line in lines]), strict=True):
        line["p_holm"] = float(corrected)
    return lines


def read(path: Path) -> pd.DataFrame:
    """Read ``trivial.csv``; empty if there is none. Raises UserError if it has other columns."""
    return read_csv(path, COLUMNS) if path.exists() else table([], COLUMNS)
