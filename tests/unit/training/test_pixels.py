"""Images kept in memory: read once per fit, the same bits, within the memory they may take."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import device as devices
from bench.execution.toy import Subject, ToyReader, runtime, toy_references
from bench.models.zoo import Zoo
from bench.suites import suite as suites
from bench.training import loader, network
from bench.training.pixels import Pixels, remembering

READS = multiprocessing.get_context("fork").Value("i", 0)


class Counting(ToyReader):
    """Counts what is read, in whatever process."""

    def source(self, item):
        with READS.get_lock():
            READS.value += 1
        return super().source(item)


@pytest.fixture
def subject(tmp_path):
    READS.value = 0
    return Subject("dire", suites.load("mini"), Zoo("mini"), tmp_path)


def test_an_image_is_kept_as_it_is_until_there_is_no_room():
    rng = np.random.default_rng(0)
    images = {("", str(n)): rng.integers(0, 256, (30, 41 + n, 3), dtype=np.uint8) for n in range(4)}
    kept = Pixels(list(images), 4096 * 3)
    for key, rgb in images.items():
        kept.put(key, rgb)
    found = {key: kept.get(key) for key in images}
    assert [found[key] is not None for key in images] == [True, True, True, False]
    assert all((found[key] == images[key]).all() for key in images if found[key] is not None)
    found["", "0"][:] = 0
    assert (kept.get(("", "0")) == images["", "0"]).all()
    kept.put(("", "stranger"), images["", "0"])
    assert kept.get(("", "stranger")) is None


def test_nothing_more_is_kept_on_a_machine_that_runs_out_of_memory(monkeypatch):
    keys = [("", str(n)) for n in range(200)]
    kept, rgb = Pixels(keys, 10**6, least=1000), np.zeros((2, 2, 3), np.uint8)
    monkeypatch.setattr(devices, "memory", lambda: 999)
    for key in keys:
        kept.put(key, rgb)
    assert [kept.get(key) is not None for key in keys] == [True] * 63 + [False] * 137


@pytest.mark.parametrize("value", ["a red disc", np.zeros((4, 8, 8), np.float32), np.zeros((8, 8, 3), np.float32)])
def test_what_is_not_an_image_is_read_again(subject, value):
    class Others(ToyReader):
        def artefact(self, recipe, item):
            return value

    (ref,) = toy_references(subject.detector(), 0, 1, "train")
    recipe = ref.needs["reconstruction"]
    reader = remembering(Others(), [ref], "cpu")
    assert reader.artefact(recipe, ref.item) is reader.artefact(recipe, ref.item) is value


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fit_reads_every_image_once_and_is_the_fit_of_one_that_reads_it_every_epoch(subject, workers, monkeypatch):
    method = subject.detector(epochs=3)
    refs, val = toy_references(method, 0, 24, "train"), toy_references(method, 500, 4, "test")
    monkeypatch.setattr(loader, "_VIEWS_PER_WORKER", 1)
    states, reads = [], []
    for keeps in (True, False):
        if not keeps:
            monkeypatch.setattr(network, "remembering", lambda reader, refs, device: reader)
        how = replace(runtime(Counting()), workers=workers)
        fit = network.Training(method, subject.weights(method), 3, subject.folder / str(keeps), how)
        before = READS.value
        fit.run(refs, val)
        reads.append(READS.value - before)
        states.append(fit.model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    validations = 3 * 2 * 4  # Pixels, and the artefact that the toy world makes of them.
    assert reads[1] - reads[0] == 2 * 2 * 24
    assert reads[0] >= 2 * 24 + validations


def test_memory_is_shared_with_a_process_that_is_forked_later(subject):
    refs = toy_references(subject.detector(), 0, 2, "train")
    reader = remembering(Counting(), refs, "cpu")
    child = multiprocessing.get_context("fork").Process(target=reader.source, args=(refs[0].item,))
    child.start()
    child.join()
    assert READS.value == 1
    assert (reader.source(refs[0].item) == ToyReader().source(refs[0].item)).all()
    assert READS.value == 1
