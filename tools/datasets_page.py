"""Write docs/datasets.md from the datasets: ``python -m tools.datasets_page``."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from bench import discover
from bench.data.dataset import Dataset

PAGE = Path(__file__).parents[1] / "docs" / "datasets.md"
_HEAD = """# Datasets

Written by `python -m tools.datasets_page`. These datasets are read as their authors, or the people who packed them
again, have laid them out. Letter case does not matter, and neither do other folders. Training reads GenImage; all
others are tested.

    python run_bench.py --methods dire,gramnet --data DIR --test ufd,synthbuster:dalle3

`--data DIR` names one folder for all of them. The suite's datasets are looked for there, those that `--test` names, and
those that have a folder of their own, such as `DIR/synthbuster/`. In `--test all` the latter are included. The dataset
`folder` is any folder with photographs and fakes. `check --data DIR` says what was found.

A subset without photographs, because they are a download of their own, is a hole that says so. Family and release date
come from the generators' papers or releases; subsets of the training generator's family are not counted as unseen.
"""


def _section(dataset: Dataset) -> str:
    """One dataset: where it comes from, its layout and its subsets."""
    lines = [f"## {dataset.title} (`{dataset.name}`)", ""]
    if dataset.paper:
        lines += [f"{dataset.paper}. Licence: {dataset.licence}.", ""]
    lines += [f"    {dataset.layout()}", ""]
    body = [
        [f"`{s.name}`", s.title, s.family, s.released or "–", ", ".join(s.aliases), "yes" if s.averaged else "no"]
        for s in dataset.subsets
    ]
    if body:
        columns = ["subset", "column", "family", "released", "folders", "in averages"]
        lines += [tabulate(body, columns, "github", disable_numparse=True), ""]
    return "\n".join(lines)


def render() -> str:
    """The text of the page."""
    sections = (_section(discover.dataset(name)) for name in discover.datasets())
    return "\n".join([_HEAD, *sections])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
