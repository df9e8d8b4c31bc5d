"""Models of diffusers and transformers from a folder, strictly: what is missing, left over or broken is told at once.

Their own loaders initialise what a file lacks at random and go on.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging

from bench.errors import UserError, what_is
from bench.nets.loading import not_finite, some

#: Constants that old files hold and new classes compute.
_CONSTANTS = ("position_ids",)
_FAILURES = (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError, pickle.UnpicklingError)


def load_pretrained(kind: Any, folder: Path, other: Sequence[str] = (), **options: Any) -> Any:  # noqa: ANN401 - they ship no types
    """``kind.from_pretrained(folder)`` in evaluation mode, every tensor from the file.

    ``other`` are the prefixes of tensors that belong to another part of the model and are left out on purpose. Raises
    UserError naming the folder and the tensors that are missing, not wanted, misshapen or not finite.
    """
    options["ignore_mismatched_sizes"] = True  # Told below, with the others.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # It would list what is left out on purpose.
    try:
        loaded = kind.from_pretrained(folder, output_loading_info=True, **options)
    except _FAILURES as error:
        raise _unreadable(kind, folder, error) from error
    finally:
        logging.set_verbosity(verbosity)
    model, told = loaded
    shapes = [str(entry[0]) if isinstance(entry, tuple | list) else str(entry) for entry in told["mismatched_keys"]]
    unexpected = [n for n in told["unexpected_keys"] if not n.endswith(_CONSTANTS) and not n.startswith(tuple(other))]
    kinds = {
        "missing": [name for name in told["missing_keys"] if not name.endswith(_CONSTANTS)],
        "not wanted": unexpected,
        "misshapen": shapes,
    }
    found = "; ".join(f"{kind}: {some(sorted(names))}" for kind, names in kinds.items() if names)
    if found or told.get("error_msgs"):
        why = found or str(told["error_msgs"][0]).splitlines()[0]
        raise _misfit(kind, folder, f"{why[0].upper()}{why[1:]}.")
    check_finite(model, folder, kind.__name__)
    return model.eval()


def check_finite(model: nn.Module, file: Path, what: str) -> None:
    """Raise UserError naming the tensors of a model that hold values that are not finite."""
    state = model.state_dict()
    broken = not_finite(state)
    if broken:
        raise UserError(
            f"{file} holds a {what} with values that are not finite.",
            f"In: {some(broken)}.",
            "Copy or download it again.",
        )


def _misfit(kind: Any, folder: Path, told: str) -> UserError:  # noqa: ANN401 - they ship no types
    return UserError(
        f"The weights in {folder} do not fit a {kind.__name__} of its config.json.",
        told,
        "Copy or download the folder again, or name another with --weights ROLE=FOLDER.",
    )


def _unreadable(kind: Any, folder: Path, error: Exception) -> UserError:  # noqa: ANN401 - they ship no types
    files = [path for path in sorted(folder.glob("*")) if path.suffix in (".safetensors", ".bin", ".pt")]
    wrong = [f"{path.name} is {what}" for path in files if (what := what_is(path))]
    lines = str(error).strip().splitlines()
    why = "; ".join(wrong) or (f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)
    there = ", ".join(path.name for path in sorted(folder.glob("*"))) if folder.is_dir() else "no such folder"
    return UserError(
        f"A {kind.__name__} cannot be read from {folder}.",
        f"{why.rstrip('.')}. It holds: {there or 'nothing'}.",
        "Copy or download the folder again, or name another with --weights ROLE=FOLDER.",
    )


def load_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """The tokenizer of a folder. Raises UserError where it has none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except _FAILURES as error:
        raise UserError(
            f"{folder} has no tokenizer.",
            f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            "Put the model's tokenizer.json, or its vocab.json and merges.txt, into that folder.",
        ) from error


def load_processor(kind: Any, folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """``kind.from_pretrained(folder)`` of a processor. Raises UserError where the folder has none."""
    try:
        return kind.from_pretrained(folder)
    except _FAILURES as error:
        raise _unreadable(kind, folder, error) from error
