"""The verb ``score``: a person's own images."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli import show_scores
from bench.cli.places import check_writable
from bench.cli.progress import progress as new_progress
from bench.cli.setup import load_plugins, require_run
from bench.errors import UserError
from bench.predict import inputs as inputs_of
from bench.predict.options import ScoreOptions, check_scores

_JUDGE = "From scores to verdicts"
#: Images that are printed beside a file of all.
_SHOWN = 20


def score(
    methods: Annotated[
        str,
        typer.Argument(
            metavar="METHOD[,METHOD]",
            help="Methods or `name[variant]`, comma-separated, fitted by `run` or given by `--checkpoint`.",
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders, patterns in quotes (`'photos/**/*.jpg'`), or a CSV file with a column `path` "
            "and perhaps `label`."
        ),
    ],
    train: Annotated[str, typer.Option(help="The training generator of the fits.")] = "sdv14",
    protocol: Annotated[str, typer.Option(help="The protocol that the fits were trained under.")] = "aligned",
    seed: Annotated[int, typer.Option(help="The seed of the fits.")] = 0,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[METHOD=]FILE",
            help="An official checkpoint, used instead of a fit. Implies the paper's parameters and `--models hub`. "
            "Repeatable.",
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="A folder of your own photographs: the threshold is where at most a share `--fpr` of them lies above. "
            "Their scores are kept. Default: the threshold from the fit's validation images, if a run has left it in "
            "`--results`, else P(fake) = 0.5.",
            rich_help_panel=_JUDGE,
        ),
    ] = None,
    fpr: Annotated[
        float,
        typer.Option(help="The share of photographs that may be called fake.", rich_help_panel=_JUDGE),
    ] = 0.05,
    results: opt.ResultsToRead = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all to `FILE.csv`, `FILE.json` or `FILE.html` (a page with small copies of the images). An "
            "interrupted command goes on where it was if it is run again.",
            rich_help_panel=opt.WHERE,
        ),
    ] = None,
    weights: opt.Weights = None,
    artefact: opt.Artefacts = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Unpickle a whole module. This runs any code that the file contains.")
    ] = False,
    suite: opt.SuiteName = "mini",
    models: opt.Models = None,
    plugin: opt.Plugins = None,
    device: opt.Device = "auto",
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Print P(fake) of your own images and a verdict, by detectors that `run` has trained or by authors' checkpoints.

    Images between the ends of the threshold's 95 % interval are `inconclusive`. With labels, metrics and the worst
    mistakes are printed.
    """
    progress = new_progress()
    require_run()
    load_plugins(plugin or (), progress)
    _check(out, fpr)
    user_files = tuple(weights or ()), tuple(artefact or ())
    options = ScoreOptions(suite, models, device, store, tuple(checkpoint or ()), *user_files, trust_pickle)
    inputs = inputs_of.read(images, progress)
    photographs = inputs_of.read([calibrate], progress).paths if calibrate else ()
    requests = check_scores(methods, inputs, (train, protocol, seed), options, progress)
    from bench.predict import several, sheet, summary

    judging = several.Judging(photographs, fpr, results or Path("results") / "runs" / suite)
    kept = several.Kept(out and out.with_name(f".{out.name}.scored.jsonl"))
    digest = several.Digest(several.score(requests, inputs, judging, kept, progress), None if out is None else _SHOWN)
    if out is None:
        deque(digest, maxlen=0)
    else:
        sheet.write(out, digest, lambda: summary.measured(digest.labelled, fpr))
        kept.remove()
    show_scores.scores(digest, summary.measured(digest.labelled, fpr), summary.worst(digest.labelled), out, as_json)
    if digest.failed:
        raise typer.Exit(1)


def _check(out: Path | None, fpr: float) -> None:
    """Raise UserError for a false positive rate or a file that cannot be used."""
    from bench.predict.sheet import check_form

    if not 0 < fpr < 1:
        raise UserError(f"--fpr is {fpr:g}.", "It is a share of photographs.", "Use a number between 0 and 1: 0.05.")
    check_form(out)
    if out is not None:
        check_writable("--out", out.parent)
