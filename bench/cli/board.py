"""The verb ``board add``: results of others join a board."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import inspect, show
from bench.cli import options as opt
from bench.errors import UserError
from bench.results import submitted
from bench.results.folder import Results

app = typer.Typer(help="Results of others on a committed board.", no_args_is_help=True)
_BOARD = Path("results") / "board" / "mini"


@app.callback()
def group() -> None:
    """Results of others on a committed board."""


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="A results folder, as `run` leaves it.")],
    name: Annotated[str, typer.Option(help="Who submits it, as the table says it.")],
    link: Annotated[str, typer.Option(help="Where the method is described.")] = "",
    board: Annotated[Path, typer.Option(help="The board that it joins.")] = _BOARD,
    as_json: opt.Json = False,
) -> None:
    """Verify a results folder, add its detectors to a board as submitted, and print the table.

    Only numbers on the board's own test images are added. What was added under the same name before is replaced.
    """
    from bench.report.publish import digests
    from bench.report.write import write_report

    given, home = Results(folder), Results(board)
    given.read_matrix()
    home.read_matrix()
    plain = name.strip() and not any(sign in name for sign in "|[]<>`\n")
    if not plain or not (link == "" or re.fullmatch(r"https?://[^\s|<>()\[\]`]+", link)):
        raise UserError(
            f"--name {name!r} with --link {link!r} cannot stand in a table.",
            "A name is needed, without any of | [ ] < > `. A link begins with https:// and has no brackets or spaces.",
            "Give a plain name and a plain address.",
        )
    count, differences = inspect.verify(given)
    if differences:
        raise UserError(
            f"{folder} cannot be added: {len(differences)} of its numbers are not what its scores say.",
            f"The first: {differences[0]}.",
            f"`verify --results {folder}` lists all; `report --results {folder}` writes tables again.",
        )
    added = submitted.add(home, given, name.strip(), link)
    written = write_report(home, figures=False)  # They show the board's own detectors.
    if (board / "digests.json").exists():
        text = json.dumps(digests(board), indent=1, sort_keys=True) + "\n"
        (board / "digests.json").write_text(text, encoding="utf-8")
    show.added(home, added, count, written, as_json)
