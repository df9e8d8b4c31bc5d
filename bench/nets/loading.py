"""Strict loading that says which file is wrong and how, in a few words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor, nn

from bench.errors import UserError


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
    told = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds if names)
    return f"{told[0].upper()}{told[1:]}." if told else ""


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], file: Path, what: str) -> None:
    """Load every tensor, as float; UserError names the file, ``what`` it should be, and what does not fit."""
    told = differences(network.state_dict(), state)
    if told:
        raise UserError(f"{file} holds no {what}.", told, "Name the right one with --weights ROLE=FILE or ROLE=FOLDER.")
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
