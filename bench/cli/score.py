"""The verb ``score``: a person's own images."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
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
from bench.predict import sheet, summary
from bench.predict.inputs import Inputs
from bench.predict.options import ScoreOptions, ScoreRequest, check_scores
from bench.progress import Progress

_JUDGE = "From scores to verdicts"
#: Images that are printed beside a file of all.
_SHOWN = 20

Methods = Annotated[
    str,
    typer.Argument(
        metavar="METHOD[,METHOD]",
        help="Methods or `name[variant]`, comma-separated, fitted by `run` or given by `--checkpoint`.",
    ),
]
Images = Annotated[
    list[str],
    typer.Argument(
        help="Image files, folders, patterns in quotes (`'photos/**/*.jpg'`), or a CSV file with a column `path` and "
        "perhaps `label`."
    ),
]
Train = Annotated[str, typer.Option(help="The training generator of the fits.")]
TrainProtocol = Annotated[str, typer.Option(help="The protocol that the fits were trained under.")]
Seed = Annotated[int, typer.Option(help="The seed of the fits.")]
Checkpoint = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[METHOD=]FILE",
        help="An official checkpoint, used instead of a fit. Implies the paper's parameters and `--models hub`. "
        "Repeatable.",
    ),
]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        help="A folder of your own photographs: the threshold is where at most a share `--fpr` of them lies above. "
        "Their scores are kept. Default: the threshold from the fit's validation images, if a run has left it in "
        "`--results`, else P(fake) = 0.5.",
        rich_help_panel=_JUDGE,
    ),
]
FalsePositives = Annotated[
    float, typer.Option(help="The share of photographs that may be called fake.", rich_help_panel=_JUDGE)
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write all to `FILE.csv`, `FILE.json` or `FILE.html` (a page with small copies of the images). An "
        "interrupted command goes on where it was if it is run again.",
        rich_help_panel=opt.WHERE,
    ),
]
TrustPickle = Annotated[
    bool, typer.Option("--trust-pickle", help="Unpickle a whole module. This runs any code that the file contains.")
]


@dataclass(frozen=True)
class _Told:
    """What is wanted of the scores: a false positive rate, a file of all, or one JSON document."""

    fpr: float
    out: Path | None
    as_json: bool


def score(
    methods: Methods,
    images: Images,
    train: Train = "sdv14",
    protocol: TrainProtocol = "aligned",
    seed: Seed = 0,
    checkpoint: Checkpoint = None,
    calibrate: Calibrate = None,
    fpr: FalsePositives = 0.05,
    results: opt.ResultsToRead = None,
    out: Out = None,
    weights: opt.Weights = None,
    artefact: opt.Artefacts = None,
    trust_pickle: TrustPickle = False,
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
    photographs = inputs_of.photographs(calibrate, progress) if calibrate else ()
    requests = check_scores(methods, inputs, (train, protocol, seed), options, progress)
    home = results or Path("results") / "runs" / suite
    _judge(requests, inputs, (photographs, home), _Told(fpr, out, as_json), progress)


def _judge(
    requests: list[ScoreRequest],
    inputs: Inputs,
    places: tuple[tuple[Path, ...], Path],
    told: _Told,
    progress: Progress,
) -> None:
    """Score, write and print; exits with 1 if an image has no score."""
    from bench.predict import several

    photographs, home = places
    judging = several.Judging(photographs, told.fpr, home)
    kept = several.Kept(told.out and told.out.with_name(f".{told.out.name}.scored.jsonl"))
    lines = several.score(requests, inputs, judging, kept, progress)
    digest = several.Digest(lines, None if told.out is None else _SHOWN)
    if told.out is None:
        deque(digest, maxlen=0)
    else:
        sheet.write(told.out, digest, lambda: summary.measured(digest.labelled, told.fpr))
        kept.remove()
    measured, worst = summary.measured(digest.labelled, told.fpr), summary.worst(digest.labelled)
    show_scores.scores(digest, measured, worst, told.out, told.as_json)
    if digest.failed:
        raise typer.Exit(1)


def _check(out: Path | None, fpr: float) -> None:
    """Raise UserError for a false positive rate or a file that cannot be used."""
    if not 0 < fpr < 1:
        raise UserError(f"--fpr is {fpr:g}.", "It is a share of photographs.", "Use a number between 0 and 1: 0.05.")
    sheet.check_form(out)
    if out is not None:
        check_writable("--out", out.parent)
