"""A resumable training loop, used for every model of the miniature world."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Budget:
    """A builder's folder for its state, its device, and the time limit of this call in minutes."""

    folder: Path
    device: str
    minutes: float
    say: Notify


@dataclass
class Loop:
    """Take ``total`` steps; the state is saved every few minutes and can be resumed.

    The state consists of ``modules``, ``optimisers`` and an exponential moving average of the modules named in
    ``averaged`` (decay rising to ``decay``). The learning rate follows one cycle: 5 % warm-up, then a cosine to zero.
    """

    budget: Budget
    total: int
    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    averaged: tuple[str, ...]
    decay: float = 0.999
    step: int = 0
    seconds: float = 0.0
    averages: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    @property
    def _path(self) -> Path:
        return self.budget.folder / "state.pt"

    def resume(self) -> None:
        """Load the state of an earlier call, if there is one."""
        self._rates = {name: [g["lr"] for g in o.param_groups] for name, o in self.optimisers.items()}
        for name in self.averaged:
            state = self.modules[name].state_dict()
            self.averages[name] = {k: v.detach().clone().float() for k, v in state.items()}
        if not self._path.exists():
            return
        state = torch.load(self._path, map_location=self.budget.device, weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.averages, self.step, self.seconds = state["averages"], state["step"], state["seconds"]

    def save(self) -> None:
        """Write the state atomically, so that a killed run resumes from the last complete state."""
        self.budget.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".part")
        state = {
            "modules": {name: m.state_dict() for name, m in self.modules.items()},
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            "averages": self.averages,
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, partial)
        partial.replace(self._path)

    def steps(self) -> Iterator[int]:
        """Yield step numbers until ``total`` or the time limit; the state is saved in between and at the end."""
        started = saved = reported = time.monotonic()
        while self.step < self.total:
            self._set_rates()
            yield self.step
            self._average()
            self.step += 1
            now = time.monotonic()
            self.seconds, started = self.seconds + now - started, now
            if now - reported > 30:
                left = (self.total - self.step) * self.seconds / self.step
                self.budget.say(f"step {self.step} of {self.total}, {left / 60:.1f} min left")
                reported = now
            if now - saved > 180:
                self.save()
                saved = now
            if self.seconds_in_call(now) > self.budget.minutes * 60:
                break
        self.save()

    def seconds_in_call(self, now: float) -> float:
        """Seconds since the first call of this method in this process."""
        if not hasattr(self, "_call_started"):
            self._call_started = now
        return now - self._call_started

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken."""
        return self.step >= self.total

    def load_averages(self) -> None:
        """Load the moving averages into the modules, for sampling and saving."""
        for name, state in self.averages.items():
            reference = self.modules[name].state_dict()
            self.modules[name].load_state_dict({k: v.to(reference[k].dtype) for k, v in state.items()})

    def _set_rates(self) -> None:
        share = self.step / self.total
        factor = min(share / 0.05, 0.5 * (1 + math.cos(math.pi * max(share - 0.05, 0) / 0.95))) + 1e-3
        for name, optimiser in self.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for name, average in self.averages.items():
            for key, value in self.modules[name].state_dict().items():
                average[key].lerp_(value.float(), 1 - decay)


def draw(seed: int, step: int, count: int, size: int) -> np.ndarray:
    """The ``size`` indices below ``count`` of one step's batch; a function of (seed, step) alone."""
    return np.random.default_rng([seed, step]).integers(0, count, size)


def pixels(images: np.ndarray, device: str) -> torch.Tensor:
    """Images uint8 [B, H, W, 3] to float [B, 3, H, W] in −1…1."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def rgb_of(x: torch.Tensor) -> list[np.ndarray]:
    """Images float [B, 3, H, W] in −1…1 to a list of B arrays uint8 [H, W, 3], rounded."""
    rounded = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return list(rounded.cpu().numpy())


def shrink(images: np.ndarray, factor: int) -> np.ndarray:
    """Shrink images uint8 [N, H, W, 3] by an integer factor, with a box filter."""
    count, height, width, _ = images.shape
    parts = images.reshape(count, height // factor, factor, width // factor, factor, 3)
    return parts.mean((2, 4)).round().astype(np.uint8)
