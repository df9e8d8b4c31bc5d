"""Means of the committed board over subsets of one's choice: ``python -m tools.board_means adm,glide,vqdm,biggan``.

Prints the mean AUC of every method over these subsets, trained and tested aligned, a mean over seeds; for the trivial
baselines also with each subset read in whichever direction serves. For intervals: ``run_bench.py compare A B --over``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import mean

from tabulate import tabulate

from bench.planning.sources import comma_list
from bench.report.board import Board
from bench.report.gates import setting_of_gates
from bench.results.folder import Results

BOARD = Path("results/board/mini")


def means(board: Board, subsets: list[str]) -> list[tuple[str, float, float | None]]:
    """Title, mean AUC and, for a baseline, the mean of max(AUC, 1 − AUC), in points; best first."""
    home, found = {column.subset: column.dataset for column in board.columns}, []
    for kind in ("detector", "statistic"):
        for method in board.methods(setting_of_gates("sdv14", home[subsets[0]]), kind):
            values = [board.value(setting_of_gates("sdv14", home[s]), method, s, "auc").value for s in subsets]
            known = [100 * value for value in values if value is not None]
            if len(known) == len(subsets):
                folded = mean(max(value, 100 - value) for value in known) if kind == "statistic" else None
                found.append((board.title(method), mean(known), folded))
    return sorted(found, key=lambda line: -line[1])


def main() -> None:
    """Print the table."""
    board = Board(Results(BOARD))
    known = [column.subset for column in board.columns]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subsets", nargs="?", help=f"of {','.join(known)} (default: GenImage's eight)")
    asked = parser.parse_args().subsets
    subsets = (
        list(dict.fromkeys(comma_list(asked)))
        if asked
        else [c.subset for c in board.columns if c.dataset == "genimage"]
    )
    strange = sorted(set(subsets) - set(known))
    if strange:
        sys.exit(f"The board has no {', '.join(strange)}. Known: {', '.join(known)}.")
    body = tabulate(means(board, subsets), ["", "AUC", "either direction"], floatfmt=".1f")
    sys.stdout.write(f"Mean AUC over {', '.join(subsets)}, sdv14, aligned to aligned, {BOARD}\n{body}\n")


if __name__ == "__main__":
    main()
