"""Results on disk, and the numbers recomputed from per-image scores."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.results import rows


def load_results(folder: Path | str) -> pd.DataFrame:
    """The rows of a results folder, one metric of one cell per row; :class:`~bench.results.rows.Row` has the columns.

    Shares are in 0…1; missing numbers are NaN and have a ``reason``. Raises UserError if there is no ``rows.csv``.
    """
    return rows.read(Path(folder) / "rows.csv")
