"""Options that several verbs share, declared once together with their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: Headings of the help.
WHAT, WITH, HOW, WHERE = "What is measured", "Models and data", "Execution", "Files and output"

SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        help="Suite: sizes and the parameters of every method, by name (bench/suites) or as a `.toml` file.",
        rich_help_panel=WHAT,
    ),
]
Models = Annotated[
    str | None,
    typer.Option(
        help="Pretrained weights: `mini`, `hub`, or a folder with one sub-folder per role. Default: the suite's.",
        rich_help_panel=WITH,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="`ROLE=FOLDER` or `ROLE=FILE`: your own copy of one model, used instead of that of `--models` (roles: "
        "`list models`). Can be repeated.",
        rich_help_panel=WITH,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="Images used instead of the suite's: a folder in a dataset's layout, `FILE.csv` with the columns path and "
        "label and perhaps generator, split, class; or a dataset on the Hugging Face Hub, "
        "`hf:OWNER/NAME[:CONFIG][@REVISION]`, which is streamed into the store.",
        rich_help_panel=WITH,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="KIND=COLUMN",
        help="Which columns of `--data FILE.csv` or `hf:` are what: `image=file,label=is_fake,generator=model`; also "
        "`split` and `class`. Default: those with usual names, which are printed. `real=photo|scan,fake=gan` says what "
        "the words in the column of labels mean.",
        rich_help_panel=WITH,
    ),
]
Rows = Annotated[
    int | None,
    typer.Option(
        help="Of a dataset on the Hub: read only the first N rows of each split. Default: all; beyond the limits, rows "
        "are read but not kept.",
        show_default=False,
        min=1,
        rich_help_panel=WITH,
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        help="A Python file that defines `METHOD`, `ENGINE` or `DATASET`, or a folder of such files. Can be repeated.",
        rich_help_panel=WITH,
    ),
]
Device = Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.", rich_help_panel=HOW)]
Precision = Annotated[
    str,
    typer.Option(
        help="`fp32`, `tf32`, `bf16` or `fp16`: of matrix products and convolutions; part of every key. "
        "`auto`: fp32 on a CPU, bf16 on a GPU.",
        rich_help_panel=HOW,
    ),
]
Deterministic = Annotated[
    bool | None,
    typer.Option(
        "--deterministic/--no-deterministic",
        help="Batches of one size, so that a result is the same to the last bit whatever else is computed; "
        "with `auto`, fp32. Default: on a CPU only.",
        rich_help_panel=HOW,
    ),
]
StoreDir = Annotated[
    Path,
    typer.Option("--store", help="Folder of artefacts and checkpoints, shared by all runs.", rich_help_panel=WHERE),
]
ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="Folder to which scores, rows and tables are written. Default: `results/runs/SUITE`.",
        rich_help_panel=WHERE,
    ),
]
ResultsToRead = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="The results folder to read. Default: `results/runs/SUITE`.",
        rich_help_panel=WHERE,
    ),
]
SuiteToVerify = Annotated[
    str | None,
    typer.Option("--suite", help="Verify `results/runs/SUITE`.", rich_help_panel=WHAT),
]
ResultsToVerify = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="The results folder to verify. Default: every folder under `results/board`.",
        rich_help_panel=WHERE,
    ),
]
ImagesOfPage = Annotated[
    list[str] | None,
    typer.Option(
        "--embed-images",
        help="A folder with the tested images, `DIR` of the run's `--data DIR`, or `mini`: the page shows small copies "
        "of them. Otherwise it names their files. Can be repeated.",
        rich_help_panel=WHERE,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print only one JSON document to standard output.", rich_help_panel=WHERE),
]
ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="`I/N`: only part I of N of the work, on the first to the Nth of several machines that share a store.",
        rich_help_panel=HOW,
    ),
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METHOD=FILE",
        help="Measure a detector with its authors' weights, without training: `univfd=fc_weights.pth`, or "
        "`univfd=hub` to download them (`list released`). Implies its paper's parameters and, unless named, `--models "
        "hub`. Repeatable. `--methods` may name others to train.",
        rich_help_panel=WHAT,
    ),
]
Perturb = Annotated[
    str | None,
    typer.Option(
        help="Also test after perturbations of both classes, comma-separated: `jpeg75`, `webp50`, `blur1`, "
        "`noise5`, `resize50`, `crop80`, `screenshot80`; or chains, `web` (768 px, JPEG 60), `hard` (512 px, "
        "JPEG 40), `shared` (both). Default: the suite's.",
        rich_help_panel=WHAT,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.", rich_help_panel=HOW)]
Mistakes = Annotated[
    int | None,
    typer.Option(
        help="Show on the page, for the N worst mistakes of each detector on each test set, what its engines made of "
        "the image: captions, reconstructions, errors. Small copies of these images lie in the results folder then. "
        "Default: 1 of the embedded images, none of your own.",
        show_default=False,
        min=0,
        rich_help_panel=WHERE,
    ),
]
Figures = Annotated[
    bool,
    typer.Option(help="Draw figures: a few seconds. `report` draws them later.", rich_help_panel=WHERE),
]
Artefacts = Annotated[
    list[str] | None,
    typer.Option(
        help="`NAME=FOLDER` or `NAME=FILE.json`: ready-made artefacts by file stem (names: `list methods --json`).",
        rich_help_panel=WITH,
    ),
]
