"""FatFormer's network: adapters of patches and their wavelet bands in a frozen CLIP, and prompts made for each image.

Michel-liu/FatFormer@febc24c:models/clip_models.py and models/clip/model.py. CLIP's own weights stay outside the module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from bench.nets.clip import to_openai
from bench.nets.clip_text import TextTower
from bench.nets.wavelet import haar, inverse_haar
from methods._shared.clip import ImageEncoder, OnFrozen

_BOTTLENECK, _BAND_HEADS, _GROUPS = 64, 8, 128
_DROPOUT = 0.1
#: The factor on the branch of patches; that on the bands is learned and begins at 0.
_SCALE = 0.1


@dataclass(frozen=True)
class Prompts:
    """Token numbers of texts: ``marks`` start and end them, ``names`` follow the ``contexts`` learned tokens."""

    contexts: int
    marks: tuple[int, int]
    names: Sequence[Sequence[int]]

    def tokens(self, length: int) -> Tensor:
        """int64 [classes, length]; learned tokens are 0 here, as is what follows the end."""
        start, end = self.marks
        rows = [[start, *[0] * self.contexts, *name, end] for name in self.names]
        return torch.tensor([row + [0] * (length - len(row)) for row in rows])

    def ends(self) -> list[int]:
        """The place of each text's end."""
        return [1 + self.contexts + len(name) for name in self.names]


class Adapter(nn.Module):
    """What a block adds to its tokens [B, 1 + patches, width], with the class token first; patches form a square.

    The names of the attentions are the authors'. ``intra_band`` in fact looks across the four bands at one place, and
    ``inter_band`` across the places of one band.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_conv_layer = nn.Conv1d(width, _BOTTLENECK, 1)
        self.second_conv_layer = nn.Conv1d(_BOTTLENECK, width, 1)
        self.freq_scale = nn.Parameter(torch.zeros(1))
        self.dwt_norm = nn.GroupNorm(_GROUPS, width)
        self.intra_band = nn.MultiheadAttention(width, _BAND_HEADS, batch_first=True)
        self.inter_band = nn.MultiheadAttention(width, _BAND_HEADS, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm_intra, self.norm_inter, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both branches; that of the bands leaves the class token alone."""
        hidden = self.dropout(relu(self.first_conv_layer(x.transpose(1, 2))))
        patches: Tensor = self.second_conv_layer(hidden).transpose(1, 2)
        bands = torch.cat([torch.zeros_like(x[:, :1]), self._bands(x[:, 1:])], 1)
        return patches * _SCALE + bands * self.freq_scale

    def _bands(self, x: Tensor) -> Tensor:
        """Patches [B, side², width] to the same shape, changed in the bands of Haar's wavelet."""
        count, side, width = len(x), round(x.shape[1] ** 0.5), x.shape[2]
        bands = haar(x.transpose(1, 2).unflatten(2, (side, side)))
        half = bands.shape[-2:]
        t = self.dwt_norm(bands.flatten(3)).permute(0, 3, 2, 1)  # [B, places, bands, width]
        t = self._attend(t.flatten(0, 1), self.intra_band, self.norm_intra).view(count, -1, 4, width)
        t = self._attend(t.transpose(1, 2).flatten(0, 1), self.inter_band, self.norm_inter)
        t = self.norm3(t + self.dropout(self.linear2(self.dropout(relu(self.linear1(t))))))
        t = t.view(count, 4, *half, width).permute(0, 4, 1, 2, 3)
        return inverse_haar(t)[..., :side, :side].flatten(2).transpose(1, 2)

    def _attend(self, t: Tensor, attention: nn.Module, norm: nn.Module) -> Tensor:
        normed: Tensor = norm(t + self.dropout(attention(t, t, t, need_weights=False)[0]))
        return normed


class Cross(nn.Module):
    """Attention of queries [B, Q, width] to others [B, K, width of keys], then two layers, each normalised after."""

    def __init__(self, width: int, keys: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, kdim=keys, vdim=keys, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, others: Tensor) -> Tensor:
        """Return the queries, [B, Q, width]."""
        x = self.norm1(x + self.attention(x, others, others, need_weights=False)[0])
        changed: Tensor = self.norm2(x + self.linear2(relu(self.linear1(x))))
        return changed


class FatFormer(OnFrozen):
    """Images [B, 3, S, S] to logits [B, 2] (real, fake).

    ``adapters`` are spread evenly over the blocks, the last in the last block, under the numbers of their blocks.
    ``heads`` are those of the two attentions between images and texts.
    """

    prefix: Tensor
    suffix: Tensor
    logit_scale: Tensor

    def __init__(
        self, encoder: ImageEncoder, text: TextTower, scale: Tensor, prompts: Prompts, adapters: int, heads: int
    ) -> None:
        super().__init__(encoder, text)
        step = encoder.depth // adapters
        places = range(step - 1, adapters * step, step)
        self.adapters = nn.ModuleDict({str(place): Adapter(encoder.hidden) for place in places})
        words = text.token_embedding.embedding_dim
        self.context = nn.Parameter(torch.randn(prompts.contexts, words) * 0.02)
        known = text.token_embedding(prompts.tokens(text.context)).detach()
        self.register_buffer("prefix", known[:, :1].clone())
        self.register_buffer("suffix", known[:, 1 + prompts.contexts :].clone())
        self.register_buffer("logit_scale", scale.clone())
        self.enhancer = Cross(words, encoder.width, heads)
        self.interactor = Cross(encoder.width, encoder.width, heads)
        self._ends = prompts.ends()

    @property
    def text(self) -> TextTower:
        """The frozen text half of CLIP."""
        tower = self.frozen[1]
        if not isinstance(tower, TextTower):
            raise TypeError(f"{type(tower).__name__} is not a TextTower.")
        return tower

    def frozen_state(self) -> dict[str, Tensor]:
        """CLIP's tensors under OpenAI's names, without the scale of the logits."""
        return {**to_openai(self.encoder.clip.state_dict()), **self.text.state_dict()}

    def tokens(self, x: Tensor) -> Tensor:
        """All tokens of images after the last layer norm and projection, class token first: [B, 1 + patches, width]."""
        clip = self.encoder.clip
        h = clip.vision_model.pre_layrnorm(clip.vision_model.embeddings(x))
        for number, block in enumerate(clip.vision_model.encoder.layers):
            h = h + block.self_attn(block.layer_norm1(h))[0]
            change = block.mlp(block.layer_norm2(h))
            adapter = self.adapters[str(number)](h) if str(number) in self.adapters else 0
            h = h + change + adapter
        projected: Tensor = clip.visual_projection(clip.vision_model.post_layernorm(h))
        return projected

    def texts(self, tokens: Tensor) -> Tensor:
        """One embedding per image and class, [B, classes, width]: the learned context depends on the image's tokens.

        What follows the end of a text has no effect, because the text half looks back only, and is left out.
        """
        count, classes = len(tokens), len(self.prefix)
        made = self.enhancer(self.context.expand(count, -1, -1), tokens)
        fixed = [part.expand(count, *part.shape) for part in (self.prefix, self.suffix)]
        prompts = torch.cat([fixed[0], made[:, None].expand(-1, classes, -1, -1), fixed[1]], 2)
        prompts = prompts[:, :, : max(self._ends) + 1].flatten(0, 1)
        ends = torch.tensor(self._ends, device=tokens.device).repeat(count)
        return self.text.read(prompts, ends).view(count, classes, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits: the similarities of the class token, and of the patches that have seen the texts."""
        tokens = self.tokens(x)
        texts = self.texts(tokens)
        patches = self.interactor(tokens[:, 1:], texts).mean(1)
        images = normalize(tokens[:, 0], dim=1) + normalize(patches, dim=1)
        logits: Tensor = self.logit_scale.exp() * (normalize(texts, dim=2) @ images[:, :, None])[:, :, 0]
        return logits


#: The authors' names and those of the module; the first that fits is replaced.
_RENAMED = (
    ("clip_model.visual.transformer.resblocks.", "adapters."),
    ("clip_model.logit_scale", "logit_scale"),
    ("language_guided_alignment.patch_basaed_enhancer.", "enhancer.attention."),
    ("language_guided_alignment.ctx", "context"),
    ("language_guided_alignment.token_", ""),
    ("language_guided_alignment.", "enhancer."),
    ("text_guided_interactor.", "interactor.attention."),
    *((f"{part}.", f"interactor.{part}.") for part in ("norm1", "norm2", "linear1", "linear2")),
)
_OTHER_NAMES = (
    ("image_encoder.", "clip_model.visual."),
    ("text_encoder.", "clip_model."),
    ("logit_scale", "clip_model.logit_scale"),
)


def once(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a released file, in which CLIP's have two or three names, under one name each.

    A tensor that differs from that of the other name keeps its own, so that loading reports it.
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in state.items():
        short = _renamed(name, _OTHER_NAMES)
        other = kept.get(short, state.get(short, tensor))
        kept[short if torch.equal(other, tensor) else name] = tensor
    return kept


def _renamed(name: str, prefixes: Sequence[tuple[str, str]]) -> str:
    old, new = next(((old, new) for old, new in prefixes if name.startswith(old)), ("", ""))
    return new + name.removeprefix(old)


def own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a released file adds to CLIP, under the module's names; the constant filters of the wavelet are left out."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        adapter = ".forgery_aware_adapter." in name
        if "dwt_transform." in name and adapter:
            continue
        if not name.startswith("clip_model.") or adapter or name == "clip_model.logit_scale":
            found[_renamed(name, _RENAMED).replace("forgery_aware_adapter.", "")] = tensor
    return found


def clip_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The CLIP in a released file, by OpenAI's names; empty if there is none."""
    prefix = "clip_model."
    names = [name for name in state if name.startswith(prefix) and ".forgery_aware_adapter." not in name]
    return {name.removeprefix(prefix): state[name] for name in names}
