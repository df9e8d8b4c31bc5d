"""``thresholds.csv``: each fit's threshold, chosen on its own validation images from their per-image scores."""

from __future__ import annotations

import math

import pandas as pd

from bench.results.folder import SCHEMA, Results
from bench.results.scored import Thresholds
from bench.types import OK

COLUMNS = (
    *("schema", "method", "variant", "train", "train_protocol", "seed", "task", "fit", "threshold_rule"),
    *("logit", "p_fake", "n_real", "n_fake"),
)


def compute(results: Results) -> pd.DataFrame:
    """One row per fit with validation scores. An image above ``logit``, or equally above ``p_fake``, is called fake."""
    entries = {e.val: e for e in reversed(results.read_matrix().entries) if e.role == "test" and e.status == OK}
    chosen, thresholds = Thresholds(results), []
    for files, entry in entries.items():
        found = chosen.of(files)
        if found is None:
            continue
        cut, n_real, n_fake = found
        p_fake = 1 / (1 + math.exp(-max(min(cut, 700.0), -700.0)))
        fit = (entry.method, entry.variant, entry.train, entry.train_protocol, entry.seed, entry.task, entry.fit)
        thresholds.append((SCHEMA, *fit, "source_val", cut, p_fake, n_real, n_fake))
    return pd.DataFrame(thresholds, columns=list(COLUMNS)).sort_values(list(COLUMNS), ignore_index=True)
