"""Models at their real sizes with random weights: `make test-slow`."""

import pytest

from tools.full_size import FullSize


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """A folder of models that are made when a test first asks for their role."""
    return FullSize(tmp_path_factory.mktemp("models"))
