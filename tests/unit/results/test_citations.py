"""Every paper that a card, a dataset or a model names can be cited."""

import re

import pytest

from bench import discover
from bench.models.catalogue import MODELS
from bench.results.citations import entry, render

PAPERS = {name: discover.method(name).card.paper for name in discover.methods()}
PAPERS |= {name: discover.dataset(name).paper for name in discover.datasets()}
PAPERS |= {role: model.paper for role, model in MODELS.items()}


@pytest.mark.parametrize("key", PAPERS)
def test_every_paper_has_an_entry(key):
    if not PAPERS[key] or PAPERS[key].startswith("none"):
        return
    text = entry(key, PAPERS[key])
    lines = dict(line.strip(" ,").split(" = ", 1) for line in text.splitlines()[1:-1])
    assert lines["title"].startswith("{{")
    assert "arXiv" not in lines["title"]
    assert not re.search(r", [A-Z]+ \d{4}", lines["title"]), "a venue that is not known"
    assert 1990 < int(lines["year"].strip("{}")) < 2100


def test_a_paper_may_have_one_author():
    text = entry("b", "Bammey: Synthbuster: Towards Detection, IEEE OJSP 2023")
    assert "author = {Bammey}," in text
    assert "title = {{Synthbuster: Towards Detection}}" in text


def test_an_entry_has_the_parts_of_its_paper():
    paper = "Wang et al.: DIRE for Diffusion-Generated Image Detection, ICCV 2023 (arXiv 2303.09295)"
    assert entry("dire", paper) == (
        "@inproceedings{dire,\n  author = {Wang and others},\n"
        "  title = {{DIRE for Diffusion-Generated Image Detection}},\n  year = {2023},\n"
        "  booktitle = {ICCV 2023},\n  eprint = {2303.09295},\n  archivePrefix = {arXiv}\n}\n"
    )
    sare = entry("drct_sare", "Kang et al.: SARE: Semantic-Aware Reconstruction Error, arXiv 2508.09487")
    assert sare.startswith("@misc{drct_sare,")
    assert "year = {2025}" in sare
    with pytest.raises(ValueError, match="is not 'Author et al"):
        entry("x", "a page on the web")


def test_a_paper_is_cited_once_and_a_control_not_at_all():
    text = render(PAPERS)
    assert text.count("A ConvNet for the 2020s") == 2  # Two cards, with and without its arXiv id.
    assert text.count("High-Resolution Image Synthesis") == 1
    assert "none: a control" not in text
    assert text.startswith("@software{reconbench,")
