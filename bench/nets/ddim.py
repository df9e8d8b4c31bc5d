"""Deterministic DDIM in both directions, for any noise predictor (arXiv 2010.02502, eq. 12 with η = 0)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

#: ε(x, t): the noise predicted in ``x`` at timestep ``t``.
NoisePredictor = Callable[[Tensor, int], Tensor]


def timesteps(steps: int, train_steps: int, offset: int) -> list[int]:
    """``steps`` ascending timesteps with leading spacing: offset, offset + stride, …, as in Stable Diffusion."""
    stride = train_steps // steps
    return [index * stride + offset for index in range(steps)]


def move(x: Tensor, noise: Tensor, alpha_from: float, alpha_to: float) -> Tensor:
    """One DDIM step: compute x0 from ``noise`` at ``alpha_from``, then add the same noise to it at ``alpha_to``."""
    x0 = (x - (1 - alpha_from) ** 0.5 * noise) / alpha_from**0.5
    return alpha_to**0.5 * x0 + (1 - alpha_to) ** 0.5 * noise


def _levels(times: Sequence[int], alphas: Sequence[float], final_alpha: float) -> list[float]:
    return [final_alpha, *(alphas[t] for t in times)]


def invert(
    x: Tensor, predict: NoisePredictor, times: Sequence[int], alphas: Sequence[float], final_alpha: float
) -> Tensor:
    """From a clean ``x`` to its latent at ``times[-1]``, same shape.

    The step to t uses the noise at t, as does the sampling step from t. They differ only in the point at which they
    evaluate the noise, so the round trip is exact if the noise depends on t alone.
    """
    levels = _levels(times, alphas, final_alpha)
    for index, t in enumerate(times):
        x = move(x, predict(x, t), levels[index], levels[index + 1])
    return x


def sample(
    x: Tensor, predict: NoisePredictor, times: Sequence[int], alphas: Sequence[float], final_alpha: float
) -> Tensor:
    """From a latent at ``times[-1]`` to a clean ``x``, same shape."""
    levels = _levels(times, alphas, final_alpha)
    for index in range(len(times) - 1, -1, -1):
        x = move(x, predict(x, times[index]), levels[index + 1], levels[index])
    return x


def diffuse(x: Tensor, noise: Tensor, alpha: float) -> Tensor:
    """The forward process: a clean ``x`` with ``noise`` at cumulative level ``alpha``."""
    return alpha**0.5 * x + (1 - alpha) ** 0.5 * noise


def pixel_timesteps(steps: int, train_steps: int = 1000) -> list[int]:
    """guided-diffusion's ``ddim<steps>`` respacing: 0, stride, 2 · stride, … (guided_diffusion/respace.py)."""
    return [index * (train_steps // steps) for index in range(steps)]


def linear_alphas(train_steps: int = 1000) -> list[float]:
    """Cumulative levels ᾱ of ADM's schedule: β from 1e-4 to 0.02, linear."""
    level, levels = 1.0, []
    for index in range(train_steps):
        level *= 1 - (1e-4 + (0.02 - 1e-4) * index / (train_steps - 1))
        levels.append(level)
    return levels


def clipped_move(x: Tensor, noise: Tensor, alpha_from: float, alpha_to: float, clip: bool) -> Tensor:
    """One DDIM step in which x0 is clipped to −1…1 and the noise is computed again from the clipped x0.

    guided_diffusion/gaussian_diffusion.py:ddim_sample, ddim_reverse_sample (``clip_denoised``).
    """
    x0 = (x - (1 - alpha_from) ** 0.5 * noise) / alpha_from**0.5
    if clip:
        x0 = x0.clamp(-1, 1)
    clipped_noise = (x / alpha_from**0.5 - x0) / (1 / alpha_from - 1) ** 0.5
    return alpha_to**0.5 * x0 + (1 - alpha_to) ** 0.5 * clipped_noise


def pixel_round_trip(
    x: Tensor, predict: NoisePredictor, times: Sequence[int], alphas: Sequence[float], clip: bool
) -> tuple[Tensor, Tensor]:
    """DIRE's latent and reconstruction of images in −1…1, with exactly the steps of the official code.

    The clean image is treated as if it were at the first level. The last inversion step goes to level 0, and sampling
    treats that latent as if it were at the last level. This off-by-one is part of the method.
    """
    levels = [alphas[t] for t in times]
    for t, level, following in zip(times, levels, [*levels[1:], 0.0], strict=True):
        x = clipped_move(x, predict(x, t), level, following, clip)
    latent = x
    for t, level, previous in reversed(list(zip(times, levels, [1.0, *levels[:-1]], strict=True))):
        x = clipped_move(x, predict(x, t), level, previous, clip)
    return latent, x
