"""Strict loading of weights: an error names the file and the tensors that do not match."""

from __future__ import annotations

import math
import pickle
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import UserError, what_is


def differences(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], optional: Collection[str] = ()) -> str:
    """The tensors of ``state`` that do not match ``expected``, as one sentence; empty if all match.

    It names at most six tensors of each kind: missing (unless ``optional``), unexpected, or of the wrong shape.
    """
    missing = sorted(set(expected) - set(state) - set(optional))
    unexpected = sorted(set(state) - set(expected))
    shapes = [
        f"{name} {list(state[name].shape)}, not {list(expected[name].shape)}"
        for name in sorted(set(state) & set(expected))
        if state[name].shape != expected[name].shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("wrong shape", shapes))
    sentence = "; ".join(f"{kind}: {some(names)}" for kind, names in kinds if names)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def some(names: Sequence[str]) -> str:
    """The first six names, and the number of those that are left out."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """The sorted names of tensors with values that are not finite.

    Each tensor is summed, which takes a single pass: one value that is not finite makes the sum not finite.
    """
    floats = ((name, t) for name, t in state.items() if t.is_floating_point())
    return sorted(name for name, t in floats if not math.isfinite(float(t.sum(dtype=torch.float32))))


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], file: Path, what: str, kept: Sequence[str] = ()
) -> None:
    """Load every tensor into the network, floating-point ones in single precision.

    Entries of the network that start with a prefix in ``kept`` keep their values; the counters of batch norms may be
    missing. Raises UserError that names ``file``, ``what`` it should hold, and the tensors that do not match.
    """
    expected = {name: t for name, t in network.state_dict().items() if not name.startswith(tuple(kept))}
    problem = differences(expected, state, {name for name in expected if name.endswith("num_batches_tracked")})
    broken = not_finite(state)
    if not problem and broken:
        problem = f"Values that are not finite: {some(broken)}."
    if problem:
        raise UserError(
            f"The weights in {file} do not match the expected {what}.",
            problem,
            "Give the right ones with --weights ROLE=FILE or ROLE=FOLDER.",
        )
    loaded = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    network.load_state_dict(loaded, strict=False)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file read with ``weights_only``, by name.

    Raises UserError if the file cannot be read.
    """
    try:
        if file.suffix == ".safetensors":
            state: dict[str, Tensor] = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{file} cannot be read as weights.",
            f"It is {what_is(file) or f'not a complete file of its format ({type(error).__name__}: {reason})'}.",
            "Copy or download it again, or give another with --weights ROLE=FILE or ROLE=FOLDER.",
        ) from error
    return state
