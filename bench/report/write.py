"""Write the whole report from the results folder alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.report.board import Board
from bench.report.comparisons import write_comparisons
from bench.report.controls import write_controls
from bench.report.critical import write_critical
from bench.report.fewshot import write_fewshot
from bench.report.figures import write_figures
from bench.report.heat import write_heat
from bench.report.leaderboard import leaderboard
from bench.report.nulls import write_nulls
from bench.report.pareto import write_pareto
from bench.report.protocols import write_protocols
from bench.report.robustness import write_robustness
from bench.report.scores import write_scores
from bench.report.shift import write_shift
from bench.report.submitted import write_submitted
from bench.report.tables import write_tables
from bench.report.trivial import write_trivial
from bench.results.folder import Results, write_text

#: Tables that only ``publish`` writes, since they are from other folders too.
PUBLISHED = ("gates",)


@dataclass(frozen=True)
class Written:
    """The output of a report: the leaderboard's text, the stems of the tables, and the figures."""

    leaderboard: str
    tables: tuple[str, ...]
    figures: tuple[Path, ...]


def _figures(board: Board, results: Results) -> list[Path]:
    return [
        *write_heat(board, results),
        *write_figures(board, results),
        *write_scores(board, results),
        *write_robustness(board, results),
        *write_pareto(board, results),
        *write_critical(board, results),
    ]


def write_report(results: Results, figures: bool = True) -> Written:
    """Write tables, leaderboard and, unless ``figures`` is False, figures of a results folder."""
    board = Board(results)
    text = leaderboard(board)
    write_text(results.leaderboard, text)
    stems, shifts = write_shift(board, results, figures)
    comparison_stems = write_comparisons(results, board.label)
    tables = [
        *write_tables(board, results),
        *write_controls(board, results),
        *write_protocols(board, results),
        *write_nulls(board, results),
        *write_trivial(board, results),
        *write_submitted(board, results),
        *stems,
        *comparison_stems,
        *write_fewshot(board, results),
    ]
    drawn = [*_figures(board, results), *shifts] if figures else []
    _clear(results.tables, {*tables, *PUBLISHED})
    if figures:
        _clear(results.figures, {figure.stem for figure in drawn})
    return Written(text, tuple(tables), tuple(drawn))


def _clear(folder: Path, stems: set[str]) -> None:
    """Delete the tables or figures of an earlier run that this one has not written again."""
    for path in folder.glob("*") if folder.is_dir() else ():
        if path.is_file() and path.stem not in stems:
            path.unlink()
