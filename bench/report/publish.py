"""Pack results for the repository: ``python -m bench.report.publish``, after the runs of ``make board``.

``python -m bench.report.publish again`` measures and packs the published results once more, from their per-image
scores: for a change of metrics, intervals, tables or figures.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.errors import UserError
from bench.report.gates import write_gates
from bench.report.papers import averages, provenance
from bench.report.write import write_report
from bench.results import budgets, derived
from bench.results import nulls as null_results
from bench.results.folder import Matrix, Results, read_text, write_packed, write_text
from bench.results.packed import pack, rounded

#: What is copied; tables that follow from the per-image scores are computed.
_KEPT = ("images.parquet", "methods.json", "CITATIONS.bib", "run.json", "costs.csv")
#: Kept as ``.xz``: their lines repeat the same words.
_PACKED = ("rows.csv", "summary.csv", "pairs.csv", "cells.json")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder except ``digests.json``, by relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "digests.json")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _complete(results: Results) -> Matrix:
    """The matrix of a folder. Raises UserError if a cell has failed."""
    matrix = results.read_matrix()
    failed = [entry for entry in matrix.entries if entry.status not in ("ok", "missing")]
    if failed:
        first = f"{failed[0].label} on {failed[0].subset}: {failed[0].reason}"
        raise UserError(
            f"{results.root} cannot be published.",
            f"{len(failed)} of its cells failed, the first: {first}.",
            "Run `make board` again: it continues where it stopped.",
        )
    return matrix


def _copy(results: Results, target: Path, before: Results) -> None:
    """Copy what is published as it is; absolute paths in the command keep only their last part.

    What others have added to the board that was published ``before`` stays.
    """
    for name in _KEPT:
        shutil.copyfile(results.root / name, target / name)
    copy = Results(target)
    write_text(copy.matrix, read_text(results.matrix) or "")
    known = next((path for path in (results.submitted, before.submitted) if path.exists()), None)
    if known is not None:
        shutil.copyfile(known, copy.submitted)
    record = json.loads(copy.run.read_text(encoding="utf-8"))
    words = record.get("command", [])
    record["command"] = [f"…/{Path(word).name}" if Path(word).is_absolute() else word for word in words]
    copy.write_json(copy.run, record)


def _scores(results: Results, matrix: Matrix) -> dict[str, dict[str, list[Any]]]:
    """The per-image values of a folder, by file, as they are published."""
    tables = {e.scores: results.table(e.scores) for e in matrix.entries if e.scores}
    tables |= {probe.values: results.table(probe.values) for probe in matrix.probes if probe.values}
    return {name: {**of, "logit": rounded(of["logit"])} if "logit" in of else of for name, of in tables.items()}


def _beside(results: Results, nulls: Mapping[str, Results], plateau: Results | None) -> None:
    """Write the tables that need other published results."""
    if nulls:
        null_results.write(nulls, results.nulls)
    if plateau is not None:
        budgets.write(results, plateau, results.budgets)


def _pack_texts(folder: Path) -> None:
    """Replace the long text files by their ``.xz``."""
    for name in _PACKED:
        write_packed(folder / name, (folder / name).read_text(encoding="utf-8"))
        (folder / name).unlink()


def publish(
    results: Results,
    target: Path,
    own: Results | None = None,
    figures: bool = True,
    nulls: Mapping[str, Results] = MappingProxyType({}),
    plateau: Results | None = None,
) -> str:
    """Pack the per-image values, measure them, and write report and digests; returns the leaderboard.

    Values are rounded (:func:`bench.results.packed.rounded`) before they are measured, so what is published follows
    from what is published.

    If ``figures``, they are kept as PNG with their data, and tables as Markdown and TeX; without, only tables as
    Markdown. ``report`` writes all of them again, and tables as CSV. ``own`` are the published results of CNNs trained
    on each subset's own images, for the gates, ``nulls`` those on null generators by kind, and ``plateau`` those of the
    same detectors trained until their validation loss stops falling. Raises UserError if a cell has failed: a board
    must be complete.
    """
    matrix = _complete(results)
    partial = target.with_name(target.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _copy(results, partial, Results(target))
    pack(partial, _scores(results, matrix))
    derived.write(Results(partial))
    _beside(Results(partial), nulls, plateau)
    written = write_report(Results(partial), figures)
    kept = (".md", ".tex") if figures else (".md",)
    surplus = [path for path in Results(partial).tables.iterdir() if path.suffix not in kept]
    surplus += Results(partial).figures.glob("*.svg")
    for path in surplus:
        path.unlink()
    if own is not None:
        write_gates(Results(partial), own)
    _pack_texts(partial)
    Results(partial).write_json(partial / "digests.json", digests(partial))
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    return written.leaderboard


def _found(name: str, again: bool) -> Results | None:
    """The run of that name under ``results/runs``; what is published, if there is no such run or ``again``."""
    run, board = Path("results/runs") / name.replace("null-", "nulls-null-"), Path("results/board") / name
    if name == "mini":
        run = run.with_name("board")
    found = board if again or not run.is_dir() else run
    return Results(found) if found.is_dir() else None


def main() -> None:
    """Publish the board with the runs beside it: ``own``, and those of ``parts``, ``plateau`` and nulls that exist.

    What was published before and has no run here stays, measured again.
    """
    runs, boards, again = Path("results/runs"), Path("results/board"), sys.argv[1:] == ["again"]
    nulls = {path.name.removeprefix("nulls-") for path in runs.glob("nulls-null-*")} | {
        path.name for path in boards.glob("null-*")
    }
    names = ("mini", "own", "parts", "plateau", *sorted(nulls))
    found = {name: made for name in names if (made := _found(name, again)) is not None}
    missing = [suite for name, suite in (("mini", "board"), ("own", "own")) if name not in found]
    if missing:
        raise UserError(
            f"There is no run of the suite {' and '.join(missing)}.",
            "The board and its gates need it.",
            "Run `make board`.",
        )
    board = found.pop("mini")
    for name, results in found.items():
        publish(results, boards / name, figures=False)
    beside = {name: Results(boards / name) for name in found}
    of_nulls = {name.removeprefix("null-"): made for name, made in beside.items() if name.startswith("null-")}
    text = publish(board, boards / "mini", beside["own"], nulls=of_nulls, plateau=beside.get("plateau"))
    write_text(Path("leaderboard.md"), f"{text}\n{averages()}\n{provenance(Results(boards / 'mini'))}")


if __name__ == "__main__":
    main()
