"""SPAI's network: how alike a frozen transformer sees patches of an image and their low and high frequencies.

mever-team/spai@8ff7b3b:spai/models/sid.py and filters.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from bench.nets.mfm import MFM
from methods._shared.clip import PatchTokens
from methods._shared.tensors import Triple

#: Patches that are seen at once.
_TOGETHER = 64


@dataclass(frozen=True)
class Shape:
    """``side``: of a patch. ``radius``: of the low frequencies. ``least``: patches below which five crops are taken.

    ``projection``: width of the projected tokens. ``attention`` and ``heads``: width and heads of the attention over
    patches. ``ratio``: width of the head's layers in multiples of its input. ``spread``: standard deviation of the
    first weights. ``mean`` and ``std`` are those of the tower's images.
    """

    side: int
    radius: int
    least: int
    projection: int
    attention: int
    heads: int
    ratio: int
    spread: float
    dropout: float
    mean: Triple
    std: Triple


def disc(side: int, radius: int) -> Tensor:
    """The low frequencies of a shifted spectrum, int64 [side, side].

    The centre lies between the two middle samples, half a sample from the spectrum's zero, as in the official code.
    """
    half = torch.arange(side // 2)
    away = torch.cat([half.flip(0), half]).float()
    return (torch.hypot(away[:, None], away[None]) < radius).long()


class Projector(nn.Module):
    """[..., inside] to [..., width]: two layers, with a norm after and, unless ``summary``, before.

    With ``summary``, a GELU follows the second layer too.
    """

    def __init__(self, inside: int, width: int, dropout: float, summary: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.Identity() if summary else nn.LayerNorm(inside)
        last = nn.GELU() if summary else nn.Identity()
        layers = (nn.Dropout(dropout), nn.Linear(inside, width), nn.GELU())
        self.projector = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(width, width), last, nn.Dropout(dropout))
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the projected values."""
        y: Tensor = self.norm2(self.projector(self.norm1(x)))
        return y


class Summary(nn.Module):
    """Tokens [B, depth, patches, width] to one vector [B, width], for which every channel weighs the blocks."""

    def __init__(self, depth: int, width: int, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.randn(1, depth, width))
        self.proj1 = Projector(2 * width, width, dropout, summary=True)
        self.proj2 = Projector(width, width, dropout, summary=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vector."""
        blocks = self.proj1(torch.cat([x.mean(2), x.std(2)], -1))
        y: Tensor = self.proj2((self.alpha.softmax(1) * blocks).sum(1))
        return y


class SPAI(nn.Module):
    """Images of any size, [B, 3, H, W] in 0…1 with their heights and widths [B, 2], to logits [B, 1].

    The tower is not trained. An image is cut into patches, row by row from the top left; what is left over at the right
    and at the bottom is not seen.
    """

    mask: Tensor

    def __init__(self, tower: MFM | PatchTokens, shape: Shape) -> None:
        super().__init__()
        self.shape, self.vit = shape, tower.requires_grad_(False)
        self.register_buffer("mask", disc(shape.side, shape.radius))
        depth, width = tower.depth, shape.projection
        self.projectors = nn.ModuleList(Projector(tower.hidden, width, shape.dropout) for _ in range(depth))
        self.summary = Summary(depth, width, shape.dropout)
        features = 6 * depth + width
        self.patch_aggregator = nn.Parameter(torch.zeros(shape.heads, 1, shape.attention // shape.heads))
        self.to_kv = nn.Linear(features, 2 * shape.attention, bias=False)
        self.to_out = nn.Linear(shape.attention, features, bias=False)
        self.norm, self.dropout = nn.LayerNorm(features), nn.Dropout(shape.dropout)
        inner = features * shape.ratio
        layers = ((nn.Linear(a, inner), nn.ReLU(), nn.Dropout(shape.dropout)) for a in (features, inner))
        self.head = nn.Sequential(*(part for layer in layers for part in layer), nn.Linear(inner, 1))
        self._initialise()

    def _initialise(self) -> None:
        """Truncated normal weights and no biases in what is trained."""
        nn.init.trunc_normal_(self.patch_aggregator, std=self.shape.spread)
        trained = (self.projectors, self.summary, self.to_kv, self.to_out, self.head)
        for layer in (layer for part in trained for layer in part.modules() if isinstance(layer, nn.Linear)):
            nn.init.trunc_normal_(layer.weight, std=self.shape.spread)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def patches(self, image: Tensor) -> Tensor:
        """The patches [L, 3, side, side] of an image [3, H, W]; of a small one, its four corners and its centre."""
        side = self.shape.side
        rows, columns = (length // side for length in image.shape[1:])
        if rows * columns < self.shape.least:
            low, right = (length - side for length in image.shape[1:])
            places = ((0, 0), (0, right), (low, 0), (low, right), (round(low / 2), round(right / 2)))
            return torch.stack([image[:, y : y + side, x : x + side] for y, x in places])
        whole: Tensor = (
            image[:, : rows * side, : columns * side].unflatten(2, (columns, side)).unflatten(1, (rows, side))
        )
        return whole.permute(1, 3, 0, 2, 4).flatten(0, 1)

    def bands(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high frequencies of patches, in 0…1: what is negative in the latter is lost."""
        spectrum = torch.fft.fft2(x) * torch.fft.ifftshift(self.mask)
        low: Tensor = torch.fft.ifft2(spectrum).real
        high: Tensor = x - low
        return low.clamp(0, 1), high.clamp(0, 1)

    @torch.no_grad()
    def _tokens(self, x: Tensor) -> Tensor:
        mean, std = (x.new_tensor(values).view(3, 1, 1) for values in (self.shape.mean, self.shape.std))
        tokens: Tensor = self.vit((x - mean) / std)
        return tokens

    def features(self, x: Tensor) -> Tensor:
        """Patches [L, 3, side, side] to [L, 6 · depth + projection]: similarities, then a summary of the patch."""
        seen = [self._tokens(part) for part in (x, *self.bands(x))]
        image, low, high = (
            torch.stack([project(part[:, n]) for n, project in enumerate(self.projectors)], 1) for part in seen
        )
        alike = [cosine_similarity(a, b, -1) for a, b in ((image, low), (image, high), (low, high))]
        numbers = [number for values in alike for number in (values.mean(-1), values.std(-1))]
        return torch.cat([*numbers, self.summary(image)], 1)

    def attended(self, x: Tensor) -> Tensor:
        """The features of an image's patches [L, features] as one vector, by learned queries."""
        heads = self.shape.heads
        k, v = self.to_kv(x).unflatten(1, (2, heads, -1)).permute(1, 2, 0, 3)
        weights = (self.patch_aggregator @ k.transpose(1, 2) * k.shape[-1] ** -0.5).softmax(-1)
        y: Tensor = self.dropout(self.to_out((self.dropout(weights) @ v).flatten()))
        return y

    def forward(self, images: Tensor, sizes: Tensor) -> Tensor:
        """Return the logits."""
        pairs = zip(images, sizes.tolist(), strict=True)
        cut = [self.patches(image[:, :height, :width]) for image, (height, width) in pairs]
        seen = torch.cat([self.features(part) for part in torch.cat(cut).split(_TOGETHER)])
        vectors = torch.stack([self.attended(part) for part in seen.split([len(part) for part in cut])])
        logits: Tensor = self.head(self.norm(vectors))
        return logits


#: The authors' names and those of the module.
RENAMED = (
    ("mfvit.frequencies_mask", "mask"),
    ("mfvit.vit.", "vit."),
    ("mfvit.features_processor.patch_projector.", ""),
    ("mfvit.features_processor.original_features_processor.", "summary."),
    ("cls_head.", ""),
    ("to_out.0.", "to_out."),
)
#: What the authors' transformer has beside what it uses here.
UNUSED = tuple(
    f"mfvit.vit.{name}"
    for name in ("fc_norm.", "cls_pos_embed", "actual_cls_token", "cls_blocks.", "intermediate_fc_norm.", "head.")
)
