"""LASTED's network and losses: both towers of a CLIP, trained to match images with the names of their classes.

HighwayWu/LASTED@dbfb12b:model.py and main.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from bench.nets.clip import openai_state
from bench.nets.clip_resnet import ClipResNet, Shape, load_clip_resnet
from bench.nets.clip_text import TextTower, load_text_tower
from bench.nets.pretrained import load_tokenizer

#: CLIP RN50x64's image half, and vocabulary, context, width, layers, heads and embedding of its text half.
RN50X64 = Shape((3, 15, 36, 10), 128, 64, 448, 1024)
TEXT = (49408, 77, 1024, 12, 16, 1024)
#: The tokens of the authors' prompts in CLIP's vocabulary, and its marks of start and end.
WORDS = {"real": 1532, "synthetic": 19917, "photo": 1125, "painting": 3086}
START, END = 49406, 49407
#: Where training starts if the weights have no scale: log(1 / 0.07), as CLIP's own.
_SCALE = math.log(1 / 0.07)


class LASTED(nn.Module):
    """Images [B, 3, S, S] to logits [B, prompts]: the scaled cosines of image and prompts, by CLIP's two towers.

    ``prompts`` are rows of token ids that end with ``end``.
    """

    def __init__(self, visual: ClipResNet, text: TextTower, prompts: Sequence[Sequence[int]], end: int) -> None:
        super().__init__()
        self.visual, self.text = visual, text
        self.logit_scale = nn.Parameter(torch.tensor(_SCALE))
        # Numbers and not a buffer: released weights do not contain them.
        longest = max(map(len, prompts))
        self.prompts, self.end = [[*row, *[0] * (longest - len(row))] for row in prompts], end

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        image = normalize(self.visual(x), dim=1)
        text = normalize(self.text(torch.tensor(self.prompts, device=x.device), self.end), dim=1)
        logits: Tensor = self.logit_scale.exp() * image @ text.T
        return logits


def tokens(prompts: Sequence[str], folder: Path | None) -> tuple[list[list[int]], int]:
    """Token ids of ``prompts`` and the id of the end mark, by the tokenizer in ``folder`` or by CLIP's vocabulary.

    Raises ValueError if there is no folder and a word is not one of :data:`WORDS`.
    """
    if folder is not None:
        tokenizer = load_tokenizer(folder)
        return [list(tokenizer(prompt).input_ids) for prompt in prompts], int(tokenizer.eos_token_id)
    words = [prompt.lower().split() for prompt in prompts]
    unknown = sorted({word for row in words for word in row} - set(WORDS))
    if unknown:
        raise ValueError(f"prompts has words whose tokens are not known without CLIP's tokenizer: {unknown}")
    return [[START, *(WORDS[word] for word in row), END] for row in words], END


def build(prompts: Sequence[str], folder: Path | None) -> LASTED:
    """LASTED with the CLIP in ``folder``, all of it trainable; with None, RN50x64 with random weights."""
    ids, end = tokens(prompts, folder)
    if folder is None:
        return LASTED(ClipResNet(RN50X64), TextTower(*TEXT), ids, end)
    text = load_text_tower(folder).requires_grad_(True)
    network = LASTED(load_clip_resnet(folder, RN50X64), text, ids, end)
    scale = openai_state(folder).get("logit_scale")
    if scale is not None:
        network.logit_scale.data.copy_(scale)
    return network


def ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of the authors under our names, without the two layers that their network has but never uses."""
    kept = {name: t for name, t in state.items() if not name.startswith(("output_layer.", "fc."))}
    renamed = {}
    for name, tensor in kept.items():
        short = name.removeprefix("clip_model.")
        text = name.startswith("clip_model.") and not short.startswith(("visual.", "logit_scale"))
        renamed[f"text.{short}" if text else short] = tensor
    return renamed


def loss(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean of the losses along both axes of logits [B, prompts], for labels 0 … ``classes`` − 1.

    Along the image axis it is the cross-entropy. Along the text axis, the mean logit of each prompt on the images of
    its class competes with those on the images of each other class. That loss needs all classes in the batch, and is
    left out if one is absent.
    """
    images = cross_entropy(logits, labels)
    members = [labels == number for number in range(classes)]
    if not all(bool(member.any()) for member in members):
        return images
    means = torch.stack([logits[member].mean(0)[:classes] for member in members], 1)  # [prompt, class of the images]
    order = [[number, *(c for c in range(classes) if c != number)] for number in range(classes)]
    rows = means.gather(1, torch.tensor(order, device=means.device))
    return (images + cross_entropy(rows, torch.zeros(classes, dtype=torch.int64, device=means.device))) / 2
