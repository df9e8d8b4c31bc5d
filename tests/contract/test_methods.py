"""What every method promises; a new file in methods/ is tested the moment it exists."""

from functools import cache

import pytest

from bench import discover
from bench.detector import Detector
from bench.errors import UserError
from bench.execution import contract
from bench.execution.toy import Subject
from bench.models.zoo import Zoo
from bench.progress import Progress
from bench.suites import suite as suites

SUITE, ZOO = suites.load("mini"), Zoo("mini")
PROMISES = [
    pytest.param(name, promise, id=f"{name}-{promise.__name__}")
    for name in discover.methods()
    for promise in contract.promises(discover.method(name))
    if promise is not contract.every_variant_learns  # Below, one by one.
]
VARIANTS = [
    (name, variant)
    for name in discover.methods()
    if issubclass(discover.method(name), Detector)
    for variant in suites.variants(SUITE, name, discover.method(name))
]


@pytest.fixture(scope="session")
def subject(tmp_path_factory, worker_id):
    base = tmp_path_factory.getbasetemp()

    @cache
    def made(name):
        # A second process would train it again: the tests took twice as long before anyone noticed.
        (base if worker_id == "master" else base.parent).joinpath(f"subject-{name}").touch(exist_ok=False)
        return Subject(name, SUITE, ZOO, tmp_path_factory.mktemp(name))

    return made


@pytest.mark.parametrize(("name", "promise"), PROMISES)
def test_a_method_keeps_its_promises(name, promise, subject):
    promise(subject(name))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_learns_from_a_batch_and_scores(name, variant, subject):
    try:
        contract.variant_learns(subject(name), variant)
    except UserError as error:
        pytest.skip(f"the miniature cannot run {name}[{variant}] yet: {error.problem}")


def test_a_variant_can_be_the_subject(tmp_path):
    assert Subject("rine", SUITE, ZOO, tmp_path, "1class").instance().params.factor == 0.1
    assert Subject("rine", SUITE, ZOO, tmp_path).instance().params.factor == 0.2


class Cheat(discover.method("hf_energy")):
    """A statistic that is the same for all images."""

    def value(self, sample):
        return 1.0


def test_a_broken_promise_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(discover, "method", lambda name: Cheat)
    outcome = list(contract.check(Subject("hf_energy", SUITE, ZOO, tmp_path), Progress()))
    assert [bool(reason) for _, reason in outcome] == [False, False, False, True]
    assert outcome[-1] == (
        "Its values are of one type, and it separates the toy world.",
        "Its AUC on the toy world is 0.50, not 0.9 or more.",
    )
