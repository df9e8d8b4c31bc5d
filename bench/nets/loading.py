"""Strict loading that says which file is wrong and how, in a few words."""

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


def differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], optional: Collection[str] = ()) -> str:
    """What does not fit, as one sentence that names six of a kind; empty if everything does."""
    missing = sorted(set(wanted) - set(found) - set(optional))
    extra = sorted(set(found) - set(wanted))
    shapes = [
        f"{name} {list(found[name].shape)}, not {list(wanted[name].shape)}"
        for name in sorted(set(found) & set(wanted))
        if found[name].shape != wanted[name].shape
    ]
    kinds = (("missing", missing), ("not wanted", extra), ("misshapen", shapes))
    told = "; ".join(f"{kind}: {some(names)}" for kind, names in kinds if names)
    return f"{told[0].upper()}{told[1:]}." if told else ""


def some(names: Sequence[str]) -> str:
    """The first six of some names, and how many more there are."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """The tensors with values that are not finite, sorted: a sum is finite where all its terms are, and is one pass."""
    floats = ((name, t) for name, t in state.items() if t.is_floating_point())
    return sorted(name for name, t in floats if not math.isfinite(float(t.sum(dtype=torch.float32))))


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], file: Path, what: str, spared: Sequence[str] = ()
) -> None:
    """Load every tensor, as float; UserError names the file, ``what`` it should be, and what does not fit.

    Entries of the network that begin with one of ``spared`` keep what they have; batch norms' counters may be missing.
    """
    wanted = {name: t for name, t in network.state_dict().items() if not name.startswith(tuple(spared))}
    told = differences(wanted, state, {name for name in wanted if name.endswith("num_batches_tracked")})
    broken = not_finite(state)
    if not told and broken:
        told = f"Values that are not finite: {some(broken)}."
    if told:
        raise UserError(f"{file} holds no {what}.", told, "Name the right one with --weights ROLE=FILE or ROLE=FOLDER.")
    loaded = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    network.load_state_dict(loaded, strict=False)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file read as tensors alone. Raises UserError for another."""
    try:
        if file.suffix == ".safetensors":
            found: dict[str, Tensor] = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{file} cannot be read as weights.",
            f"It is {what_is(file) or f'no whole file of its format ({type(error).__name__}: {first})'}.",
            "Copy or download it again, or name another with --weights ROLE=FILE or ROLE=FOLDER.",
        ) from error
    return found
