"""Backbones shared by several methods: ResNet-50, ConvNeXt, and DRCT's networks on CLIP and on ConvNeXt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from timm.models.convnext import ConvNeXt
from torch import Tensor, nn

from bench.nets.loading import load_strictly, read_tensors
from bench.nets.resnet import Norm, ResNet, Shape, load_imagenet, mini_strides
from methods._shared.clip import ImageEncoder, OnFrozen

#: Before the names of the image half in OpenCLIP's files.
_OPENCLIP = "visual.trunk."


class ConvShape(Protocol):
    """The parameters that define the architecture of a ConvNeXt."""

    @property
    def depths(self) -> Sequence[int]:
        """Blocks per stage."""

    @property
    def dims(self) -> Sequence[int]:
        """Channels per stage."""

    @property
    def patch(self) -> int:
        """Patch size of the stem, in pixels."""

    @property
    def stride(self) -> int:
        """Total downsampling factor."""

    @property
    def embedding(self) -> int:
        """Size of the embedding."""


class ResShape(Protocol):
    """The parameters that define the architecture of a ResNet-50."""

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks per stage."""

    @property
    def width(self) -> int:
        """Channels of the first stage."""

    @property
    def stride(self) -> int:
        """Total downsampling factor."""


def imagenet_resnet(
    shape: ResShape, folder: Path | None, images: int = 1, share: float = 1.0, norm: Norm = "batch"
) -> ResNet:
    """Build a ResNet with one logit, whose head weights are initialised from N(0, 0.02).

    ``folder`` contains ImageNet weights; with None the network starts from random weights. It sees ``images`` RGB
    images at once, for each of which it starts with ImageNet's first convolution times ``share``.
    """
    strides = tuple(mini_strides(shape.stride))
    network = ResNet(Shape(True, shape.depths, shape.width, strides, 3 * images, norm), classes=1)
    if folder is not None:
        load_imagenet(network, folder, share)
    nn.init.normal_(network.fc.weight, 0.0, 0.02)
    return network


def convnext(shape: ConvShape, classes: int, folder: Path | None, eps: float = 1e-6) -> ConvNeXt:
    """Build a ConvNeXt with timm's keys; ``folder`` contains pretrained weights, whose head is not loaded.

    The weights may be OpenCLIP's, which name the ConvNeXt ``visual.trunk`` beside a text half. ``eps`` is added to the
    variance in every norm.
    """
    network = ConvNeXt(
        num_classes=classes,
        depths=tuple(shape.depths),
        dims=tuple(shape.dims),
        patch_size=shape.patch,
        output_stride=shape.stride,
        norm_eps=eps,
    )
    if folder is not None:
        file = folder / "model.safetensors"
        state = read_tensors(file)
        if any(name.startswith(_OPENCLIP) for name in state):
            state = {name.removeprefix(_OPENCLIP): t for name, t in state.items() if name.startswith(_OPENCLIP)}
        state = {name: t for name, t in state.items() if not name.startswith("head.fc.")}
        load_strictly(network, state, file, "ConvNeXt of that shape", ("head.fc.",))
    return network


class FrozenPair(OnFrozen):
    """Images to (logits [B, 2], features [B, embedding]): two linear layers on CLIP's embedding, no activation."""

    def __init__(self, encoder: ImageEncoder, embedding: int) -> None:
        super().__init__(encoder)
        self.model = nn.ModuleDict({"fc": nn.Linear(encoder.width, embedding)})
        self.fc = nn.Linear(embedding, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits [B, 2] and the features [B, embedding]."""
        features = self.model["fc"](self.encoder(x))
        return self.fc(features), features


class ConvPair(nn.Module):
    """Images to (logits [B, 2], features [B, embedding]): a linear layer on a ConvNeXt whose head is the embedding."""

    def __init__(self, model: ConvNeXt, embedding: int) -> None:
        super().__init__()
        self.model, self.fc = model, nn.Linear(embedding, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits [B, 2] and the features [B, embedding]."""
        features = self.model(x)
        return self.fc(features), features


def drct_clip(folder: Path, embedding: int) -> nn.Module:
    """DRCT on frozen CLIP; official keys ``model.fc.*`` and ``fc.*``."""
    return FrozenPair(ImageEncoder(folder), embedding)


def drct_convnext(folder: Path | None, shape: ConvShape) -> nn.Module:
    """DRCT on ConvNeXt; official keys ``model.*`` and ``fc.*``."""
    return ConvPair(convnext(shape, shape.embedding, folder), shape.embedding)
