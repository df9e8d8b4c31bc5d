"""Options that several verbs share, declared once together with their help texts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

_WHAT, _WITH, _HOW, _WHERE = "What is measured", "Models and data", "Execution", "Files and output"

SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        help="Suite: sizes and the parameters of every method, by name (bench/suites) or as a `.toml` file.",
        rich_help_panel=_WHAT,
    ),
]
Models = Annotated[
    str | None,
    typer.Option(
        help="Pretrained weights: `mini`, `hub`, or a folder with one sub-folder per role. Default: the suite's.",
        rich_help_panel=_WITH,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="`ROLE=FOLDER` or `ROLE=FILE`: your own copy of one model, used instead of that of `--models` (roles: "
        "`list models`). Can be repeated.",
        rich_help_panel=_WITH,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(help="A folder in GenImage's layout, used instead of the suite's images.", rich_help_panel=_WITH),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        help="A Python file that defines `METHOD`, `ENGINE` or `DATASET`, or a folder of such files. Can be repeated.",
        rich_help_panel=_WITH,
    ),
]
Device = Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.", rich_help_panel=_HOW)]
Precision = Annotated[
    str,
    typer.Option(
        help="`fp32`, `tf32`, `bf16` or `fp16`: of matrix products and convolutions; part of every key. "
        "`auto`: fp32 on a CPU, bf16 on a GPU.",
        rich_help_panel=_HOW,
    ),
]
Deterministic = Annotated[
    bool | None,
    typer.Option(
        "--deterministic/--no-deterministic",
        help="Batches of one size, so that a result is the same to the last bit whatever else is computed; "
        "with `auto`, fp32. Default: on a CPU only.",
        rich_help_panel=_HOW,
    ),
]
StoreDir = Annotated[
    Path,
    typer.Option("--store", help="Folder of artefacts and checkpoints, shared by all runs.", rich_help_panel=_WHERE),
]
ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="Folder to which scores, rows and tables are written. Default: `results/runs/SUITE`.",
        rich_help_panel=_WHERE,
    ),
]
ResultsToRead = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="The results folder to read. Default: `results/runs/SUITE`.",
        rich_help_panel=_WHERE,
    ),
]
SuiteToVerify = Annotated[
    str | None,
    typer.Option("--suite", help="Verify `results/runs/SUITE`.", rich_help_panel=_WHAT),
]
ResultsToVerify = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="The results folder to verify. Default: every folder under `results/board`.",
        rich_help_panel=_WHERE,
    ),
]
ImagesOfPage = Annotated[
    list[str] | None,
    typer.Option(
        "--embed-images",
        help="A folder with the tested images, `DIR` of the run's `--data DIR`, or `mini`: the page shows small copies "
        "of them. Otherwise it names their files. Can be repeated.",
        rich_help_panel=_WHERE,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print only one JSON document to standard output.", rich_help_panel=_WHERE),
]
ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="`I/N`: only part I of N of the work, on the first to the Nth of several machines that share a store.",
        rich_help_panel=_HOW,
    ),
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METHOD=FILE",
        help="Measure a detector with its authors' weights, without training: `univfd=fc_weights.pth`. Implies its "
        "paper's parameters and, unless named, `--models hub`. Repeatable. `--methods` may name others to train.",
        rich_help_panel=_WHAT,
    ),
]
Perturb = Annotated[
    str | None,
    typer.Option(
        help="Also test after perturbations of both classes, comma-separated: `jpeg75`, `webp50`, `blur1`, "
        "`noise5`, `resize50`, `crop80`, `screenshot80`; or chains, `web` (768 px, JPEG 60), `hard` (512 px, "
        "JPEG 40), `shared` (both). Default: the suite's.",
        rich_help_panel=_WHAT,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.", rich_help_panel=_HOW)]
Mistakes = Annotated[
    int | None,
    typer.Option(
        help="Show on the page, for the N worst mistakes of each detector on each test set, what its engines made of "
        "the image: captions, reconstructions, errors. Small copies of these images lie in the results folder then. "
        "Default: 1 of the embedded images, none of your own.",
        show_default=False,
        min=0,
        rich_help_panel=_WHERE,
    ),
]
Figures = Annotated[
    bool,
    typer.Option(help="Draw figures: a few seconds. `report` draws them later.", rich_help_panel=_WHERE),
]
Artefacts = Annotated[
    list[str] | None,
    typer.Option(
        help="`NAME=FOLDER` or `NAME=FILE.json`: ready-made artefacts by file stem (names: `list methods --json`).",
        rich_help_panel=_WITH,
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """The options of ``run``, ``plan`` and ``prepare``."""

    methods: Annotated[
        str,
        typer.Option(
            help="Comma-separated methods, `dire,gramnet`; a variant is `name[variant]`; or `all`; or `none`, for "
            "probes alone.",
            rich_help_panel=_WHAT,
        ),
    ] = "all"
    train: Annotated[
        str | None,
        typer.Option(
            help="Training generators: `a,b` for one fit each, `a+b` for a joint fit, `shared:a+b` for one with the "
            "photographs of a alone, or `all`; `attribute:a` separates a's images from those of the other generators. "
            "Default: the suite's, `sdv14`.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    test: Annotated[
        str, typer.Option(help="Test sets: `all`, `genimage`, or `genimage:adm,biggan`.", rich_help_panel=_WHAT)
    ] = "all"
    null: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Photographs in both classes instead of a generator: `framing`, `codec`, `jpeg_fakes`, `history`, "
            "`border` or `same`. Made from the photographs below `--data`, else from the embedded ones. What a "
            "detector finds then is a property of the dataset.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    suite: SuiteName = "mini"
    checkpoint: Checkpoints = None
    protocols: Annotated[
        str | None,
        typer.Option(
            help="`raw`: files as they are; `aligned`: both classes have one size and codec. Raw fits are tested under "
            "every protocol. Default: the suite's.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    perturb: Perturb = None
    seeds: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated seeds of initial weights, order and augmentation. Default: the suite's.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    probes: Annotated[
        bool | None,
        typer.Option(
            help="Also measure the suite's probes (LPIPS Δ). Default: with `--methods all` or `none`.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    limit_train: Annotated[
        int | None,
        typer.Option(
            help="Training images per class and subset; smaller samples are part of larger ones. Default: the suite's.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    limit_test: Annotated[
        int | None,
        typer.Option(help="Test images per class and subset. Default: the suite's.", rich_help_panel=_WHAT),
    ] = None
    models: Models = None
    weights: Weights = None
    data: Data = None
    plugin: Plugins = None
    device: Device = "auto"
    precision: Precision = "auto"
    deterministic: Deterministic = None
    micro_batch: Annotated[
        int,
        typer.Option(
            help="Compute the gradient of at most N images at once; the batch of the method's recipe is kept. Needs "
            "less memory; part of a fit's key. Default: 0, whole batches.",
            show_default=False,
            rich_help_panel=_HOW,
        ),
    ] = 0
    devices_per_fit: Annotated[
        int,
        typer.Option(
            help="Number of this machine's GPUs that train one fit together, each its share of every batch; part of a "
            "fit's key. On a CPU: processes.",
            rich_help_panel=_HOW,
        ),
    ] = 1
    processes: Annotated[
        int | None,
        typer.Option(
            help="Number of processes that compute in parallel. Default: on the CPU one per core, one thread each, as "
            "far as memory allows; on a GPU one. Several share the GPU, which small networks leave idle.",
            rich_help_panel=_HOW,
        ),
    ] = None
    executor: Annotated[
        str,
        typer.Option(
            help="`local`: processes of this machine; `ray`: actors on a Ray cluster (needs the extra `ray`).",
            rich_help_panel=_HOW,
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        typer.Option(help="The cluster's address, or `auto`. Default: this machine's cores.", rich_help_panel=_HOW),
    ] = None
    store: StoreDir = Path("store")
    results: ResultsDir = None


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
