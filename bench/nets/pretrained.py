"""Strict loading of diffusers and transformers models from a folder: missing, unexpected or broken tensors are errors.

The libraries' own loaders initialise missing tensors at random and continue.
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

#: Constants that are saved in old files and computed by new classes.
_CONSTANTS = ("position_ids",)
_FAILURES = (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError, pickle.UnpicklingError)


def load_pretrained(kind: Any, folder: Path, ignored: Sequence[str] = (), **options: Any) -> Any:  # noqa: ANN401 - the libraries ship no types
    """``kind.from_pretrained(folder)`` in evaluation mode, with every tensor taken from the file.

    ``ignored`` are the prefixes of tensors in the file that belong to another half of the model. Raises UserError
    naming the folder and the tensors that are missing, unexpected, of the wrong shape or not finite.
    """
    options["ignore_mismatched_sizes"] = True  # They are reported below, with all other problems.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # It would list the ignored tensors.
    try:
        loaded = kind.from_pretrained(folder, output_loading_info=True, **options)
    except _FAILURES as error:
        raise _unreadable(kind, folder, error) from error
    finally:
        logging.set_verbosity(verbosity)
    model, info = loaded
    shapes = [str(entry[0]) if isinstance(entry, tuple | list) else str(entry) for entry in info["mismatched_keys"]]
    unexpected = [n for n in info["unexpected_keys"] if not n.endswith(_CONSTANTS) and not n.startswith(tuple(ignored))]
    kinds = {
        "missing": [name for name in info["missing_keys"] if not name.endswith(_CONSTANTS)],
        "unexpected": unexpected,
        "wrong shape": shapes,
    }
    problem = "; ".join(f"{kind}: {some(sorted(names))}" for kind, names in kinds.items() if names)
    if problem or info.get("error_msgs"):
        reason = problem or str(info["error_msgs"][0]).splitlines()[0]
        raise _misfit(kind, folder, f"{reason[0].upper()}{reason[1:]}.")
    check_finite(model, folder, kind.__name__)
    return model.eval()


def check_finite(model: nn.Module, file: Path, what: str) -> None:
    """Raise UserError naming the tensors of a model that hold values that are not finite."""
    state = model.state_dict()
    broken = not_finite(state)
    if broken:
        raise UserError(
            f"The {what} in {file} has values that are not finite.",
            f"In: {some(broken)}.",
            "Copy or download it again.",
        )


def _misfit(kind: Any, folder: Path, problem: str) -> UserError:  # noqa: ANN401 - the libraries ship no types
    return UserError(
        f"The weights in {folder} do not match the {kind.__name__} in its config.json.",
        problem,
        "Copy or download the folder again, or give another with --weights ROLE=FOLDER.",
    )


def _unreadable(kind: Any, folder: Path, error: Exception) -> UserError:  # noqa: ANN401 - the libraries ship no types
    files = [path for path in sorted(folder.glob("*")) if path.suffix in (".safetensors", ".bin", ".pt")]
    wrong = [f"{path.name} is {what}" for path in files if (what := what_is(path))]
    lines = str(error).strip().splitlines()
    reason = "; ".join(wrong) or (f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)
    names = ", ".join(path.name for path in sorted(folder.glob("*")))
    contents = f"The folder contains: {names or 'nothing'}" if folder.is_dir() else "The folder does not exist"
    return UserError(
        f"A {kind.__name__} cannot be read from {folder}.",
        f"{reason.rstrip('.')}. {contents}.",
        "Copy or download the folder again, or give another with --weights ROLE=FOLDER.",
    )


def load_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """Load the tokenizer of a folder. Raises UserError if the folder has none."""
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
    """``kind.from_pretrained(folder)`` for a processor. Raises UserError if the folder has none."""
    try:
        return kind.from_pretrained(folder)
    except _FAILURES as error:
        raise _unreadable(kind, folder, error) from error
