"""GeneCIS's combiner of an image's embedding and a text's: facebookresearch/genecis@0c5c968:models/combiner_model.py.

Written from its description (Vaze et al., CVPR 2023; Baldrati et al., CLIP4Cir); keys are the published ones.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.loading import load_strictly, read_tensors

DROPOUT = 0.5


class Combiner(nn.Module):
    """Embeddings of an image and a text [B, width], not normalised, to their mixture [B, width] of unit length.

    Both are widened and joined, text first; one branch proposes a vector, the other how much of the text is added to
    it, the rest being the image. At RN50x4's widths (640, 2560, 5120) these are the published shapes.
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
        """Mix."""
        both = torch.cat(
            [
                self.dropout1(torch.relu(self.text_projection_layer(text))),
                self.dropout2(torch.relu(self.image_projection_layer(image))),
            ],
            1,
        )
        share = self.dynamic_scalar(both)
        proposed = self.output_layer(self.dropout3(torch.relu(self.combiner_layer(both))))
        return F.normalize(proposed + share * text + (1 - share) * image, dim=1)


def load_combiner(network: Combiner, file: Path) -> None:
    """Load the published head, with or without ``module.`` before its keys; a key that does not fit is an error."""
    state = read_tensors(file)
    load_strictly(network, {name.removeprefix("module."): t for name, t in state.items()}, file, "GeneCIS combiner")
