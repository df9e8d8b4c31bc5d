"""Gradients in parts: the step of the whole batch, whatever fits into memory."""

from dataclasses import replace

import pytest
import torch

from bench.errors import BenchError
from bench.execution.toy import Subject, runtime, toy_references
from bench.models.zoo import Zoo
from bench.progress import Progress
from bench.suites import suite as suites
from bench.training import network
from bench.training.loader import Views, batches


class Told(Progress):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


class Short:
    """A fit of a method without batch norm, whose gradient does not fit into memory for more than ``most`` images."""

    def __init__(self, folder, most=1000, **changes):
        self.method = Subject("conv_b", suites.load("mini"), Zoo("mini"), folder).detector(epochs=1, batch_size=16)
        self.fit = network.Training(self.method, {}, 3, folder, replace(runtime(), progress=Told(), **changes))
        self.sizes, loss_of = [], self.fit.step._loss.forward

        def loss(batch):
            self.sizes.append(len(batch["label"]))
            if self.sizes[-1] > most:
                raise torch.OutOfMemoryError("injected")
            return loss_of(batch)

        self.fit.step._loss.forward = loss

    def gradients(self):
        """The gradients that one step of 16 images takes."""
        views = Views(self.method, toy_references(self.method, 0, 16, "train"), self.fit.runtime.reader, "test")
        (batch,) = batches(views, range(16), 16, self.fit.runtime)
        self.fit.step.take(batch, 16)
        return torch.cat([p.grad.flatten() for p in self.fit.model.parameters() if p.grad is not None])


def test_a_batch_in_parts_has_the_gradient_of_the_whole(tmp_path):
    whole, parts = Short(tmp_path), Short(tmp_path, micro_batch=6)
    expected = whole.gradients()
    assert float(expected.abs().max()) > 0.01
    torch.testing.assert_close(parts.gradients(), expected, rtol=1e-3, atol=1e-5)
    assert (whole.sizes, parts.sizes) == ([16], [6, 5, 5])


def test_a_batch_that_does_not_fit_is_halved_and_told(tmp_path):
    short = Short(tmp_path, most=5, exact=False)
    torch.testing.assert_close(short.gradients(), Short(tmp_path).gradients(), rtol=1e-3, atol=1e-5)
    assert short.sizes == [16, 8, 4, 4, 4, 4]
    short.fit.run(toy_references(short.method, 0, 16, "train"), toy_references(short.method, 500, 4, "test"))
    assert short.sizes[6:] == [4, 4, 4, 4]
    assert short.fit.record()["micro_batch"] == 4
    warnings = short.fit.runtime.progress.warnings
    assert [w.split("computed of ")[1] for w in warnings] == ["8 images at a time", "4 images at a time"]


@pytest.mark.parametrize("changes", [{"exact": True}, {"exact": False}])
def test_what_cannot_be_computed_is_told_with_what_to_do(tmp_path, changes):
    with pytest.raises(BenchError) as caught:
        Short(tmp_path, most=0, **changes).gradients()
    assert "--micro-batch" in caught.value.fix
    assert "injected" in caught.value.context


def test_another_error_is_not_taken_for_a_lack_of_memory(tmp_path):
    fit = Short(tmp_path, exact=False).fit
    fit.step._loss.forward = lambda batch: torch.zeros(2) @ torch.zeros(3)
    with pytest.raises(RuntimeError, match="size"):
        fit.step.take({"label": torch.zeros(2)}, 2)
