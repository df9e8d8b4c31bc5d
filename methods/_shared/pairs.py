"""SemGIR's classifiers of the concatenated embeddings of an image and its regeneration (Yu et al., ACM MM 2024).

No code is published; layers and widths follow section 4.1 of the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from bench.nets.clip_resnet import ClipResNet
from bench.nets.combiner import Combiner


class Pair(nn.Module):
    """Detection (Eq. 4): images and their regenerations [B, 3, S, S] to logits [B, 2].

    One encoder embeds both. Its batch norms do not update their statistics in training; ``frozen`` fixes all its
    weights. ``single`` leaves the regeneration out (the ablation in Table 4 of the paper).
    """

    def __init__(self, encoder: ClipResNet, frozen: bool, single: bool) -> None:
        super().__init__()
        self.encoder, self.single = encoder.requires_grad_(not frozen), single
        width = encoder.shape.output
        self.classifier = nn.Sequential(nn.Linear(width * (1 if single else 2), width), nn.ReLU(), nn.Linear(width, 2))

    def train(self, mode: bool = True) -> Pair:
        """Set the mode of the classifier; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, image: Tensor, regenerated: Tensor) -> Tensor:
        """Return the logits [B, 2]."""
        if self.single:
            features = self.encoder(image)
        else:
            features = torch.cat(self.encoder(torch.cat([image, regenerated])).chunk(2), 1)
        logits: Tensor = self.classifier(features)
        return logits


class Conditioned(Pair):
    """Attribution (Eq. 5, 6): the embeddings of the image and its caption are combined before the comparison.

    The combined embedding has unit length by construction, so the embedding of the regeneration is normalised too.
    """

    def __init__(self, encoder: ClipResNet, frozen: bool, combiner: Combiner) -> None:
        super().__init__(encoder, frozen, single=False)
        self.combiner = combiner

    def forward(self, image: Tensor, regenerated: Tensor, text: Tensor | None = None) -> Tensor:
        """Return the logits [B, 2]; ``text`` [B, width] holds the captions' embeddings, not normalised.

        Raises TypeError without ``text``.
        """
        if text is None:
            raise TypeError("Attribution needs the captions' embeddings.")
        original, remade = self.encoder(torch.cat([image, regenerated])).chunk(2)
        logits: Tensor = self.classifier(torch.cat([self.combiner(original, text), normalize(remade, dim=1)], 1))
        return logits
