"""Write docs/findings.md, what the miniature shows of the papers' claims: ``python -m tools.findings_page [FOLDER]``.

It measures the committed boards, and the experiments below FOLDER (``results/runs/experiments``), to which
``run_bench.py reproduce all --results FOLDER`` has written. Of experiments that are not there, what was measured
before stays, unless the claim has changed. The numbers are kept in results/board/findings.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from bench.report import findings
from bench.report.effects import COLUMNS, measured
from bench.results.folder import Results, write_text
from bench.results.frames import read_csv, to_csv
from bench.suites import effects as claims
from bench.suites import experiment as experiments

_ROOT = Path(__file__).parents[1]
PAGE = _ROOT / "docs" / "findings.md"
BOARDS = _ROOT / "results" / "board"
NUMBERS = BOARDS / "findings.csv"
FOLDER = Path("results/runs/experiments")
_HEAD = """# What the miniature shows of the papers' claims

Written by `python -m tools.findings_page` from [`results/board/findings.csv`](../results/board/findings.csv). The
sources `board/…` are the folders of [`results/board`](board.md) and have three seeds. The others are experiments, which
`make findings` runs with one seed and fewer images. All of it is the miniature: small networks, small images, small
training sets. A claim that is open or reversed here may hold on GenImage; `reproduce NAME --suite paper --data DIR`
says.

"""


def boards() -> dict[str, Results]:
    """The committed results folders by the names that measures have for them."""
    return {f"{claims.BOARD}{path.name}": Results(path) for path in sorted(BOARDS.iterdir()) if path.is_dir()}


def render() -> str:
    """The text of the page, from its kept numbers."""
    return _HEAD + findings.markdown(claims.load(), read_csv(NUMBERS, COLUMNS))


def main(arguments: list[str]) -> None:
    """Measure what there is, and write the page and its numbers."""
    folder = Path(arguments[0]) if arguments else FOLDER
    made = {name: Results(folder / name) for name in experiments.names() if (folder / name / "run.json").exists()}
    effects = claims.load()
    new = measured(effects, boards() | made)
    before = read_csv(NUMBERS, COLUMNS) if NUMBERS.exists() else new.iloc[:0]
    places = {(name, m.title, m.key): n for n, (name, m) in enumerate(claims.pairs(effects))}
    kept = before[~before["source"].isin(set(new["source"]))]
    found = pd.concat([new, kept], ignore_index=True)
    order = [places.get(key, -1) for key in zip(found["effect"], found["measure"], found["key"], strict=True)]
    found = found.assign(place=order).query("place >= 0").sort_values("place", kind="stable").drop(columns="place")
    write_text(NUMBERS, to_csv(found))
    write_text(PAGE, render())
    missing = sorted({m.source for _, m in claims.pairs(effects)} - set(found["source"]))
    sys.stdout.write(f"{PAGE.name}: {len(found)} quantities; not measured: {', '.join(missing) or 'none'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
