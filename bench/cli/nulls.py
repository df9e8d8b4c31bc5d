"""``--null``: a dataset of photographs in both classes, made for a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.cli.listed_data import is_listed
from bench.cli.run_options import RunOptions
from bench.data import nulls
from bench.data.files import list_images
from bench.errors import UserError
from bench.miniature.unpack import unpack
from bench.models.embedded import build_atomically
from bench.planning.sources import TRAIN_DATASET
from bench.progress import Progress
from bench.suites.suite import Suite

#: The folders of photographs in the layouts of GenImage and ForenSynths.
_REALS = ("nature", "0_real")
#: With fewer photographs a null says nothing.
_FEWEST = 80


def _photographs(options: RunOptions, suite: Suite, progress: Progress) -> list[Path]:
    """The photographs below ``--data``, or the embedded ones; counts what is not used.

    Of a dataset with folders of both classes these are the reals.
    """
    data = options.data or suite.data
    root = unpack(options.store, progress) / TRAIN_DATASET if data == "mini" else Path(data)
    reals = sorted(folder for name in _REALS for folder in root.rglob(name))
    found = [path for folder in reals or [root] if folder.is_dir() for path in list_images(folder).files]
    usable = nulls.usable(found)
    if len(usable) < _FEWEST:
        raise UserError(
            f"--null needs at least {_FEWEST} photographs of nearly one size.",
            f"{root} has {len(found)} images, {len(usable)} of them of nearly one size.",
            "Name a folder of photographs with --data.",
        )
    progress.note(f"null generator: {len(usable)} of {len(found)} photographs in {root} have nearly one size")
    return usable


def with_null(options: RunOptions, suite: Suite, progress: Progress) -> RunOptions:
    """The options with the data, training source and tests of ``--null``; as they are without it."""
    if options.null is None:
        return options
    nulls.check_kind(options.null)
    if is_listed(options.data):
        raise UserError(
            "--null is made from a folder of photographs.",
            f"--data is {options.data}.",
            "Name the folder that the photographs are in.",
        )
    if options.train is not None or options.test != "all":
        raise UserError(
            "--null cannot be combined with --train or --test.",
            "It trains and tests on the null alone.",
            "Leave them out.",
        )
    photographs = _photographs(options, suite, progress)
    home = options.store / "nulls" / nulls.key_of(options.null, photographs)

    def fill(partial: Path) -> None:
        for reason, count in nulls.make(str(options.null), photographs, partial, progress).items():
            progress.warn(f"{count} photographs could not be used: {reason}")

    name = nulls.subset_of(options.null)
    return replace(
        options,
        data=str(build_atomically(home, fill)),
        train=name,
        test=f"{TRAIN_DATASET}:{name}",
        results=options.results or Path("results") / "runs" / f"{suite.name}-null-{options.null}",
    )
