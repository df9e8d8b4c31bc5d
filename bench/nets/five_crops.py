"""B-Free's vision transformer on images of any size: five crops of the grid of patches, whose logits are averaged.

grip-unina/B-Free@c6a9f89:code/networks/wrapper5crops.py.
"""

from __future__ import annotations

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

#: Crops that go through the transformer at once; five of one large image fit, and a batch for training does.
_AT_ONCE = 32


def covered(grid: Tensor, side: int) -> Tensor:
    """A grid of patches [C, h, w] as it is if both sides are at least ``side``.

    Otherwise it is repeated to the right and down, and then its top left corner [C, side, side] is cut out: both axes
    are cut, so that a long side loses what is beyond the corner.
    """
    height, width = grid.shape[-2:]
    if min(height, width) >= side:
        return grid
    return grid.repeat(1, max(1, -(-side // height)), max(1, -(-side // width)))[:, :side, :side]


def five(grid: Tensor, side: int) -> Tensor:
    """Crops [N, C, side, side] of a grid [C, h, w]: the centre and the four corners, or one if all are the same."""
    down, right = (length - side for length in grid.shape[-2:])
    if not (down or right):
        return grid[None]
    places = ((down // 2, right // 2), (0, 0), (down, 0), (down, right), (0, right))
    return torch.stack([grid[:, top : top + side, left : left + side] for top, left in places])


class FiveCrops(nn.Module):
    """Images of different sizes to logits [B, 1]: patches are embedded in the whole image, and cropped afterwards.

    The rows and columns of pixels that do not fill a patch are ignored. Keys are timm's, those of the transformer
    without its first layer below ``vit``.
    """

    def __init__(self, network: VisionTransformer) -> None:
        super().__init__()
        self.side = int(network.patch_embed.grid_size[0])
        self.patch_embed, self.vit = network.patch_embed, network
        network.patch_embed = nn.Identity()

    def forward(self, full: Tensor, sizes: Tensor) -> Tensor:
        """Logits [B, 1] of images [B, 3, H, W] padded to one size; ``sizes`` int64 [B, 2] are their own (H, W)."""
        crops = []
        for image, (height, width) in zip(full, sizes.tolist(), strict=True):
            grid = self.patch_embed.proj(image[None, :, :height, :width])[0]
            crops.append(five(covered(grid, self.side), self.side))
        tokens = torch.cat(crops).flatten(2).transpose(1, 2)
        logits = torch.cat([self.vit(part) for part in tokens.split(_AT_ONCE)])
        return torch.stack([part.mean(0) for part in logits.split([len(found) for found in crops])])
