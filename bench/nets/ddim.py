"""Deterministic DDIM in both directions, for any noise predictor (arXiv 2010.02502, eq. 12 with η = 0)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

#: ε(x, t): the noise predicted in ``x`` at timestep ``t``.
NoisePredictor = Callable[[Tensor, int], Tensor]


def timesteps(steps: int, train_steps: int, offset: int) -> list[int]:
    """``steps`` timesteps ascending, leading spacing: offset, offset + stride, …, as Stable Diffusion samples."""
    stride = train_steps // steps
    return [index * stride + offset for index in range(steps)]


def move(x: Tensor, noise: Tensor, alpha_from: float, alpha_to: float) -> Tensor:
    """One DDIM step: the x0 that ``noise`` implies at ``alpha_from``, carried with the same noise to ``alpha_to``."""
    x0 = (x - (1 - alpha_from) ** 0.5 * noise) / alpha_from**0.5
    return alpha_to**0.5 * x0 + (1 - alpha_to) ** 0.5 * noise


def _levels(times: Sequence[int], alphas: Sequence[float], final_alpha: float) -> list[float]:
    return [final_alpha, *(alphas[t] for t in times)]


def invert(
    x: Tensor, predict: NoisePredictor, times: Sequence[int], alphas: Sequence[float], final_alpha: float
) -> Tensor:
    """From a clean ``x`` to its latent at ``times[-1]``.

    The step that arrives at t asks for the noise at t, as the sampling step that leaves t will: the two differ only in
    where they evaluate it, so the round trip is exact wherever the noise depends on t alone.
    """
    levels = _levels(times, alphas, final_alpha)
    for index, t in enumerate(times):
        x = move(x, predict(x, t), levels[index], levels[index + 1])
    return x


def sample(
    x: Tensor, predict: NoisePredictor, times: Sequence[int], alphas: Sequence[float], final_alpha: float
) -> Tensor:
    """From a latent at ``times[-1]`` to a clean ``x``."""
    levels = _levels(times, alphas, final_alpha)
    for index in range(len(times) - 1, -1, -1):
        x = move(x, predict(x, times[index]), levels[index + 1], levels[index])
    return x


def diffuse(x: Tensor, noise: Tensor, alpha: float) -> Tensor:
    """The forward process: a clean ``x`` with ``noise`` at cumulative level ``alpha``."""
    return alpha**0.5 * x + (1 - alpha) ** 0.5 * noise
