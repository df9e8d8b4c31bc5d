"""The image half of SigLIP from a file in open_clip's layout, as a frozen encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from bench.nets.loading import load_strictly, read_tensors

#: The file of open_clip, and the prefix of its image half.
FILE, PREFIX = "open_clip_model.safetensors", "visual.trunk."


@dataclass(frozen=True)
class Shape:
    """Side and patch in pixels, width, blocks, heads, and the factor of the hidden layers; by default SO400M/14's."""

    side: int = 384
    patch: int = 14
    width: int = 1152
    depth: int = 27
    heads: int = 16
    factor: float = 3.7362


class SigLIP(nn.Module):
    """Images [B, 3, S, S] to embeddings [B, width]: tokens pooled by attention, not normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.width = shape.width
        self.trunk = VisionTransformer(
            img_size=shape.side,
            patch_size=shape.patch,
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            mlp_ratio=shape.factor,
            class_token=False,
            global_pool="map",
            num_classes=0,
        )
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings."""
        embedded: Tensor = self.trunk(x)
        return embedded


def load_siglip(folder: Path) -> SigLIP:
    """Load SigLIP SO400M/14 at 384 px. Raises UserError unless every key and shape of the image half matches."""
    file, network = folder / FILE, SigLIP(Shape())
    state = {name.removeprefix(PREFIX): t for name, t in read_tensors(file).items() if name.startswith(PREFIX)}
    load_strictly(network.trunk, state, file, "image half of SigLIP SO400M/14")
    return network.eval()
