"""GeneCIS's combiner of an image and a text embedding: facebookresearch/genecis@0c5c968:models/combiner_model.py.

Implemented from its description (Vaze et al., CVPR 2023; Baldrati et al., CLIP4Cir), with the published keys.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.loading import load_strictly, read_tensors

DROPOUT = 0.5


class Combiner(nn.Module):
    """Embeddings of an image and a text [B, width], not normalised, to a combined one [B, width] of unit length.

    Both are projected and concatenated, text first. One branch predicts a vector, the other a weight w in 0…1; the
    output is the normalised sum of the vector, w · text and (1 − w) · image. RN50x4's widths (640, 2560, 5120) give the
    published shapes.
    """

    def __init__(self, width: int, projection: int | None = None, hidden: int | None = None) -> None:
        super().__init__()
        projection, hidden = projection or 4 * width, hidden or 8 * width
        self.text_projection_layer, self.image_projection_layer = (nn.Linear(width, projection) for _ in range(2))
        self.combiner_layer, self.output_layer = nn.Linear(2 * projection, hidden), nn.Linear(hidden, width)
        self.dropout1, self.dropout2, self.dropout3 = (nn.Dropout(DROPOUT) for _ in range(3))
        self.dynamic_scalar = nn.Sequential(
            nn.Linear(2 * projection, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, 1), nn.Sigmoid()
        )

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """[B, width] and [B, width] to [B, width]."""
        joint = torch.cat(
            [
                self.dropout1(torch.relu(self.text_projection_layer(text))),
                self.dropout2(torch.relu(self.image_projection_layer(image))),
            ],
            1,
        )
        weight = self.dynamic_scalar(joint)
        combined = self.output_layer(self.dropout3(torch.relu(self.combiner_layer(joint))))
        return F.normalize(combined + weight * text + (1 - weight) * image, dim=1)


def load_combiner(network: Combiner, file: Path) -> None:
    """Load the published head, with or without the prefix ``module.``. Raises UserError unless every key matches."""
    state = read_tensors(file)
    load_strictly(network, {name.removeprefix("module."): t for name, t in state.items()}, file, "GeneCIS combiner")
