"""Trivial baseline: the high-frequency energy, the simplest statistic of the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """No parameters."""


class HighFrequencyEnergy(Statistic):
    """Blur or ringing from a generator's decoder changes the high-frequency energy of an image."""

    card = Card(
        title="HF energy",
        paper="none (trivial baseline)",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> float:
        """Return the logarithm of the mean squared Laplacian of the luma in 0…255."""
        luma = sample.rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        if min(luma.shape) < 3:
            luma = np.pad(luma, 1, "edge")
        inner = luma[1:-1, 1:-1]
        laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
        return float(np.log(np.mean(laplacian**2) + 1e-3))


METHOD = HighFrequencyEnergy
