"""The averages of the papers' GenImage and ForenSynths tables, below the committed leaderboard."""

from __future__ import annotations

import json

from bench.report.written import table
from bench.results.folder import Results
from bench.suites import published

#: Column → table and column of SARE's paper, which trains every method in one recipe on GenImage's SD v1.4.
_COLUMNS = {
    "GenImage, ACC": ("table1", "Avg ACC"),
    "GenImage, AUC": ("table2", "Avg AUC"),
    "ForenSynths, ACC": ("table3", "Avg ACC"),
    "ForenSynths, AUC": ("table4", "Avg AUC"),
}


def provenance(results: Results) -> str:
    """Of what run a board is, and how to repeat it."""
    run = json.loads(results.run.read_text(encoding="utf-8"))
    seeds = ", ".join(map(str, sorted({entry.seed for entry in results.read_matrix().entries})))
    device = run.get("environment", {}).get("device_name", "an unknown device")
    return (
        f"## Where it comes from\n\nSuite `{run.get('suite', 'board')}`, seeds {seeds}, commit "
        f"`{run.get('commit', 'unknown')[:12]}`, on {device}. `make board` runs it again, and `run_bench.py verify` "
        "recomputes every number from the committed scores. [How to read it](docs/board.md).\n"
    )


def averages() -> str:
    """Published averages by method, and an empty column for what this project has not measured."""
    values = {name: published.values("sare", place) for name, (place, _) in _COLUMNS.items()}
    methods = [row for row, column in values["GenImage, ACC"] if column == "Avg ACC"]
    body = [[m, *(str(values[n].get((m, column), "–")) for n, (_, column) in _COLUMNS.items()), "–"] for m in methods]
    return "\n".join(
        [
            "## What the papers print",
            "",
            "Averages of Tables 1 to 4 of SARE (arXiv 2508.09487), trained on GenImage's SD v1.4, files as they are. "
            "They are of other images, models and protocols than the tables above: do not subtract. The last column is "
            "empty, because measuring them needs GenImage, the real weights and GPUs: `reproduce sare-table1 --suite "
            "paper --data DIR`. [All published tables](docs/published.md).",
            "",
            table(body, ["Method", *_COLUMNS, "measured here"]),
            "",
        ]
    )
