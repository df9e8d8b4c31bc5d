"""``controls.csv``: what each detector loses when its artefacts cannot help, from scores of the same images and fits.

Controls are those of :mod:`bench.controls`. A control is a second test of the same fits, so the difference is taken
image by image and seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.controls import CONTROLS
from bench.metrics import ranking
from bench.results import comparisons, summary
from bench.results.comparisons import Side
from bench.results.folder import SCHEMA, Results
from bench.results.frames import read_csv, table
from bench.results.numbers import JOINT

#: One row per detector, setting, control and subset: the training generator, or the sources of a joint one, and the
#: mean out of family. ``own`` is the AUC with the detector's own artefacts, ``controlled`` that of the control, on all
#: test images; ``lost`` is own − controlled with interval and p-value, on the images that both have. ``p_holm`` is
#: corrected for all rows.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("method", *comparisons.SETTING, "subset", "control"), "str"),
    **dict.fromkeys(("own", "own_low", "own_high", "controlled", "controlled_low", "controlled_high"), "float64"),
    **dict.fromkeys(("lost", "lost_low", "lost_high", "lost_p", "p_holm"), "float64"),
    **dict.fromkeys(("seeds", "n_real", "n_fake"), "int64"),
    "reason": "str",
}
_PLACE = ["method", *comparisons.SETTING, "perturbation", "subset"]


def _values(found: pd.DataFrame) -> pd.DataFrame:
    """AUC by method, setting, perturbation and subset."""
    found = found[(found["metric"] == "auc") & (found["task"] == "detect")]
    label = found["method"] + found["variant"].map(lambda name: f"[{name}]" if name else "")
    return found.assign(method=label).set_index(_PLACE).sort_index()


def compute(results: Results, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of a results folder; ``found`` is its summary, if it is already there. Empty without controls."""
    values = _values(summary.read(results.summary) if found is None else found)
    used = {(e.label, e.perturbation) for e in results.read_matrix().entries if e.perturbation in CONTROLS}
    lines = [line for label, control in sorted(used) for line in _lines(results, values, label, control)]
    made = table(lines, COLUMNS)
    return made.assign(p_holm=ranking.holm(made["lost_p"].to_numpy(np.float64)))


def _lines(results: Results, values: pd.DataFrame, label: str, control: str) -> Iterator[dict[str, Any]]:
    pair = Side(results, label), Side(results, label, perturbation=control)
    compared = comparisons.between(*pair, (label, control))
    shown = (compared["subset"] == compared["train"]) | compared["subset"].isin([JOINT, "mean:out"])
    for _, row in compared[shown].iterrows():
        setting = [row[name] for name in comparisons.SETTING]
        line = {"schema": SCHEMA, "method": label, **dict(zip(comparisons.SETTING, setting, strict=True))}
        line |= {"subset": row["subset"], "control": control}
        for name, perturbation in (("own", "none"), ("controlled", control)):
            place = (label, *setting, perturbation, row["subset"])
            ends = values.loc[place, ["value", "low", "high"]] if place in values.index else [math.nan] * 3
            line |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        lost = {"lost": "effect", "lost_low": "low", "lost_high": "high", "lost_p": "p"}
        line |= {name: row[column] for name, column in lost.items()}
        yield line | {name: row[name] for name in ("seeds", "n_real", "n_fake", "reason")}


def read(results: Results) -> pd.DataFrame:
    """Read ``controls.csv``; empty if the folder has none. Raises UserError if it has other columns."""
    return read_csv(results.controls, COLUMNS) if results.controls.exists() else table([], COLUMNS)
