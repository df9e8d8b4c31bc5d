"""Pages that a command writes are what it would write now."""

import pytest

from bench.report import effects
from bench.results.frames import read_csv, to_csv
from bench.suites import effects as claims
from tools import datasets_page, findings_page, licences_page, methods_page, published_page

PAGES = [datasets_page, methods_page, licences_page, published_page, findings_page]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_generated_page_is_current(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), f"run python -m {page.__name__}"


def test_findings_of_the_boards_are_what_their_scores_say():
    known, boards = claims.load(), findings_page.boards()
    kept = read_csv(findings_page.NUMBERS, effects.COLUMNS)
    kept = kept[kept["source"].isin(boards)]
    assert len(kept)
    assert to_csv(effects.measured(known, boards)) == to_csv(kept)


def test_every_verdict_of_the_findings_has_a_reason():
    known = claims.load()
    reached = read_csv(findings_page.NUMBERS, effects.COLUMNS)[["effect", "verdict"]].drop_duplicates()
    missing = [(e, v) for e, v in reached.itertuples(index=False) if v and v not in known[e].because]
    assert not missing
