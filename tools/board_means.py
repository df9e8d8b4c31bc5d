"""Means of the committed board over subsets of one's choice: ``python -m tools.board_means adm,glide,vqdm,biggan``.

Prints the mean AUC of every method over these subsets, trained and tested aligned, a mean over seeds; for the trivial
baselines also with each subset read in whichever direction serves. For intervals: ``run_bench.py compare A B --over``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

from tabulate import tabulate

from bench.ledger.folder import Results
from bench.report.board import Board
from bench.report.gates import setting_of_gates

BOARD = Path("results/board/mini")


def means(board: Board, subsets: list[str]) -> list[tuple[str, float, float | None]]:
    """Title, mean AUC and, for a baseline, the mean of max(AUC, 1 − AUC), in points; best first."""
    setting, found = setting_of_gates("sdv14"), []
    for kind in ("detector", "statistic"):
        for method in board.methods(setting, kind):
            values = [board.value(setting, method, subset, "auc").value for subset in subsets]
            known = [100 * value for value in values if value is not None]
            if len(known) == len(subsets):
                folded = mean(max(value, 100 - value) for value in known) if kind == "statistic" else None
                found.append((board.title(method), mean(known), folded))
    return sorted(found, key=lambda line: -line[1])


def main() -> None:
    """Print the table."""
    board = Board(Results(BOARD))
    known = [column.subset for column in board.columns_of(setting_of_gates("sdv14"))]
    subsets = sys.argv[1].split(",") if len(sys.argv) > 1 else known
    strange = sorted(set(subsets) - set(known))
    if strange:
        sys.exit(f"The board has no {', '.join(strange)}. Known: {', '.join(known)}.")
    body = tabulate(means(board, subsets), ["", "AUC", "either direction"], floatfmt=".1f")
    sys.stdout.write(f"Mean AUC over {', '.join(subsets)}, sdv14, aligned to aligned, {BOARD}\n{body}\n")


if __name__ == "__main__":
    main()
