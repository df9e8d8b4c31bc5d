"""Check the values of single options: protocols, seeds, limits, device and executor."""

from __future__ import annotations

import importlib.util

from bench.data.protocols import PROTOCOLS, check_protocol
from bench.device import has_driver
from bench.errors import UserError, unknown
from bench.planning.sources import comma_list

#: The largest seed that both torch and numpy accept.
LARGEST_SEED = 2**32 - 1


def choose_protocols(text: str) -> tuple[str, ...]:
    """The protocols of a comma-separated list."""
    names = tuple(dict.fromkeys(comma_list(text)))
    for name in names:
        check_protocol(name)
    if not names:
        raise UserError(
            "--protocols is empty.", "At least one protocol is needed.", f"Name some of {', '.join(PROTOCOLS)}."
        )
    return names


def choose_seeds(text: str) -> tuple[int, ...]:
    """The seeds of a comma-separated list of integers in 0…:data:`LARGEST_SEED`."""
    words = comma_list(text)
    if not words or not all(word.isdigit() for word in words):
        raise UserError(
            f"--seeds {text!r} is not a list of seeds.", "A seed is an integer of at least 0.", "Write --seeds 0,1,2."
        )
    seeds = tuple(dict.fromkeys(int(word) for word in words))
    if max(seeds) > LARGEST_SEED:
        raise UserError(
            f"--seeds {text!r} contains a seed that is too large.",
            f"The largest possible seed is {LARGEST_SEED}.",
            "Use smaller numbers: --seeds 0,1,2.",
        )
    return seeds


def choose_limit(option: str, value: int | None) -> int | None:
    """A limit on the images per class and subset: at least 2, so that they can be split."""
    if value is not None and value < 2:
        raise UserError(f"{option} {value} is too small.", "It counts images per class and subset.", "Use at least 2.")
    return value


def choose_device(name: str) -> None:
    """Raise UserError for a name that is not a device, or for ``cuda`` without a driver."""
    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not has_driver():
        raise UserError(
            "--device cuda is not available.", "This machine has no CUDA driver.", "Use --device auto or cpu."
        )


def choose_executor(name: str, address: str | None) -> str | None:
    """The address of ``--executor ray``; None for ``local``. Raises UserError for another, or without Ray."""
    if name not in ("local", "ray"):
        raise unknown("executor", name, ("local", "ray"))
    if name == "local":
        if address is not None:
            raise UserError("--ray-address needs --executor ray.", "Without it, nothing runs there.", "Add the option.")
        return None
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            "--executor ray needs the package ray.", "It is not installed.", "Install the extra: pip install '.[ray]'."
        )
    return address or ""
