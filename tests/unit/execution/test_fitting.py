from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from bench.artefacts.store import Store
from bench.detector import TrainingFree
from bench.execution import fitting
from bench.execution.toy import ToyReader, toy_references
from bench.progress import Progress


@dataclass(frozen=True)
class Params:
    sign: int


class Roughness(TrainingFree):
    """Generated images of the toy world are rough."""

    Params = Params

    def value(self, sample):
        return self.params.sign * float(np.abs(np.diff(sample.rgb.astype(float), axis=0)).mean())


class Heard(Progress):
    def __init__(self):
        super().__init__()
        self.lines = []

    def warn(self, message):
        self.lines.append(message)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_direction_that_the_training_images_contradict_is_told(sign, tmp_path):
    method, progress = Roughness(Params(sign)), Heard()
    trial = SimpleNamespace(fit=SimpleNamespace(key="fit"), title="roughness on toys")
    session = SimpleNamespace(store=Store(tmp_path), reader=ToyReader(), progress=progress)
    state = fitting._learn(trial, method, toy_references(method, 0, 20, "train"), (), session)["state"]
    assert state["slope"] > 0
    told = ["roughness on toys: its scores do not rise with the fakes among the training images"]
    assert progress.lines == ([] if sign > 0 else told)
