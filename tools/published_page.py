"""Write docs/published.md, the papers' tables: ``python -m tools.published_page``."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from bench.suites import experiment as experiments
from bench.suites import published

PAGE = Path(__file__).parents[1] / "docs" / "published.md"
_HEAD = """# What the papers print

Written by `python -m tools.published_page` from `bench/suites/published.csv`: the numbers of the papers' tables, in
their digits, with nothing from memory. They are of GenImage, ForenSynths and real models. This project has not measured
them yet: that needs the data, the weights and GPUs. The command below each table does, and prints its numbers beside
these; without `--suite paper` it shows what the miniature has of the table.
"""


def _title(paper: str) -> str:
    name, place = published.PAPERS[paper]
    return f"{name} ({place})"


def _section(name: str, table: str, paper: str) -> str:
    """One table with the command that measures it."""
    values = published.values(paper, table)
    rows, columns = (list(dict.fromkeys(key[axis] for key in values)) for axis in (0, 1))
    body = [[row, *(str(values.get((row, column), "–")) for column in columns)] for row in rows]
    experiment = experiments.load(name)
    title = f"{_title(paper)}, {table.replace('table', 'Table ').replace('figure', 'Figure ')}: {experiment.title}"
    text = tabulate(body, ["", *columns], "github", disable_numparse=True)
    note = f"{experiment.note}\n\n" if experiment.note else ""
    command = f"    python run_bench.py reproduce {name} --suite paper --data DIR"
    return f"\n## {title}\n\n{text}\n\n{note}{command}\n"


def render() -> str:
    """The text of the page: every table with printed numbers that an experiment measures, and what is not printed."""
    measured = {name: experiments.load(name) for name in experiments.names()}
    known = {(e.paper, e.table): name for name, e in measured.items() if published.values(e.paper, e.table)}
    order = sorted(known, key=lambda key: (list(published.PAPERS).index(key[0]), key[1]))
    sections = "".join(_section(known[paper, table], table, paper) for paper, table in order)
    holes = ""
    for paper in published.PAPERS:
        missing = [table for name, table in published.holes() if name == paper]
        holes += f"- {_title(paper)}: {', '.join(missing)}\n" if missing else ""
    return f"{_HEAD}{sections}\n## Not printed\n\nThe papers' text does not print the values of these:\n\n{holes}"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
