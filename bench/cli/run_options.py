"""The options of ``run``, ``plan`` and ``prepare``, and how a verb takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from bench.cli import options as opt


@dataclass(frozen=True)
class RunOptions:
    """The options of ``run``, ``plan`` and ``prepare``."""

    methods: Annotated[
        str,
        typer.Option(
            help="Comma-separated methods, `dire,gramnet`; a variant is `name[variant]`; or `all`; or `everything`, "
            "`all` and the newer detectors beside it; or `all-released`, "
            "every detector whose released weights can be downloaded; `all,-dire` leaves one out; or `none`, for "
            "probes alone.",
            rich_help_panel=opt.WHAT,
        ),
    ] = "all"
    train: Annotated[
        str | None,
        typer.Option(
            help="Training generators: `a,b` for one fit each, `a+b` for a joint fit, `shared:a+b` for one with the "
            "photographs of a alone, or `all`; `attribute:a` separates a's images from those of the other generators. "
            "Default: the suite's, `sdv14`.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    test: Annotated[
        str, typer.Option(help="Test sets: `all`, `genimage`, or `genimage:adm,biggan`.", rich_help_panel=opt.WHAT)
    ] = "all"
    null: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Photographs in both classes instead of a generator: `framing`, `codec`, `jpeg_fakes`, `history`, "
            "`border` or `same`. Made from the photographs below `--data`, else from the embedded ones. What a "
            "detector finds then is a property of the dataset.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    suite: opt.SuiteName = "mini"
    checkpoint: opt.Checkpoints = None
    protocols: Annotated[
        str | None,
        typer.Option(
            help="`raw`: files as they are; `aligned`: both classes have one size and codec; `harmonised`: one size; "
            "`codec_match`, `codec_both`, `codec_fakes_only`: the codec alone (`list protocols`). Raw fits are tested "
            "under every protocol. Default: the suite's.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    perturb: opt.Perturb = None
    seeds: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated seeds of initial weights, order and augmentation. Default: the suite's.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    probes: Annotated[
        bool | None,
        typer.Option(
            help="Also measure the suite's probes (LPIPS Δ). Default: with `--methods all` or `none`.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    limit_train: Annotated[
        int | None,
        typer.Option(
            help="Training images per class and subset; smaller samples are part of larger ones. Default: the suite's.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None
    limit_test: Annotated[
        int | None,
        typer.Option(help="Test images per class and subset. Default: the suite's.", rich_help_panel=opt.WHAT),
    ] = None
    models: opt.Models = None
    weights: opt.Weights = None
    data: opt.Data = None
    columns: opt.Columns = None
    rows: opt.Rows = None
    plugin: opt.Plugins = None
    device: opt.Device = "auto"
    precision: opt.Precision = "auto"
    deterministic: opt.Deterministic = None
    micro_batch: Annotated[
        int,
        typer.Option(
            help="Compute the gradient of at most N images at once; the batch of the method's recipe is kept. Needs "
            "less memory; part of a fit's key. Default: 0, whole batches.",
            show_default=False,
            rich_help_panel=opt.HOW,
        ),
    ] = 0
    devices_per_fit: Annotated[
        int,
        typer.Option(
            help="Number of this machine's GPUs that train one fit together, each its share of every batch; part of a "
            "fit's key. On a CPU: processes.",
            rich_help_panel=opt.HOW,
        ),
    ] = 1
    processes: Annotated[
        int | None,
        typer.Option(
            help="Number of processes that compute in parallel. Default: on the CPU one per core, one thread each, as "
            "far as memory allows; on a GPU one. Several share the GPU, which small networks leave idle.",
            rich_help_panel=opt.HOW,
        ),
    ] = None
    executor: Annotated[
        str,
        typer.Option(
            help="`local`: processes of this machine; `ray`: actors on a Ray cluster (needs the extra `ray`).",
            rich_help_panel=opt.HOW,
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        typer.Option(help="The cluster's address, or `auto`. Default: this machine's cores.", rich_help_panel=opt.HOW),
    ] = None
    store: opt.StoreDir = Path("store")
    results: opt.ResultsDir = None


def with_run_options(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb whose first parameter is :class:`RunOptions`, as a command with one option per field."""
    hints = get_type_hints(RunOptions, include_extras=True)
    own_parameters = list(inspect.signature(verb, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(RunOptions)
    ]
    parameters = [*shared, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own_parameters)]

    @wraps(verb)
    def command(**values: Any) -> None:  # noqa: ANN401 - typer passes what the annotations say
        options = RunOptions(**{f.name: values.pop(f.name) for f in fields(RunOptions)})
        verb(options, **values)

    vars(command).pop("__wrapped__")
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
