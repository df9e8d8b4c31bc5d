"""The text half of a CLIP with the keys of openai/CLIP:clip/model.py, as in open_clip's files."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection

from bench.errors import UserError
from bench.nets.clip import load_half, openai_file, openai_state
from bench.nets.loading import load_strictly


class QuickGELU(nn.Module):
    """x · σ(1.702 x), OpenAI's approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, same shape out."""
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """A transformer block with causal attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        layers = (("c_fc", nn.Linear(width, 4 * width)), ("gelu", QuickGELU()), ("c_proj", nn.Linear(4 * width, width)))
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width], same shape out."""
        length = x.shape[1]
        mask = torch.full((length, length), float("-inf"), device=x.device).triu(1)
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, attn_mask=mask, need_weights=False)[0]
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class TextTower(nn.Module):
    """Token ids int64 [B, T] to embeddings [B, output], projected, not normalised, read at each text's end token."""

    def __init__(self, vocabulary: int, context: int, width: int, layers: int, heads: int, output: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(context, width))
        self.transformer = nn.ModuleDict({"resblocks": nn.Sequential(*(Block(width, heads) for _ in range(layers)))})
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, output))

    @property
    def context(self) -> int:
        """Tokens per text."""
        return len(self.positional_embedding)

    def forward(self, tokens: Tensor, end: int) -> Tensor:
        """Embed texts that end with their first ``end`` token."""
        return self.read(self.token_embedding(tokens), (tokens == end).int().argmax(1))

    def read(self, x: Tensor, last: Tensor) -> Tensor:
        """Embed texts given as embedded tokens [B, T, width]; ``last`` [B] are the places of their end tokens."""
        x = self.ln_final(self.transformer["resblocks"](x + self.positional_embedding[: x.shape[1]]))
        embedded: Tensor = x[torch.arange(len(x), device=x.device), last] @ self.text_projection
        return embedded


def load_text_tower(folder: Path) -> TextTower:
    """Load the text half of a CLIP in open_clip's layout; its sizes are those of its tensors.

    Heads are 64 wide, as in OpenAI's models, unless ``shape.json`` gives ``text_heads``. Raises UserError if the text
    half is missing, or unless every key and shape of it matches.
    """
    ignored = ("visual.", "logit_scale", "input_resolution", "context_length", "vocab_size")
    state = {name: t for name, t in openai_state(folder).items() if not name.startswith(ignored)}
    missing = {"token_embedding.weight", "positional_embedding", "text_projection"} - set(state)
    if missing:
        raise UserError(
            f"The CLIP in {folder} has no text half.",
            f"Missing: {', '.join(sorted(missing))}.",
            "Give a folder with both halves by --weights ROLE=FOLDER.",
        )
    vocabulary, width = state["token_embedding.weight"].shape
    config = folder / "shape.json"
    values = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    layers = len({name.split(".")[2] for name in state if name.startswith("transformer.resblocks.")})
    sizes = (len(state["positional_embedding"]), width, layers, values.get("text_heads", max(1, width // 64)))
    tower = TextTower(vocabulary, *sizes, state["text_projection"].shape[1])
    load_strictly(tower, state, openai_file(folder), "text half of a CLIP")
    return tower.eval().requires_grad_(False)


def text_tower_of_hub(folder: Path) -> TextTower:
    """Load the text half of a CLIP in the Hub's format."""
    model = load_half(CLIPTextModelWithProjection, folder)
    c = model.config
    tower = TextTower(
        c.vocab_size,
        c.max_position_embeddings,
        c.hidden_size,
        c.num_hidden_layers,
        c.num_attention_heads,
        c.projection_dim,
    )
    load_strictly(tower, from_transformers(model.state_dict()), folder, "text half of a CLIP")
    return tower.eval().requires_grad_(False)


def from_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of transformers' CLIPTextModelWithProjection under OpenAI's names."""
    text = "text_model."
    renamed = {
        "token_embedding.weight": state[f"{text}embeddings.token_embedding.weight"],
        "positional_embedding": state[f"{text}embeddings.position_embedding.weight"],
        "text_projection": state["text_projection.weight"].T.contiguous(),
    }
    layers = sorted({int(n.split(".")[3]) for n in state if n.startswith(f"{text}encoder.layers.")})
    for kind in ("weight", "bias"):
        renamed[f"ln_final.{kind}"] = state[f"{text}final_layer_norm.{kind}"]
        for layer in layers:
            old, new = f"{text}encoder.layers.{layer}", f"transformer.resblocks.{layer}"
            qkv = [state[f"{old}.self_attn.{name}_proj.{kind}"] for name in ("q", "k", "v")]
            renamed[f"{new}.attn.in_proj_{kind}"] = torch.cat(qkv)
            renamed[f"{new}.attn.out_proj.{kind}"] = state[f"{old}.self_attn.out_proj.{kind}"]
            for a, b in (
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ):
                renamed[f"{new}.{b}.{kind}"] = state[f"{old}.{a}.{kind}"]
    return renamed
