"""``summary.csv`` as a DataFrame: every metric's mean over seeds, with an interval of training and test sampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import classification, seeds
from bench.results.estimates import of_number, of_seeds
from bench.results.folder import SCHEMA
from bench.results.frames import read_csv, table
from bench.results.numbers import Number
from bench.results.scored import SETTING, Key
from bench.types import OK

#: The columns of ``summary.csv`` with their pandas types. ``low`` and ``high`` are the ends of the 95 % interval of
#: what ``varies``; ``sd`` is the standard deviation among seeds. In a hole ``value`` is missing and has a ``reason``.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("method", "variant", *SETTING, "subset", "relation", "metric", "threshold_rule"), "str"),
    **dict.fromkeys(("value", "low", "high"), "float64"),
    **dict.fromkeys(("interval", "varies"), "str"),
    "seeds": "int64",
    "sd": "float64",
    **dict.fromkeys(("n_real", "n_fake"), "int64"),
    "reason": "str",
}


def _hole(numbers: Sequence[Number]) -> str | None:
    return next((number.entry.reason for number in numbers if number.entry.status != OK), None)


def _head(numbers: Sequence[Number]) -> dict[str, Any]:
    """What the lines of one method on one subset share."""
    first = numbers[0]
    names = {name: getattr(first.entry, name) for name in ("method", "variant", *SETTING, "subset", "relation")}
    sizes = {"n_real": first.sizes.real, "n_fake": first.sizes.fake}
    return {"schema": SCHEMA, **names, **sizes, "seeds": len(numbers), "interval": "", "varies": "", "reason": ""}


def _numbers(numbers: Sequence[Number], key: Key, means: Mapping[Key, float]) -> dict[str, Any]:
    """One metric of one method on one subset, over its seeds."""
    first = numbers[0]
    values = np.asarray([number.values[key] for number in numbers])
    line: dict[str, Any] = {"value": means[key], "sd": float(values.std(ddof=1)) if len(values) > 1 else None}
    found = seeds.joined([number.seeds[key] for number in numbers]) if key in first.seeds else None
    interval = of_number(first, key) if len(numbers) == 1 else of_seeds(key, found, means, first.sizes)
    if interval is None:
        return line
    varies = seeds.BOTH if len(numbers) > 1 else seeds.TEST
    return line | {"low": interval.low, "high": interval.high, "interval": interval.method, "varies": varies}


def lines(methods: Iterable[Sequence[Sequence[Number]]]) -> list[dict[str, Any]]:
    """The lines of some methods: for each, the numbers of every seed."""
    found = []
    for numbers in (members for by_seed in methods for members in zip(*by_seed, strict=True)):
        head, hole = _head(numbers), _hole(numbers)
        means = {} if hole else {name: float(np.mean([n.values[name] for n in numbers])) for name in numbers[0].values}
        for key in classification.names():
            names = {"metric": key[0], "threshold_rule": key[1]}
            if hole is not None:
                found.append(head | names | {"reason": hole})
            elif key in means:
                found.append(head | names | _numbers(numbers, key, means))
    return found


def frame(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Lines as a sorted DataFrame; missing numbers are NaN."""
    return table(found, COLUMNS)


def read(path: Path) -> pd.DataFrame:
    """Read the summary, also from ``summary.csv.xz``. Raises UserError if it is missing or has other columns."""
    return read_csv(path, COLUMNS)
