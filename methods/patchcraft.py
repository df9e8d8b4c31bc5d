"""PatchCraft: patches with the least texture against those with the most (2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.detector import Card, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Seed of torch's generator, which draws the patches of every test image.
SEED = 42


@dataclass(frozen=True)
class Params:
    """``size``: side of the two images of patches. ``blocks``: patches per side of one.

    ``degraded_prob``: probability of each of downsampling, blur and JPEG compression in training. ``width``: channels
    of the network.
    """

    size: int = 256
    blocks: int = 8
    degraded_prob: Share = 0.1
    width: int = 32
    lr: float = 1e-3
    epochs: int = 20
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.size % self.blocks:
            raise ValueError(f"size, {self.size}, must be a multiple of blocks, {self.blocks}")


class PatchCraft(recipes.OneLogit):
    """A small network on the high-pass filtered patches of poor texture minus those of rich texture."""

    card = Card(
        title="PatchCraft",
        year=2023,
        paper="Zhong et al.: PatchCraft: Exploring Texture Patch for Efficient AI-generated Image Detection, "
        "arXiv 2311.12397",
        code="mever-team/sidbench@b33f51c",
        licence="Apache-2.0 (a port); the authors' benchmark states none",
        pretraining="none",
        label_convention="1 = fake",
        geometry="torchvision: 192 random crops of 32 without resizing; images below 32 resized to 32 x 32, bilinear",
        version=1,
        deviations=(
            "the authors' repository, Ekko-zn/AIGCDetectBenchmark@5cd41a6, has no code of it: network and preparation "
            "are those of the port, which loads the authors' weights",
            "every test image's patches are drawn from one seed; the port draws other ones in each run, so its scores "
            "are random",
            "the filtered values are not truncated, as in the port, which defines a truncation and does not apply it",
            "no training code was published: downsampling, blur and JPEG with probability 0.1 each, Adam with a rate "
            "of 1e-3, batches of 32, 20 epochs of which the best on validation images is kept, are a plain recipe",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, object]) -> nn.Module:
        """Return the network with one logit."""
        from bench.nets.patchcraft import TextureContrast

        return TextureContrast(self.params.width)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [2, 3, size, size] in 0…1, not normalised: poor texture, then rich texture.

        Training shrinks, blurs, compresses, and draws other patches every time.
        """
        from methods._shared.texture import contrast, degraded

        p, rgb, seed = self.params, sample.rgb, SEED
        if stage == "train":
            rgb, seed = degraded(rgb, p.degraded_prob, rng), int(rng.integers(2**32))
        return {"image": contrast(rgb, p.size, p.blocks, seed)}

    def schedule(self) -> Schedule:
        """Adam with a fixed learning rate; the best epoch on validation images is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, keep_best=True)


METHOD = PatchCraft
