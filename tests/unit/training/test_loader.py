"""Batches are the same whoever loads them, and loader processes outlive an epoch."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.execution.toy import Subject, ToyReader, runtime, toy_references
from bench.models.zoo import Zoo
from bench.suites import suite as suites
from bench.training import loader as loading
from bench.training.faults import BadImages
from bench.training.loader import Loader, Views


@pytest.fixture
def method(tmp_path):
    return Subject("cnnspot", suites.load("mini"), Zoo("mini"), tmp_path).detector()


@pytest.fixture
def many(monkeypatch):
    """Few views are enough for processes that load them."""
    monkeypatch.setattr(loading, "_VIEWS_PER_WORKER", 1)


def epochs(method, workers, refs, reader=None):
    """The batches of two epochs in two orders, and the processes that were there after each."""
    here = replace(runtime(reader), workers=workers)
    loader = Loader(Views(method, refs, here.reader, "train", 5), here)
    made, processes = [], []
    for epoch in (0, 1):
        order = np.random.default_rng(epoch).permutation(len(refs)).tolist()
        made.append(list(loader.batches([order[:4], order[4:8], order[8:]], epoch)))
        workers_now = getattr(loader._loader._iterator, "_workers", [])
        processes.append([process.pid for process in workers_now])
    return made, processes


def test_batches_do_not_depend_on_who_loads_them_and_processes_stay(method, many):
    refs = toy_references(method, 0, 10, "train")
    (alone, _), (helped, processes) = epochs(method, 0, refs), epochs(method, 2, refs)
    assert [[len(batch["label"]) for batch in epoch] for epoch in alone] == [[4, 4, 2], [4, 4, 2]]
    for one, other in zip(alone, helped, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[name], b[name]) for name in a)
    assert len(processes[0]) == 2
    assert processes[0] == processes[1]


def test_few_views_are_loaded_without_further_processes(method):
    assert epochs(method, 2, toy_references(method, 0, 10, "train"))[1] == [[], []]


def test_a_view_differs_from_epoch_to_epoch(method):
    views = Views(method, toy_references(method, 0, 8, "train"), ToyReader(), "train", 5)
    first, again, later = ([views[epoch, index] for index in range(8)] for epoch in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for a, b in zip(first, again, strict=True) for name in a)
    assert any(not torch.equal(a[name], b[name]) for a, b in zip(first, later, strict=True) for name in a)


class Gap(ToyReader):
    """Cannot read three of the images."""

    def source(self, item):
        if item.path.name in ("2-0.png", "5-1.png", "8-0.png"):
            raise ValueError("not there")
        return super().source(item)


def test_every_image_that_cannot_be_used_is_found_in_one_go(method):
    refs = toy_references(method, 0, 10, "train")
    loader = Loader(Views(method, refs, Gap(), "train"), runtime(Gap()))
    with pytest.raises(BadImages) as caught:
        list(loader.batches([range(4), range(4, 8), range(8, 10)]))
    assert sorted(fault.index for fault in caught.value.faults) == [2, 5, 8]


class Gone(ToyReader):
    """One of the files is absent for the moment."""

    def source(self, item):
        if item.path.name == "2-0.png":
            raise BenchError("It is gone.", "", "") from FileNotFoundError(2, "No such file")
        return super().source(item)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_that_may_be_temporary_stays_one_on_its_way_from_another_process(method, workers, many):
    refs = toy_references(method, 0, 4, "train")
    loader = Loader(Views(method, refs, Gone(), "train"), replace(runtime(Gone()), workers=workers))
    with pytest.raises(BadImages) as caught:
        list(loader.batches([range(4)]))
    (fault,) = pickle.loads(pickle.dumps(caught.value)).faults
    assert (fault.index, fault.passing) == (2, True)
