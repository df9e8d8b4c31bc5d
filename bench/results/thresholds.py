"""``thresholds.csv``: the threshold that each fit's own validation images choose, from their per-image scores alone."""

from __future__ import annotations

import csv
import io
import math

from bench.metrics import classification
from bench.results.folder import SCHEMA, Results, write_text
from bench.results.measure import scored
from bench.types import OK

COLUMNS = (
    *("schema", "method", "variant", "train", "train_protocol", "seed", "task", "fit", "threshold_rule"),
    *("logit", "p_fake", "n_real", "n_fake"),
)


def render(results: Results) -> str:
    """One line a fit with validation scores: an image is called fake above ``logit``, that is above ``p_fake``."""
    lines, seen = [], set[str]()
    for entry in results.read_matrix().entries:
        if entry.role != "test" or entry.status != OK or not entry.val or entry.val in seen:
            continue
        seen.add(entry.val)
        logits, labels = scored(results.read_scores(entry.val))
        cut = classification.best_threshold(*classification.tally(logits, labels))
        chance = 1 / (1 + math.exp(-max(min(cut, 700.0), -700.0)))
        fit = (entry.method, entry.variant, entry.train, entry.train_protocol, entry.seed, entry.task, entry.fit)
        counts = (int((labels == 0).sum()), int((labels == 1).sum()))
        lines.append((SCHEMA, *fit, "source_val", format(cut, ".9g"), format(chance, ".9g"), *counts))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(lines))
    return buffer.getvalue()


def write(results: Results) -> None:
    """Write the thresholds, whole or not at all."""
    write_text(results.thresholds, render(results))
