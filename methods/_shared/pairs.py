"""SemGIR's classifiers: the embeddings of an image and of its regeneration side by side (Yu et al., ACM MM 2024).

No code is published; layers and widths are those of the paper's section 4.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from bench.nets.clip_resnet import ClipResNet
from bench.nets.combiner import Combiner


class Pair(nn.Module):
    """Detection (Eq. 4): images and their regenerations [B, 3, S, S] to logits [B, 2].

    One encoder reads both. Its batch norms keep their statistics, also in training; ``frozen`` keeps all of it.
    ``single`` leaves the regeneration out (the ablation of the paper's Table 4).
    """

    def __init__(self, encoder: ClipResNet, frozen: bool, single: bool) -> None:
        super().__init__()
        self.encoder, self.single = encoder.requires_grad_(not frozen), single
        width = encoder.shape.output
        self.classifier = nn.Sequential(nn.Linear(width * (1 if single else 2), width), nn.ReLU(), nn.Linear(width, 2))

    def train(self, mode: bool = True) -> Pair:
        """Train the classifier; the encoder stays in its test mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, image: Tensor, regenerated: Tensor) -> Tensor:
        """Logits [B, 2]."""
        if self.single:
            features = self.encoder(image)
        else:
            features = torch.cat(self.encoder(torch.cat([image, regenerated])).chunk(2), 1)
        logits: Tensor = self.classifier(features)
        return logits


class Conditioned(Pair):
    """Attribution (Eq. 5, 6): the image is mixed with its caption's embedding before it is compared.

    The mixture has unit length by construction, so the regeneration's embedding is brought to unit length too.
    """

    def __init__(self, encoder: ClipResNet, frozen: bool, combiner: Combiner) -> None:
        super().__init__(encoder, frozen, single=False)
        self.combiner = combiner

    def forward(self, image: Tensor, regenerated: Tensor, text: Tensor | None = None) -> Tensor:
        """Logits [B, 2]; ``text`` [B, width] are the captions' embeddings, not normalised."""
        if text is None:
            raise TypeError("Attribution needs the captions' embeddings.")
        own, other = self.encoder(torch.cat([image, regenerated])).chunk(2)
        logits: Tensor = self.classifier(torch.cat([self.combiner(own, text), normalize(other, dim=1)], 1))
        return logits
