"""How networks are evaluated: precision, accelerator and batching, which change the last bits of every result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """

    precision: str = "fp32"
    device: str = ""
    exact: bool = True

    def describe(self) -> dict[str, str]:
        """As part of a key; empty for the reference, whose keys name no numerics."""
        if self == Numerics():
            return {}
        batches = "fixed" if self.exact else "free"
        return {"precision": self.precision, "device": self.device or "cpu", "batches": batches}

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
