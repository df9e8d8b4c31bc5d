"""The verb ``score``: a person's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli import show
from bench.cli.progress import progress as new_progress
from bench.cli.setup import load_plugins, require_run
from bench.predict.options import ScoreOptions, check_score


def score(
    method: Annotated[
        str, typer.Argument(help="A method or `name[variant]`, fitted by `run` or given by `--checkpoint`.")
    ],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of images.")],
    train: Annotated[str, typer.Option(help="The training generator of the fit.")] = "sdv14",
    protocol: Annotated[str, typer.Option(help="The protocol that the fit was trained under.")] = "aligned",
    seed: Annotated[int, typer.Option(help="The seed of the fit.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="An official checkpoint, used instead of a fit. Implies the paper's parameters and `--models hub`."
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
    """Print P(fake) of your own images, by a detector that `run` has trained or by its authors' checkpoint."""
    progress = new_progress()
    require_run()
    load_plugins(plugin or (), progress)
    user_files = tuple(weights or ()), tuple(artefact or ())
    options = ScoreOptions(suite, models, device, store, checkpoint, *user_files, trust_pickle)
    job = check_score(method, images, (train, protocol, seed), options, progress)
    from bench.predict import predict

    scored = predict.score_images(job, progress)
    show.scores(scored, as_json)
    if any(line["status"] != "ok" for line in scored):
        raise typer.Exit(1)
