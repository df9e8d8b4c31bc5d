"""The verb ``import-scores``: detectors that live elsewhere get intervals, ranks, figures and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli import show
from bench.results import external
from bench.results.external import Form
from bench.results.folder import Results


def import_scores(
    file: Annotated[Path, typer.Argument(help="A CSV file: one line per image and method, or per image.")],
    results: Annotated[Path | None, typer.Option(help="Default: results/runs/external-FILE.")] = None,
    id_column: Annotated[
        str, typer.Option("--id", help="The column that names images. Default: id, path or image.")
    ] = "",
    label: Annotated[str, typer.Option(help="The column of real or fake, 0 or 1. Default: label.")] = "",
    subset: Annotated[str, typer.Option(help="The column of generators. Default: subset or generator, if there.")] = "",
    scores: Annotated[
        list[str] | None,
        typer.Option(help="Of a wide file: the columns of scores, or a pattern in quotes, `prob_*`. Repeatable."),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Scores are logits. Default: P(fake) in 0…1.")] = False,
    dataset: Annotated[str, typer.Option(help="What the images are called in tables. Default: the file's name.")] = "",
    as_json: opt.Json = False,
) -> None:
    """Read scores that were computed elsewhere, and write tables, figures and the page as for a run.

    A long file has columns id, label, method, score and perhaps subset; a wide one has a column of scores per method.
    A score is never flipped; a missing one is a failure of its image. The images themselves are not looked at.
    """
    from bench.report.write import write_report

    folder = Results(results or Path("results") / "runs" / f"external-{file.stem}")
    made = external.write(file, Form(id_column, label, subset, tuple(scores or ()), logits, dataset), folder)
    written = write_report(folder)
    show.page(folder, ())
    show.report(folder, written, as_json)
    if not as_json:
        show.imported(made)
