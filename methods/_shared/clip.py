"""Frozen CLIP image encoders, and networks that are saved without them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from bench.nets.clip import MEAN, STD, load_half, to_openai
from bench.nets.frozen import BesideFrozen
from bench.nets.loading import differences, some

__all__ = [
    "MEAN",
    "STD",
    "ImageEncoder",
    "LinearHead",
    "OnFrozen",
    "PatchTokens",
    "copy_of_clip",
    "other_clip",
    "unlike",
    "without_copy",
]


#: Names of the text half in OpenAI's layout of CLIP, in which checkpoints of detectors contain a copy of CLIP.
_TEXT = ("transformer.", "token_embedding.", "ln_final.", "positional_embedding", "text_projection", "logit_scale")


def without_copy(state: Mapping[str, Tensor], prefix: str, visual: bool = True) -> dict[str, Tensor]:
    """Return a checkpoint without the copy of CLIP below ``prefix``; ``visual`` False keeps the image half of the copy.

    Only names that belong to CLIP are removed. Any other tensor below the prefix stays, so that loading reports it.
    """
    names = (*_TEXT, "visual.", "input_resolution", "context_length", "vocab_size") if visual else _TEXT
    copied = tuple(f"{prefix}{name}" for name in names)
    return {name: tensor for name, tensor in state.items() if not name.startswith(copied)}


def copy_of_clip(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the image half of the copy of CLIP in a checkpoint, by OpenAI's names; empty if there is no copy."""
    names = [name for name in state if name.startswith(f"{prefix}visual.")]
    return {name.removeprefix(prefix): state[name] for name in names}


def other_clip(model: OnFrozen, state: Mapping[str, Tensor], prefix: str) -> str:
    """Describe how the copy of CLIP in a checkpoint differs from the frozen CLIP; '' if it is the same or absent.

    Every tensor of the image half is compared in half precision, in which CLIP was published.
    """
    return unlike(to_openai(model.encoder.clip.state_dict()), copy_of_clip(state, prefix))


def unlike(frozen: Mapping[str, Tensor], copy: Mapping[str, Tensor]) -> str:
    """Describe how a copy of CLIP differs from the frozen tensors, both by OpenAI's names; '' if it does not."""
    mismatch = differences(frozen, copy, set(frozen))
    if mismatch:
        return f"The CLIP in the checkpoint is a different network. {mismatch}"
    changed = [n for n, t in copy.items() if not torch.equal(t.to(frozen[n].device).half(), frozen[n].half())]
    if not changed:
        return ""
    largest = max(float((copy[n].float() - frozen[n].float().to(copy[n].device)).abs().max()) for n in changed)
    count, names = f"{len(changed)} of {len(copy)} tensors", some(sorted(changed))
    return f"The CLIP in the checkpoint was fine-tuned. {count} differ by up to {largest:.2g}: {names}."


class ImageEncoder(nn.Module):
    """Frozen ``encode_image`` of CLIP: images [B, 3, S, S] to projected embeddings [B, width], not normalised."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clip: Any = load_half(CLIPVisionModelWithProjection, folder)
        self.requires_grad_(False)
        self.width = int(self.clip.config.projection_dim)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings [B, width]."""
        embedded: Tensor = self.clip(pixel_values=x).image_embeds
        return embedded

    @torch.no_grad()
    def tokens(self, x: Tensor) -> Tensor:
        """Return all tokens after the last layer norm, class token first: [B, 1 + patches, hidden]."""
        hidden = self.clip.vision_model(pixel_values=x).last_hidden_state
        normed: Tensor = self.clip.vision_model.post_layernorm(hidden)
        return normed

    @property
    def depth(self) -> int:
        """The number of blocks."""
        return int(self.clip.config.num_hidden_layers)

    @property
    def hidden(self) -> int:
        """The width of the tokens."""
        return int(self.clip.config.hidden_size)

    def intermediate(self, x: Tensor) -> Tensor:
        """The class token after the second layer norm of each block: [B, depth, hidden]."""
        return self.after_norms(x, slice(1))[:, :, 0]

    @torch.no_grad()
    def after_norms(self, x: Tensor, which: slice) -> Tensor:
        """The tokens ``which`` after the second layer norm of each block: [B, depth, tokens, hidden]."""
        caught: list[Tensor] = []
        hooks = [
            layer.layer_norm2.register_forward_hook(lambda _, __, made: caught.append(made[:, which]))
            for layer in self.clip.vision_model.encoder.layers
        ]
        try:
            self.clip.vision_model(pixel_values=x)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack(caught, 1)


class PatchTokens(ImageEncoder):
    """A frozen CLIP: images [B, 3, S, S] to patch tokens after each block's second layer norm, without class token."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens [B, depth, patches, hidden]."""
        return self.after_norms(x, slice(1, None))


class OnFrozen(BesideFrozen):
    """A module on a frozen CLIP, and on ``others``, more frozen networks."""

    def __init__(self, encoder: ImageEncoder, *others: nn.Module) -> None:
        super().__init__(encoder, *others)

    @property
    def encoder(self) -> ImageEncoder:
        """The frozen encoder."""
        encoder: ImageEncoder = self.frozen[0]
        return encoder


class LinearHead(OnFrozen):
    """Images [B, 3, S, S] to logits [B, classes]: one linear layer ``fc`` on the embedding."""

    def __init__(self, encoder: ImageEncoder, classes: int) -> None:
        super().__init__(encoder)
        self.fc = nn.Linear(encoder.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [B, classes]."""
        logits: Tensor = self.fc(self.encoder(x))
        return logits
