"""How networks are evaluated: precision, accelerator and batching, which change the last bits of every result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.device import gpus
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Numerics:
    """The numerics of one run. The default is the reference: one CPU thread, single precision, fixed batches.

    ``precision`` is that of matrix products and convolutions: ``fp32``; ``tf32`` (a GPU's 10-bit mantissa); ``bf16`` or
    ``fp16``, in which networks run where they keep their meaning, and all others as with ``tf32``. Weights of fits,
    losses and the arithmetic between networks stay in single precision. ``device`` is the name of the accelerator,
    empty for a CPU. ``exact``: every batch has one size, so that a result does not depend on the number of images.

    Fits only: ``micro_batch`` is the most images of a batch whose gradient is computed at once (0: all of them),
    ``devices_per_fit`` the number of devices that share one fit.
    """

    precision: str = "fp32"
    device: str = ""
    exact: bool = True
    micro_batch: int = 0
    devices_per_fit: int = 1

    def describe(self) -> dict[str, str]:
        """As part of an artefact's key; empty for the reference, whose keys name no numerics."""
        if (self.precision, self.device, self.exact) == ("fp32", "", True):
            return {}
        batches = "fixed" if self.exact else "free"
        return {"precision": self.precision, "device": self.device or "cpu", "batches": batches}

    def describe_fit(self) -> dict[str, str]:
        """As part of a fit's key."""
        return self.describe() | self.of_fits()

    def of_fits(self) -> dict[str, str]:
        """The settings of fits alone, without those that are at their defaults."""
        micro = {"micro_batch": str(self.micro_batch)} if self.micro_batch else {}
        several = {"devices_per_fit": str(self.devices_per_fit)} if self.devices_per_fit > 1 else {}
        return micro | several

    def for_fits(self, micro_batch: int, devices_per_fit: int, *, alone: bool) -> Numerics:
        """The same, with the two settings of fits; ``alone`` unless a cluster runs the fits.

        Raises UserError for numbers that are too small, or more devices than there are.
        """
        for name, value, least in (("micro-batch", micro_batch, 0), ("devices-per-fit", devices_per_fit, 1)):
            if value < least:
                raise UserError(f"--{name} {value} is too small.", f"It is a number from {least}.", "Leave it out.")
        if devices_per_fit > 1 and not alone:
            raise UserError(
                "--devices-per-fit and --executor ray exclude each other.",
                "On Ray, every fit has a GPU or core of its own, and several fits run at the same time.",
                "Make the artefacts with `prepare --executor ray`, then train with --devices-per-fit on one host.",
            )
        if devices_per_fit > 1:
            there, word = (gpus(), "GPUs") if self.device else (max(2, os.cpu_count() or 1), "processes on these cores")
            if there < devices_per_fit:
                raise UserError(
                    f"--devices-per-fit {devices_per_fit} is too many.", f"{there} {word} at most.", "Use fewer."
                )
        return replace(self, micro_batch=micro_batch, devices_per_fit=devices_per_fit)

    @property
    def half(self) -> str:
        """The half precision of networks that keep their meaning in it: ``bf16``, ``fp16``, or empty."""
        return self.precision if self.precision in ("bf16", "fp16") else ""


REFERENCE = Numerics()


def choose(precision: str, deterministic: bool | None, device: str) -> Numerics:
    """The numerics for ``--precision`` and ``--deterministic`` on ``cpu`` or ``cuda``.

    ``auto`` is fp32 on a CPU, and on a GPU bf16, or fp32 if it must be deterministic. Without a wish for or against, a
    CPU is deterministic and a GPU is not. Raises UserError for an unknown precision, or one that the device lacks.
    """
    if precision not in ("auto", *PRECISIONS):
        raise unknown("precision", precision, ("auto", *PRECISIONS))
    if precision == "tf32" and device == "cpu":
        raise UserError("--precision tf32 needs a GPU.", "A CPU has no TF32.", "Use fp32 or bf16.")
    exact = device == "cpu" if deterministic is None else deterministic
    if precision == "auto":
        precision = "bf16" if device == "cuda" and not exact else "fp32"
    return Numerics(precision, _name_of(device), exact)


def _name_of(device: str) -> str:
    if device == "cpu":
        return ""
    import torch

    return torch.cuda.get_device_name()


def dtype(half: str) -> torch.dtype:
    """The type of numbers for ``bf16``, ``fp16``, or empty for single precision."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(half, torch.float32)


@contextmanager
def autocast(device: str, half: str) -> Iterator[None]:
    """Run matrix products and convolutions in half precision; ``half`` is ``bf16``, ``fp16``, or empty for single."""
    if not half:
        yield
        return
    import torch

    with torch.autocast(device, dtype(half)):
        yield
