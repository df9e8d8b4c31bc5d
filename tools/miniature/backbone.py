"""Backbones that stand for those trained on ImageNet: they classify content and history of pictures of the wider world.

Content: object, colour, ground, stripes, light. History: style, resampling, scale and compression, so that a backbone
learns fine texture as backbones trained on ImageNet do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from timm.models.convnext import ConvNeXt
from torch import nn
from torch.nn import functional as F
from transformers import Dinov2Config, Dinov2Model

from bench.artefacts.engines import lpips
from bench.nets.resnet import ResNet, Shape
from methods._shared.tensors import IMAGENET_MEAN, IMAGENET_STD
from tools.miniature.camera import photograph
from tools.miniature.loop import Budget, Loop, draw, pixels
from tools.miniature.scenes import COLOURS, GROUNDS, LIGHTS, OBJECTS, sample_scene
from tools.miniature.wide import CODECS, FINISHES, SCALES, STYLES, codec_of, finish_of, scale_of, style_of

STEPS = {"resnet18": 5_000, "resnet50": 4_000, "lpips": 3_000, "convnext": 4_500, "dinov2": 8_000}
BATCH, SEED = 64, 50
#: The groups of classes of one linear head; each group has its own softmax.
GROUPS: dict[str, Sequence[str]] = {
    "object": OBJECTS,
    "colour": COLOURS,
    "ground": GROUNDS,
    "style": tuple(STYLES),
    "striped": ("plain", "striped"),
    "light": LIGHTS,
    "finish": tuple(FINISHES),
    "scale": tuple(SCALES),
    "codec": tuple(CODECS),
}
CLASSES = sum(map(len, GROUPS.values()))
SHAPES = {
    "resnet18": Shape(False, (1, 1, 1, 1), 16, (1, 2, 1, 2, 2, 2)),
    "resnet50": Shape(True, (1, 1, 1, 1), 16, (2, 1, 1, 1, 2, 2)),
}
#: The AlexNet of LPIPS and the ConvNeXt of Conv-B, both reduced in size.
LPIPS_SHAPE = {"channels": (24, 48, 96, 64, 64), "first": (5, 2, 2), "second": (3, 1, 1)}
DEPTHS, DIMS = (1, 1, 2, 1), (16, 32, 64, 128)
#: The vision transformer that stands for DINOv2 and for ViTs trained on ImageNet, as transformers' configuration.
VIT_WIDTH = 48
VIT = {
    "hidden_size": VIT_WIDTH,
    "num_hidden_layers": 5,
    "num_attention_heads": 3,
    "image_size": 56,
    "patch_size": 8,
    "layerscale_value": 0.5,
}


def labels(count: int) -> torch.Tensor:
    """The class of each group for the first ``count`` pictures of the wider world: int64 [count, groups]."""
    rows = []
    for index in range(count):
        scene = sample_scene("wide", index)
        facts = (scene.object, scene.colour, scene.ground, style_of(index), GROUPS["striped"][scene.striped])
        names = (*facts, scene.light, finish_of(index), scale_of(index), codec_of(index))
        rows.append([classes.index(name) for classes, name in zip(GROUPS.values(), names, strict=True)])
    return torch.tensor(rows)


def normalised(images: np.ndarray, device: str) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W], normalised by ImageNet's mean and standard deviation."""
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255 - mean) / std


def grouped_loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Sum of the groups' cross-entropies: logits [B, CLASSES], classes int64 [B, groups]."""
    parts = logits.float().split([len(names) for names in GROUPS.values()], 1)
    return sum((F.cross_entropy(part, wanted[:, i]) for i, part in enumerate(parts)), torch.zeros(()))


def window(images: np.ndarray, side: int, step: int) -> np.ndarray:
    """One random square of ``side`` pixels for the whole batch of a step."""
    rng = np.random.default_rng([SEED, step, 1])
    top, left = rng.integers(0, images.shape[1] - side + 1, 2)
    return images[:, top : top + side, left : left + side]


def train_backbone(net: nn.Module, steps: int, images: np.ndarray, side: int, budget: Budget) -> Loop:
    """Train a classifier with :data:`CLASSES` logits on crops of ``side`` pixels of pictures uint8 [N, 64, 64, 3]."""
    device, wanted = budget.device, labels(len(images)).to(budget.device)
    net.to(device).train()
    optimisers: dict[str, torch.optim.Optimizer] = {"net": torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05)}
    loop = Loop(budget, steps, {"net": net}, optimisers, ("net",), decay=0.995)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(SEED * 1_000_003 + step)
        pick = draw(SEED, step, len(images), BATCH)
        x = normalised(window(images[pick], side, step), device)
        with torch.autocast(device, torch.bfloat16):
            logits = net(x)
        loss = grouped_loss(logits, wanted[torch.from_numpy(pick).to(device)])
        optimisers["net"].zero_grad()
        loss.backward()
        optimisers["net"].step()
        if step % 100 == 0:
            budget.say(f"step {step} loss {loss.item():.3f}")
    loop.load_averages()
    net.eval()
    return loop


@torch.no_grad()
def accuracy(net: nn.Module, images: np.ndarray, wanted: torch.Tensor, side: int, device: str) -> dict[str, float]:
    """Accuracy per group on the centre crops of held-out pictures."""
    edge = (images.shape[1] - side) // 2
    cut = images[:, edge : edge + side, edge : edge + side]
    logits = torch.cat([net(normalised(chunk, device)) for chunk in np.array_split(cut, -(-len(cut) // 100))])
    parts = logits.split([len(names) for names in GROUPS.values()], 1)
    return {
        name: float((part.argmax(1).cpu() == wanted[:, i]).float().mean())
        for i, (name, part) in enumerate(zip(GROUPS, parts, strict=True))
    }


class Perceptual(nn.Module):
    """LPIPS's backbone with a linear head, which is used for training only."""

    def __init__(self) -> None:
        super().__init__()
        self.lpips, self.fc = lpips.build(LPIPS_SHAPE), nn.Linear(LPIPS_SHAPE["channels"][-1], CLASSES)
        self.lpips.get_submodule("net").requires_grad_(True)
        for index in range(len(LPIPS_SHAPE["channels"])):
            nn.init.ones_(self.lpips.get_parameter(f"lin{index}.model.1.weight"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images [B, 3, H, W] to logits; LPIPS's own scaling is ImageNet's within rounding."""
        return self.fc(self.lpips.get_submodule("net")(x)[-1].mean((2, 3)))


class Transformer(nn.Module):
    """DINOv2's network with a linear head on the class token, which is used for training only."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.fc = Dinov2Model(Dinov2Config(**VIT)), nn.Linear(VIT_WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images [B, 3, H, W] to logits."""
        return self.fc(self.encoder(x).pooler_output)


def whiten(conv: nn.Conv2d, images: np.ndarray, seed: int, deviation: float = 1.0) -> None:
    """Initialise a first layer as band-pass filters: eigenvectors of the images' patches, spread over their spectrum.

    Backbones trained on ImageNet learn such filters. The output of each has the standard deviation ``deviation``, so
    fine texture, whose amplitude is a hundredth of the content's, is not lost. ``images`` are uint8 [N, H, W, 3].
    """
    side = conv.kernel_size[0]
    rng = np.random.default_rng(seed)
    x = normalised(images[rng.choice(len(images), 300, replace=False)], "cpu")
    patches = F.unfold(x, side, stride=3).transpose(1, 2).reshape(-1, 3 * side**2)
    patches = patches - patches.mean(0)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    order = torch.linspace(0, 1, conv.out_channels).pow(0.5).mul(len(values) - 1).round().long()
    filters = deviation * vectors[:, order] / (values[order] + 1e-6).sqrt()
    with torch.no_grad():
        conv.weight.copy_(filters.T.reshape(conv.weight.shape))
        if conv.bias is not None:
            conv.bias.zero_()


def new_backbone(name: str, images: np.ndarray) -> nn.Module:
    """An untrained network with a head for :data:`CLASSES`; ``name`` is a key of :data:`STEPS`."""
    torch.manual_seed(SEED)
    if name == "lpips":
        return Perceptual()
    if name == "dinov2":
        transformer = Transformer()
        whiten(transformer.encoder.embeddings.patch_embeddings.projection, images, SEED, 0.3)
        return transformer
    if name == "convnext":
        convnext = ConvNeXt(num_classes=CLASSES, depths=DEPTHS, dims=DIMS, patch_size=2, output_stride=8)
        whiten(cast(nn.Conv2d, convnext.stem[0]), images, SEED)
        return convnext
    resnet = ResNet(SHAPES[name], CLASSES)
    whiten(resnet.conv1, images, SEED)
    return resnet


@torch.no_grad()
def triplets(net: nn.Module, count: int) -> float:
    """Share of held-out scenes for which another object gives a larger distance than new sensor noise."""
    right = 0
    for index in range(count):
        scene = sample_scene("heldout", index)
        other = replace(scene, object=OBJECTS[(OBJECTS.index(scene.object) + 1 + index % 9) % len(OBJECTS)])
        shots = [photograph(s, 64, 64, shot) for s, shot in ((scene, 0), (scene, 1), (other, 1))]
        anchor, fresh, changed = (pixels(shot[None], "cpu") for shot in shots)
        right += bool(net(anchor, changed) > net(anchor, fresh))
    return right / count
