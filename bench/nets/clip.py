"""Halves of a CLIP from the Hub's folder format; what does not fit is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers.utils import logging

# Its bars would stand between the run's own lines.
logging.disable_progress_bar()


#: What CLIP's images are normalised by; openai/CLIP:clip/clip.py.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: Files that hold a whole CLIP with OpenAI's keys: open_clip's, and GeneCIS's fine-tuned RN50x4.
_OPENAI = ("open_clip_model.safetensors", "rn50x4_backbone.pt")


def has_openai_state(folder: Path) -> bool:
    """Whether a folder holds a CLIP with OpenAI's keys."""
    return any((folder / name).is_file() for name in _OPENAI)


def openai_state(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a CLIP with OpenAI's keys, in single precision."""
    path = next((folder / name for name in _OPENAI if (folder / name).is_file()), folder / _OPENAI[0])
    state = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    return {name.removeprefix("module."): t.float() for name, t in state.items() if isinstance(t, torch.Tensor)}


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
