"""The verbs of the command line."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import bench
from bench import device as devices
from bench.cli import board as board_verbs
from bench.cli import inspect, places, show
from bench.cli import options as opt
from bench.cli import store as store_verbs
from bench.cli.audit import audit
from bench.cli.external import import_scores
from bench.cli.fetch import fetch
from bench.cli.machine import machine
from bench.cli.progress import progress as new_progress
from bench.cli.reproduce import reproduce
from bench.cli.run_options import RunOptions, with_run_options
from bench.cli.score import score
from bench.cli.setup import check, keep_released, load_plugins, new_zoo, plan_of, plugin_name, require_run
from bench.data.decode import route_warnings
from bench.errors import BenchError
from bench.planning import shards
from bench.planning.matrix import detectors
from bench.planning.sources import comma_list
from bench.suites import suite as suites

#: How this command is called, in a checkout and installed.
COMMAND = "python run_bench.py" if Path(bench.__file__).parents[1].joinpath("run_bench.py").is_file() else "reconbench"
app = typer.Typer(
    help=(
        f"A leak-audited benchmark for detectors of AI-generated images.\n\n`{COMMAND} --methods all --train sdv14` "
        "plans, makes reconstructions, trains, tests and prints the tables. The default verb is `run`. Everything "
        "computed is kept: repeating a command computes nothing."
    ),
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(store_verbs.app, name="store")
app.add_typer(board_verbs.app, name="board")
for verb in (score, reproduce, import_scores, audit, fetch):
    app.command()(verb)
#: Typer's exit code after Ctrl-C.
INTERRUPTED = 130
VERBS = (
    *("run", "plan", "prepare", "reproduce", "score", "report", "verify", "compare", "check", "check-method", "list"),
    *("store", "board", "import-scores", "audit", "fetch"),
)


@app.command()
@with_run_options
def run(
    options: RunOptions,
    dry_run: opt.DryRun = False,
    shard: opt.ShardOf = None,
    figures: opt.Figures = True,
    mistakes: opt.Mistakes = None,
    as_json: opt.Json = False,
) -> None:
    """Plan, prepare, fit, score, measure and report. What is already computed is not computed again.

    With `--shard`, only part of the fits is trained and scored; run it without `--shard` at the end.
    """
    part, started, progress = None if shard is None else shards.read(shard), datetime.now(UTC), new_progress()
    prepared = check(options, progress)
    made = plan_of(prepared, options, progress)
    if part is not None:
        made = shards.part_of_fits(made, part, detectors(prepared.request), prepared.zoo.resolve)
    if dry_run:
        show.plan(made, prepared, as_json)
        return
    store_verbs.warn_of_disk(made, prepared.store, progress)
    store_verbs.warn_of_unverified(made, prepared.store, progress)
    from bench.execution import execute, illustrating
    from bench.execution.session import open_session

    session = open_session(prepared.zoo, prepared.store, prepared.results, options.device, progress)
    keep_released(prepared)
    if part is None:
        execute.carry_out(made, prepared.request, session, started, prepared.processes, prepared.cluster)
        roots = places.unpacked(prepared.request.roots.values(), prepared.store.root)
        illustrating.illustrate(made, prepared.request, session, places.mistakes(mistakes, roots))
        show.run(prepared.results, session.meter, as_json, roots, figures)
        show.exit_if_empty(made)
    else:
        execute.carry_out_part(made, prepared.request, session, prepared.processes, prepared.cluster)
        show.part(made, session.meter, as_json)
    show.exit_if_failed(session.failed)


@app.command()
@with_run_options
def plan(options: RunOptions, as_json: opt.Json = False) -> None:
    """Show cells, fits and artefacts (cached or missing) of a run, with forwards, time and disk. Computes nothing."""
    progress = new_progress()
    prepared = check(options, progress)
    show.plan(plan_of(prepared, options, progress), prepared, as_json)


@app.command()
@with_run_options
def prepare(options: RunOptions, shard: opt.ShardOf = None, as_json: opt.Json = False) -> None:
    """Make only the missing artefacts; with `--shard`, those of part of the images."""
    part = None if shard is None else shards.read(shard)
    progress = new_progress()
    prepared = check(options, progress)
    made = plan_of(prepared, options, progress)
    if part is not None:
        made = shards.part_of_images(made, part)
    store_verbs.warn_of_disk(made, prepared.store, progress)
    store_verbs.warn_of_unverified(made, prepared.store, progress)
    from bench.execution import execute
    from bench.execution.session import open_session

    session = open_session(prepared.zoo, prepared.store, prepared.results, options.device, progress)
    execute.prepare(made, session, prepared.processes, prepared.cluster)
    show.prepared(session.meter, as_json)
    show.exit_if_failed(session.failed)


@app.command()
def report(
    suite: opt.SuiteName = "mini",
    results: opt.ResultsToRead = None,
    embed_images: opt.ImagesOfPage = None,
    as_json: opt.Json = False,
) -> None:
    """Rewrite tables, figures, leaderboard and page from the results folder alone. Needs no torch."""
    from bench.report.write import write_report

    folder = inspect.results_folder(suite, results)
    roots = places.image_folders(embed_images, new_progress())
    written = write_report(folder)
    show.page(folder, roots)
    show.report(folder, written, as_json)


@app.command()
def verify(suite: opt.SuiteToVerify = None, results: opt.ResultsToVerify = None, as_json: opt.Json = False) -> None:
    """Recompute every number of a results folder from its per-image scores. If any differs, list it and exit with 1.

    Without options, every folder under results/board is verified.
    """
    folders = places.several(inspect.results_folder, suite, results) if suite or results else places.published()
    found = {folder.root: inspect.verify(folder) for folder in folders}
    show.verified(found, as_json)
    if any(differences for _, differences in found.values()):
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(help="A method or `name[variant]`, or a results folder.")],
    other: Annotated[str, typer.Argument(help="What to compare it with: another method, or another folder.")],
    suite: opt.SuiteName = "mini",
    results: opt.ResultsToRead = None,
    fail_if_worse: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if ONE is worse by more than this many points of AUC in any mean over subsets."),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(help="Also print the mean over these subsets, for example adm,glide,vqdm,biggan."),
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Compare the AUC of two methods, or of two results folders, on the same images: difference, interval, p."""
    inspect.check_points(fail_if_worse)
    compared = inspect.compare(one, other, suite, results, list(dict.fromkeys(comma_list(over or ""))))
    show.comparisons(compared, as_json)
    worse = inspect.worse(compared, fail_if_worse)
    if len(worse):
        show.worse(worse)
        raise typer.Exit(1)


@app.command("check")
def check_machine(
    suite: opt.SuiteName = "mini",
    models: opt.Models = None,
    weights: opt.Weights = None,
    data: opt.Data = None,
    columns: opt.Columns = None,
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Show what this machine has and lacks (data, weights, device, disk) and how to get what is missing."""
    require_run()
    options = RunOptions(suite=suite, models=models, weights=weights, data=data, columns=columns, store=store)
    show.machine(machine(options, new_progress()), as_json)


@app.command("check-method")
def check_method(
    method: Annotated[
        str, typer.Argument(help="A method's name, `METHOD[VARIANT]`, or a Python file that defines `METHOD`.")
    ],
    suite: opt.SuiteName = "mini",
    models: opt.Models = None,
    weights: opt.Weights = None,
    plugin: opt.Plugins = None,
    store: opt.StoreDir = Path("store"),
    as_json: opt.Json = False,
) -> None:
    """Run the contract suite on one method or plugin. If it breaks any promise, list it and exit with 1."""
    progress = new_progress()
    require_run()
    base, _, variant = method.partition("[")
    name, variant = plugin_name(base, plugin or (), progress), variant.removesuffix("]")
    loaded = suites.load(suite)
    zoo = new_zoo(weights or (), models or loaded.models, store)
    from bench.execution import contract, toy

    devices.pin()
    with tempfile.TemporaryDirectory() as folder:
        subject = toy.Subject(name, loaded, zoo, Path(folder), variant)
        outcome = list(contract.check(subject, progress))
    show.promises(subject.label, outcome, as_json)
    if any(reason for _, reason in outcome):
        raise typer.Exit(1)


@app.command("list")
def list_names(
    kind: Annotated[
        str, typer.Argument(help="methods, datasets, models, released, protocols or experiments.")
    ] = "methods",
    suite: opt.SuiteName = "mini",
    plugin: opt.Plugins = None,
    as_json: opt.Json = False,
) -> None:
    """List the names that the command line accepts."""
    load_plugins(plugin or (), new_progress())
    show.names(kind, inspect.names(kind, suite), as_json)


def main() -> None:
    """Entry point; the default verb is ``run``. A mistake of the user ends in one message and exit code 2."""
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # A file name may not be encodable in this locale.
            stream.reconfigure(errors="backslashreplace")
    route_warnings()
    if not arguments or (arguments[0] not in VERBS and arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments = ["run", *arguments]
    try:
        app(args=arguments, prog_name=COMMAND.removeprefix("python "))
    except BenchError as error:
        if "--json" in arguments:
            print(json.dumps({"error": {name: getattr(error, name) for name in ("problem", "context", "fix")}}))
        print(f"error: {str(error).replace('python run_bench.py', COMMAND)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("interrupted: everything computed is kept; run the same command to continue", file=sys.stderr)
        raise
