"""Options that several verbs share, with the help that teaches them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Methods = Annotated[
    str, typer.Option(help="Methods, comma list: `dire,gramnet`, a variant as `name[variant]`, or `all`.")
]
Probes = Annotated[
    bool | None,
    typer.Option(
        help="Measure the suite's probes too (LPIPS Δ). Default: with `--methods all`, not with some methods."
    ),
]
Train = Annotated[
    str | None,
    typer.Option(
        help="Training generators: `a,b` one fit each, `a+b` a joint fit, `all`; `attribute:a` tells a's images from "
        "those of the other generators. Default: the suite's, `sdv14`."
    ),
]
Test = Annotated[str, typer.Option(help="Test sets: `all`, `genimage`, or `genimage:adm,biggan`.")]
SuiteName = Annotated[str, typer.Option("--suite", help="Suite: sizes and parameters of every method (bench/suites).")]
Models = Annotated[
    str | None,
    typer.Option(
        help="Pretrained weights: `mini`, `hub`, or a folder with one sub-folder a role. Default: the suite's."
    ),
]
Data = Annotated[str | None, typer.Option(help="A folder in GenImage's layout instead of the suite's images.")]
Protocols = Annotated[
    str | None,
    typer.Option(
        help="`raw`: files as they are; `aligned`: one size and codec for both classes. Raw fits are tested on all."
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(help="Seeds, comma list: initial weights, order and augmentation. Default: the suite's."),
]
LimitTrain = Annotated[
    int | None, typer.Option(help="Training images a class and subset; smaller draws nest. Default: the suite's.")
]
LimitTest = Annotated[int | None, typer.Option(help="Test images a class and subset. Default: the suite's.")]
Device = Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.")]
Processes = Annotated[
    int | None,
    typer.Option(help="How many processes compute at once on the CPU, one thread each. Default: one a core."),
]
StoreDir = Annotated[
    Path, typer.Option("--store", help="Where artefacts and checkpoints are kept; shared by all runs.")
]
ResultsDir = Annotated[
    Path | None, typer.Option("--results", help="Where scores, rows and tables go. Default: results/runs/<suite>.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="`ROLE=FOLDER|FILE`, once a role: your own copy of a model instead of `--models`' (see `list models`)."
    ),
]
Artefacts = Annotated[
    list[str] | None,
    typer.Option(
        help="`NAME=FOLDER` or `NAME=FILE.json`: ready-made artefacts by file stem (see `list methods --json`)."
    ),
]
