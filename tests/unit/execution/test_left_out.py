import pytest

from bench.detector import Example
from bench.errors import BenchError
from bench.execution.left_out import LeftOut
from bench.execution.toy import Subject, toy_references
from bench.models.zoo import Zoo
from bench.suites import suite as suites


@pytest.mark.parametrize("paired", [True, False])
def test_pairs_have_both_labels(paired, tmp_path, monkeypatch):
    """A view of a photograph and its twin trains on both classes, though the image in the dataset has one label."""
    method = Subject("drct", suites.load("mini"), Zoo("mini"), tmp_path).instance()
    monkeypatch.setattr(type(method), "examples", lambda self: (Example(of=(0,), label=0, paired=paired),))
    refs = toy_references(method, 0, 8, "train")
    assert {ref.item.label for ref in refs} == {0}
    if paired:
        LeftOut().check(refs, (), had_val=False)
    else:
        with pytest.raises(BenchError, match="A class has no image to train on"):
            LeftOut().check(refs, (), had_val=False)
