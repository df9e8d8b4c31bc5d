"""One step of training: learning rates, loss scaling, clipping, update."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bench.detector import Schedule


def parameter_groups(model: nn.Module, plan: Schedule) -> list[dict[str, Any]]:
    """The trainable weights as parameter groups of an optimiser, one group per factor of the learning rate."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = next((f for prefix, f in plan.rate_factors.items() if name.startswith(prefix)), 1.0)
            groups.setdefault(factor, []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]


class Optimiser:
    """Adam or AdamW by a schedule; the update is one fused kernel on a GPU.

    With ``half`` fp16 the loss is scaled, because gradients of half precision underflow.
    """

    def __init__(self, model: nn.Module, plan: Schedule, device: str, half: str) -> None:
        self._model, self._plan = model, plan
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[plan.optimizer]
        options: dict[str, Any] = {"betas": plan.betas, "weight_decay": plan.weight_decay}
        if device == "cuda":
            options["fused"] = True
        self._optimiser = kind(parameter_groups(model, plan), plan.lr, **options)
        self._scaler = torch.amp.GradScaler(device, enabled=half == "fp16")

    def set_rate(self, epoch: int, rate: float) -> None:
        """Set the learning rate of an epoch, given the rate that the schedule starts from or a plateau has led to."""
        if self._plan.cosine:
            rate *= 0.5 * (1 + math.cos(math.pi * epoch / self._plan.cosine))
        if self._plan.step_size:
            rate *= self._plan.gamma ** (epoch // self._plan.step_size)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["factor"]

    def reset(self) -> None:
        """Forget all gradients."""
        self._optimiser.zero_grad(set_to_none=True)

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        self._scaler.scale(loss).backward()

    def update(self) -> None:
        """Update the weights by the sum of the gradients."""
        if self._plan.clip_norm:
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self._model.parameters(), self._plan.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """The state, for :meth:`load`."""
        return {"optimizer": self._optimiser.state_dict(), "scaler": self._scaler.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        factors = [group["factor"] for group in self._optimiser.param_groups]
        self._optimiser.load_state_dict(state["optimizer"])
        for group, factor in zip(self._optimiser.param_groups, factors, strict=True):
            group["factor"] = factor  # States saved by an earlier version have no factor.
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])
