"""DE-FAKE's classifier: zeyangsha/De-Fake@7584f06:test.py (NeuralNet)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods._shared.clip import ImageEncoder, OnFrozen

WIDTHS = (512, 256)


class Hybrid(OnFrozen):
    """Images and text embeddings to logits [B, 2].

    Image and text embeddings are concatenated in this order and pass three linear layers; dropout follows the first.
    """

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__(encoder)
        self.fc1, self.fc2 = nn.Linear(2 * encoder.width, WIDTHS[0]), nn.Linear(*WIDTHS)
        self.fc3, self.dropout = nn.Linear(WIDTHS[1], 2), nn.Dropout(0.5)

    def head(self, embeddings: Tensor) -> Tensor:
        """Map concatenated embeddings [B, 2 · width] to logits [B, 2]."""
        x = self.dropout(torch.relu(self.fc1(embeddings)))
        logits: Tensor = self.fc3(torch.relu(self.fc2(x)))
        return logits

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """Map images [B, 3, S, S] and text embeddings [B, width] to logits [B, 2]."""
        return self.head(torch.cat([self.encoder(image), text], 1))
