"""A plugin for `benchmarks.ray_scaling`: an engine whose device is a clock, and a method that reads its images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import center_crop_arr
from bench.detector import Card, Sample, Stage, Statistic
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

#: Declared time of the device per image.
SECONDS_PER_IMAGE = 0.05


class SimulatedDevice(Engine):
    """Image → its centre, uint8 [64, 64, 3], after the declared time; no core computes meanwhile."""

    name = "simulated_device"
    version = 1
    payload = "png"
    batch = 8
    seconds = SECONDS_PER_IMAGE

    def forwards(self, recipe: Recipe) -> int:
        """One forward, which is waited for."""
        return 1

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """There is nothing to load."""
        self._meter = meter

    def view(self, request: Request) -> RGB:
        """Shorter side to 64, centre crop."""
        return center_crop_arr(request.rgb, 64)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> Sequence[RGB]:
        """Wait as long as the device would compute."""
        time.sleep(SECONDS_PER_IMAGE * len(views))
        self._meter.forwards += len(views)
        return views


@dataclass(frozen=True)
class Params:
    """None."""


class Brightness(Statistic):
    """The mean of what the simulated device made."""

    card = Card(
        title="simulated device",
        paper="none: for a benchmark",
        code="this file",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """One artefact of every image."""
        return {"made": Recipe("simulated_device", 1, {}, inputs={"image": IMAGE})}

    def value(self, sample: Sample) -> float:
        """The mean grey level."""
        return float(np.mean(sample.artefacts["made"]))


ENGINE = SimulatedDevice
METHOD = Brightness
