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
`folder` is any folder with photographs and fakes.

    python run_bench.py fetch forensynths --data DIR       # size and licence first; resumed, checked, unpacked
    python run_bench.py check --data DIR                   # what was found, and how it differs from what was published

`check` counts the images of each class beside the published numbers, as far as these are known, and names files that
are broken in every copy. If a copy of GenImage has `metadata.csv` of Unbiased GenImage (doi 10.7910/DVN/AKDIHF), it is
compared with it by the names of the files.

## A table of images

`--data FILE.csv` reads images that a table lists, one line per image, wherever their files are:

    path,label,generator,split,class
    photos/1.jpg,real,flickr,test,dog
    out/flux/1.png,fake,flux_dev,test,dog

Only `path` and `label` (real or fake, 0 or 1) are needed to measure released weights (`--checkpoint`) and to audit;
what is trained needs a column `split` with train and test. Relative paths start at the file's folder. Photographs of a
source that has no fakes belong to every generator that has no photographs of its own. Rows of a split of training can
be trained on. Columns with other names are named with `--columns image=file,label=is_fake`; what is used is printed.
Labels in other words are told one by one: `--columns 'label=kind,real=photo|scan,fake=gan|diffusion'`, or for a column
in which 1 is a photograph `--columns label=is_real,real=1,fake=0`. Generators get their family by their name
(`bench/data/generators.toml`), so that `stable-diffusion-v1-5` is a relative of SD v1.4 in any dataset; a run says what
it takes for which family, and which names it does not know.

`--data hf:OWNER/NAME[:CONFIG][@REVISION]` streams a dataset from the Hugging Face Hub into the store, in any format
that the library `datasets` reads (parquet, arrow, WebDataset, image folders); `hf:FOLDER` reads a local copy. Images
keep the bytes that they have there, the revision is pinned to its commit, and an interrupted download goes on where it
was. With limits, the first images of each class and generator are kept; `--rows N` reads only the first N rows of each
split. Where one column has both label and generator, name it twice: `--columns label=model,generator=model`.

    python run_bench.py check --data hf:OWNER/NAME         # splits, columns, what they are taken for
    python run_bench.py --checkpoint univfd=fc_weights.pth --data hf:OWNER/NAME --rows 5000

In tables such images are the dataset `folder`, or `genimage` if they are trained on.

## Folders

A subset without photographs, because they are a download of their own, is a hole that says so. Family and release date
come from the generators' papers or releases; subsets of the training generator's family are not counted as unseen.
"""


def _section(dataset: Dataset) -> str:
    """One dataset: where it comes from, its layout and its subsets."""
    lines = [f"## {dataset.title} (`{dataset.name}`)", ""]
    if dataset.paper:
        lines += [f"{dataset.paper}. Licence: {dataset.licence}.", ""]
    lines += [f"    {dataset.layout()}", ""]
    if dataset.downloads:
        lines += [f"`fetch {dataset.name}` downloads it. {dataset.afterwards}".rstrip(), ""]
    elif dataset.page:
        lines += [f"Get it: {dataset.page}. {dataset.afterwards}", ""]
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
