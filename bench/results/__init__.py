"""Results on disk, and the numbers that are recomputed from per-image scores."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.results import rows


def load_results(folder: Path | str) -> pd.DataFrame:
    """The rows of a results folder, one metric of one cell per row; :class:`~bench.results.rows.Row` has the columns.

    Shares are in 0…1, missing numbers NaN with their ``reason``. Raises UserError if the folder holds no rows.
    """
    return rows.read(Path(folder) / "rows.csv")
