"""Means of the committed board over chosen subsets: ``python -m tools.board_means adm,glide,vqdm,biggan``.

Prints the mean AUC of every method over these subsets and all seeds, trained and tested aligned. For the trivial
baselines it also prints the mean with the better sign per subset. For intervals: ``run_bench.py compare A B --over``.
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
    dataset_of, lines = {column.subset: column.dataset for column in board.columns}, []
    for kind in ("detector", "statistic"):
        for method in board.methods(setting_of_gates("sdv14", dataset_of[subsets[0]]), kind):
            values = [board.value(setting_of_gates("sdv14", dataset_of[s]), method, s, "auc").value for s in subsets]
            known = [100 * value for value in values if value is not None]
            if len(known) == len(subsets):
                folded = mean(max(value, 100 - value) for value in known) if kind == "statistic" else None
                lines.append((board.title(method), mean(known), folded))
    return sorted(lines, key=lambda line: -line[1])


def main() -> None:
    """Print the table."""
    board = Board(Results(BOARD))
    known = [column.subset for column in board.columns]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subsets", nargs="?", help=f"comma-separated, of {','.join(known)} (default: GenImage's eight)")
    chosen = parser.parse_args().subsets
    subsets = (
        list(dict.fromkeys(comma_list(chosen)))
        if chosen
        else [c.subset for c in board.columns if c.dataset == "genimage"]
    )
    unknown = sorted(set(subsets) - set(known))
    if unknown:
        sys.exit(f"The board has no {', '.join(unknown)}. Known: {', '.join(known)}.")
    body = tabulate(means(board, subsets), ["", "AUC", "either direction"], floatfmt=".1f")
    sys.stdout.write(f"Mean AUC over {', '.join(subsets)}, sdv14, aligned to aligned, {BOARD}\n{body}\n")


if __name__ == "__main__":
    main()
