"""Pages that a command writes are what it would write now."""

import pytest

from tools import licences_page, methods_page, published_page


@pytest.mark.parametrize("page", [methods_page, licences_page, published_page], ids=lambda page: page.__name__)
def test_a_generated_page_is_current(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), f"run python -m {page.__name__}"
