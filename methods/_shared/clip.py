"""Frozen CLIP image encoders, and heads that are saved without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from bench.nets.clip import MEAN, STD, load_half, to_openai
from bench.nets.loading import differences, some

__all__ = ["MEAN", "STD", "ImageEncoder", "LinearHead", "OnFrozen", "copy_of_clip", "other_clip", "without_copy"]


#: Names of OpenAI's CLIP, in whose layout detectors keep a copy of it in their files.
_TEXT = ("transformer.", "token_embedding.", "ln_final.", "positional_embedding", "text_projection", "logit_scale")


def without_copy(state: Mapping[str, Tensor], prefix: str, visual: bool = True) -> dict[str, Tensor]:
    """A checkpoint without the tensors of CLIP below ``prefix``; with its image half if not ``visual``.

    Only CLIP's own names are left out: a stranger below the prefix stays, and is told as one.
    """
    names = (*_TEXT, "visual.", "input_resolution", "context_length", "vocab_size") if visual else _TEXT
    copied = tuple(f"{prefix}{name}" for name in names)
    return {name: tensor for name, tensor in state.items() if not name.startswith(copied)}


def copy_of_clip(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The image half of the copy of CLIP in a checkpoint, by OpenAI's names; empty where there is none."""
    names = [name for name in state if name.startswith(f"{prefix}visual.")]
    return {name.removeprefix(prefix): state[name] for name in names}


def other_clip(model: OnFrozen, state: Mapping[str, Tensor], prefix: str) -> str:
    """How the copy of CLIP in a checkpoint differs from the frozen one beside it; '' where it is the same or absent.

    Every tensor of its image half is compared, at the half precision in which CLIP was published.
    """
    copy = copy_of_clip(state, prefix)
    own = to_openai({name: t.detach() for name, t in model.encoder.clip.state_dict().items()})
    told = differences(own, copy, set(own))
    if told:
        return f"Its CLIP is another network. {told}"
    changed = [name for name, t in copy.items() if not torch.equal(t.to(own[name].device).half(), own[name].half())]
    if not changed:
        return ""
    apart = max(float((copy[name].float() - own[name].float().to(copy[name].device)).abs().max()) for name in changed)
    return f"Its CLIP was trained on: {len(changed)} tensors are up to {apart:.2g} apart, {some(sorted(changed))}."


class ImageEncoder(nn.Module):
    """CLIP's ``encode_image``: images [B, 3, S, S] to embeddings [B, width], projected, not normalised; frozen."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clip: Any = load_half(CLIPVisionModelWithProjection, folder)
        self.requires_grad_(False)
        self.width = int(self.clip.config.projection_dim)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Embeddings [B, width]."""
        embedded: Tensor = self.clip(pixel_values=x).image_embeds
        return embedded

    @torch.no_grad()
    def tokens(self, x: Tensor) -> Tensor:
        """All tokens after the last norm, class token first: [B, 1 + patches, hidden]."""
        hidden = self.clip.vision_model(pixel_values=x).last_hidden_state
        normed: Tensor = self.clip.vision_model.post_layernorm(hidden)
        return normed


class OnFrozen(nn.Module):
    """A module that uses a frozen encoder without owning it: it moves with it, but is neither trained nor saved."""

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self._frozen = [encoder.eval()]  # A list, so that torch does not register it.

    @property
    def encoder(self) -> ImageEncoder:
        """The frozen encoder."""
        return self._frozen[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> OnFrozen:
        self.encoder._apply(fn)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return self


class LinearHead(OnFrozen):
    """Images [B, 3, S, S] to logits [B, classes]: one layer ``fc`` on the embedding."""

    def __init__(self, encoder: ImageEncoder, classes: int) -> None:
        super().__init__(encoder)
        self.fc = nn.Linear(encoder.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes]."""
        logits: Tensor = self.fc(self.encoder(x))
        return logits
