"""Halves of a CLIP from the Hub's folder format; what does not fit is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

# Its bars would stand between the run's own lines.
logging.disable_progress_bar()


def load_half(kind: Any, folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """The image or the text half of a CLIP folder, by transformers' class for it, in single precision.

    Raises KeyError naming tensors that are missing or misshapen.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # It would list the other half, which is left out on purpose.
    try:
        half, told = kind.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
    finally:
        logging.set_verbosity(verbosity)
    wrong = [*told["missing_keys"], *(entry[0] for entry in told["mismatched_keys"])]
    if wrong:
        raise KeyError(f"CLIP weights in {folder} do not fit: missing or misshapen {sorted(wrong)}")
    return half
