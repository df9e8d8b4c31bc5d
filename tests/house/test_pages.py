"""Pages that a command writes are what it would write now."""

from tools.methods_page import PAGE, render


def test_the_page_of_methods_is_current():
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m tools.methods_page"
