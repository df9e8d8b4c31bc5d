"""The verb ``reproduce``: a table or figure of a paper, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli import show
from bench.cli import store as store_verbs
from bench.cli.progress import progress as new_progress
from bench.cli.run_options import RunOptions, with_run_options
from bench.cli.setup import check, plan_of
from bench.errors import UserError, unknown
from bench.planning.request import NO_METHODS
from bench.progress import Progress
from bench.report import findings, probed
from bench.report import reproduced as tables
from bench.report.board import Board
from bench.report.written import Written
from bench.results.folder import Results
from bench.suites import experiment as experiments
from bench.suites import published
from bench.suites import suite as suites
from bench.suites.probed import Probed

ALL = "all"
#: The suite with the papers' settings, models and data.
PAPER = "paper"
#: Options of ``run`` that an experiment decides.
_OWN = ("methods", "checkpoint", "train", "test", "protocols", "null", "probes")


def options_for(name: str, options: RunOptions) -> RunOptions:
    """The options of the run that an experiment needs. Raises UserError for those that it decides itself."""
    for own in _OWN:
        if getattr(options, own) != getattr(RunOptions(), own):
            raise UserError(
                f"reproduce does not take --{own}.",
                f"The experiment {name} decides it.",
                "Use `run` for a run of your own, or write a suite.",
            )
    experiment = experiments.load(name)
    changed = replace(options, suite=f"{options.suite}:{name}", probes=False)
    if isinstance(experiment, Probed):
        return replace(changed, methods=NO_METHODS, train="", test="all", probes=True)
    return replace(
        changed,
        methods=",".join(experiment.methods),
        train=",".join(experiment.trains),
        test=_tests(experiment),
    )


def _tests(experiment: experiments.Experiment) -> str:
    """``genimage`` or ``genimage:adm,glide``; several datasets are tested as a whole, and none for attribution."""
    if len(experiment.tests) != 1:
        return "all"
    ((dataset, subsets),) = experiment.tests.items()
    return f"{dataset}:{','.join(subsets)}" if subsets else dataset


def chosen(name: str) -> list[str]:
    """The experiments that a name, several names with commas, or ``all`` stand for."""
    names = experiments.names() if name == ALL else [experiments.load(one.strip()).name for one in name.split(",")]
    return list(dict.fromkeys(names))


def written(name: str, options: RunOptions, results: Results) -> Written:
    """Write the page of an experiment that has been run, with its tables and figures."""
    experiment = experiments.load(name)
    if isinstance(experiment, Probed):
        return probed.write(experiment, results)
    board = Board(results)
    limited = options.limit_train is not None or options.limit_test is not None
    # Limits that the experiment itself sets in this suite are the paper's.
    comparable = options.suite == f"{PAPER}:{name}" and options.models in (None, "hub") and not limited
    made = [tables.reproduced(board, experiment, protocol, comparable) for protocol in experiment.protocols]
    return tables.write(made, results, board.cards)


def listed(base: str) -> list[dict[str, object]]:
    """A line per experiment: what it is and what it needs."""
    lines: list[dict[str, object]] = []
    for name in experiments.names():
        experiment = experiments.load(name)
        suite = suites.load(f"{base}:{name}")
        printed = len(published.values(experiment.paper, experiment.table))
        lines.append(
            {
                "name": name,
                "title": experiment.title,
                "methods": len(experiment.methods),
                "fits": len(experiment.methods) * len(experiment.trains) * len(experiment.protocols) * len(suite.seeds),
                "cells": 0 if isinstance(experiment, Probed) else len(experiment.cells),
                "probes": len(experiment.measured) if isinstance(experiment, Probed) else 0,
                "published": printed,
            }
        )
    return lines


def costs(names: Sequence[str], options: RunOptions) -> list[dict[str, object]]:
    """What each experiment still needs, from its plan: fits, network evaluations, MiB of artefacts, minutes.

    What two of them share counts for both.
    """
    lines: list[dict[str, object]] = []
    progress = new_progress()
    with progress.stage("experiments planned", len(names)) as stage:
        for name in names:
            lines.append({"name": name, **_cost(_own(name, options, len(names) > 1))})
            progress.advance(stage)
    return lines


def _cost(own: RunOptions) -> dict[str, object]:
    """What one experiment still needs; or, for want of data or models, why it cannot be planned."""
    try:
        prepared = check(own, Progress())
        cost = show.cost_of(plan_of(prepared, own, Progress()), prepared)
    except UserError as error:
        return {**dict.fromkeys(("fits", "forwards", "MiB", "minutes")), "reason": error.problem}
    fits = sum(not fit["done"] for fit in cost["fits"])
    needs = {"fits": fits, "forwards": cost["forwards"], "MiB": round(cost["bytes"] / 2**20, 1)}
    return {**needs, "minutes": round(cost["seconds"] / 60, 1), "reason": ""}


def _own(name: str, options: RunOptions, several: bool) -> RunOptions:
    """The options of one experiment; of several, each has a results folder of its own."""
    own = options_for(name, options)
    return replace(own, results=options.results / name) if several and options.results is not None else own


@with_run_options
def reproduce(
    options: RunOptions,
    name: Annotated[
        str, typer.Argument(help="An experiment (`list experiments`), several with commas, or `all`.")
    ] = "",
    only_list: Annotated[bool, typer.Option("--list", help="Print what it needs and costs, and run nothing.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Run what a table or figure of a paper needs, and print what was measured beside what is published.

    `--suite mini` shows what the miniature has of it; `--suite paper --data DIR` measures the paper's own numbers.
    Several experiments also say which of the papers' claims they show. `--list` alone is `all --list`.
    """
    if not name and not only_list:
        raise unknown("experiment", name, [*experiments.names(), ALL], fix="`reproduce --list` says what each costs.")
    names = chosen(name or ALL)
    if only_list:
        show.names("experiments", costs(names, options), as_json)
        return
    failed: dict[str, str] = {}
    made, sources = [], {}
    for experiment in names:
        own = _own(experiment, options, len(names) > 1)
        sources[experiment], failures = _run(own)
        failed |= failures
        made.append(written(experiment, own, sources[experiment]))
    told = findings.write(sources, sources[names[0]].root.parent) if len(names) > 1 else None
    made += [told] if told else []
    show.reproduced(made, as_json)
    if not as_json:
        show.folders([results.root / "reproduced" for results in sources.values()])
    show.exit_if_failed(failed)


def _run(options: RunOptions) -> tuple[Results, dict[str, str]]:
    """Run an experiment's part of the matrix, or its probes; returns its folder, and why units failed."""
    started, progress = datetime.now(UTC), new_progress()
    prepared = check(options, progress)
    plan = plan_of(prepared, options, progress)
    store_verbs.warn_of_disk(plan, prepared.store, progress)
    from bench.execution import execute
    from bench.execution.session import open_session
    from bench.report.write import write_report

    session = open_session(prepared.zoo, prepared.store, prepared.results, options.device, progress)
    execute.carry_out(plan, prepared.request, session, started, prepared.processes, prepared.cluster)
    write_report(prepared.results)
    return prepared.results, dict(session.failed)
