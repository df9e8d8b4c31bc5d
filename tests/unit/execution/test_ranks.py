"""One fit by two processes: the fit of one process, and whatever one of them raises."""

import os
import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch.distributed as dist

from bench.errors import BenchError
from bench.execution import ranks
from bench.execution.session import Place, Session
from bench.execution.toy import Subject, ToyReader, predict, runtime, toy_references
from bench.models.zoo import Zoo
from bench.progress import Progress
from bench.suites import suite as suites
from bench.training import network
from bench.training.faults import BadImages


class GapReader(ToyReader):
    """Cannot read one of the images."""

    def source(self, item):
        if item.path.name == "7-1.png":
            raise ValueError("not there")
        return super().source(item)


class DeadlyReader(ToyReader):
    """Kills the second process."""

    def source(self, item):
        if dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().source(item)


class ToySession(Session):
    kind = ToyReader

    @property
    def reader(self):
        return self.kind()


@dataclass(frozen=True)
class ToyPlace(Place):
    """Its sessions read from the toy world."""

    kind: type = ToyReader

    def session(self, progress):
        session = ToySession(**vars(super().session(progress)))
        session.kind = self.kind
        return session


class Told(Progress):
    def __init__(self):
        self.begun = []

    def begin(self, title, total):
        self.begun.append((title, total))
        return super().begin(title, total)


@pytest.fixture
def subject(tmp_path):
    return Subject("conv_b", suites.load("mini"), Zoo("mini"), tmp_path)


def prepared(subject, folder, kind=ToyReader):
    method = subject.detector(epochs=2, batch_size=8)
    refs, val = toy_references(method, 0, 24, "train"), toy_references(method, 500, 5, "test")
    there = ToyPlace(Zoo("mini"), folder / "store", folder / "results", "cpu", kind=kind)
    session = there.session(Told())
    share = ranks.Share(
        there, method, subject.weights(method), 3, folder / "fit", "digest", refs, val, "conv_b", {"recipe": {"a": "b"}}
    )
    return method, share, session


def test_two_processes_make_the_fit_of_one(subject, tmp_path):
    method, share, session = prepared(subject, tmp_path)
    record = ranks.train(share, session, 2)
    fit = network.Training(method, share.weights, 3, tmp_path / "alone", runtime())
    fit.run(share.train, share.val)
    assert record == fit.record()
    assert session.meter.forwards == fit.runtime.meter.forwards + 2 * (64 - 32)  # Each fills up its own batch of five.
    assert session.progress.begun == [("epochs of conv_b", 2)]
    model = network.load_model(method, share.weights, share.folder, "cpu")
    refs = toy_references(method, 900, 40, "test")
    alone, both = predict(method, fit.model, refs), predict(method, model, refs)
    assert 0 < np.abs(alone - both).max() < 1e-2 * np.abs(alone).max()


def test_an_image_that_cannot_be_read_is_named_as_by_one_process(subject, tmp_path):
    _, share, session = prepared(subject, tmp_path, GapReader)
    with pytest.raises(BadImages) as caught:
        ranks.train(share, session, 2)
    assert [fault.row_id for fault in caught.value.faults] == [share.train[7].item.row_id]


def test_a_process_that_dies_is_told_and_the_fit_continues(subject, tmp_path):
    _, share, session = prepared(subject, tmp_path, DeadlyReader)
    with pytest.raises(BenchError) as caught:
        ranks.train(share, session, 2)
    assert "conv_b has died" in caught.value.problem
    assert "-9" in caught.value.context
    sound = replace(share, place=replace(share.place, kind=ToyReader))
    assert ranks.train(sound, session, 2)["epochs"] == 2
