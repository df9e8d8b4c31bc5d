"""Feed-forward networks: Midjourney's upscaler, ForenSynths' SAN (super-resolution) and CRN, LNP's denoiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from bench.nets.cycleisp import Denoiser
from bench.nets.cycleisp import Shape as DenoiserShape
from tools.miniature.camera import photograph
from tools.miniature.loop import Budget, Loop, draw, pixels, rgb_of, shrink
from tools.miniature.scenes import COLOURS, GROUNDS, Scene, sample_scene
from tools.miniature.shapes import SHAPES
from tools.miniature.vae import PatchDiscriminator, energy

RGB = NDArray[np.uint8]
#: Steps, batch, seed, and whether a patch critic is used.
PLANS = {
    "cycleisp": (1500, 16, 75, False),
    "upscaler": (800, 16, 62, True),
    "san": (600, 16, 73, False),
    "crn": (1500, 24, 74, False),
}
DENOISER = DenoiserShape(width=24, groups=1, blocks=2, reduction=8)
_LAYOUT = 1 + len(COLOURS) + len(GROUNDS)
Batch = Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]]


class Upscaler(nn.Module):
    """Residual blocks, pixel shuffle and a bilinear skip: [B, 3, H, W] to [B, 3, 2H, 2W]."""

    def __init__(self, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.start = nn.Conv2d(3, width, 3, 1, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1))
            for _ in range(blocks)
        )
        self.out = nn.Sequential(nn.Conv2d(width, 12, 3, 1, 1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample images in −1…1."""
        h = self.start(x)
        for block in self.blocks:
            h = h + block(h)
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) + self.out(h)


class Refinement(nn.Module):
    """A cascade from 4 to 64 px; every stage has the layout at its own size as input (CRN)."""

    def __init__(self, widths: tuple[int, ...] = (96, 96, 64, 48, 32)) -> None:
        super().__init__()
        inside = (0, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a + _LAYOUT + 1, b, 3, 1, 1),
                nn.GroupNorm(8, b),
                nn.LeakyReLU(0.2),
                nn.Conv2d(b, b, 3, 1, 1),
                nn.LeakyReLU(0.2),
            )
            for a, b in zip(inside, widths, strict=True)
        )
        self.out = nn.Conv2d(widths[-1], 3, 1)

    def forward(self, layout: torch.Tensor) -> torch.Tensor:
        """Layouts with a noise plane [B, L + 1, 64, 64] to images [B, 3, 64, 64] in −1…1."""
        x = layout[:, :0]
        for level, stage in enumerate(self.stages):
            side = 4 * 2**level
            given = F.interpolate(layout, size=(side, side), mode="area")
            x = stage(given if level == 0 else torch.cat([F.interpolate(x, scale_factor=2), given], 1))
        return torch.tanh(self.out(x))


def layout(scene: Scene, side: int = 64) -> NDArray[Any]:
    """Planes float32 [L, H, W]: the object's mask, a copy in its colour's plane, its inverse in its ground's plane."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    x, y = (x + 0.5) / (side / 2) - 1 - 2 * scene.centre[0], (y + 0.5) / (side / 2) - 1 - 2 * scene.centre[1]
    cos, sin, radius, root = np.cos(scene.angle), np.sin(scene.angle), 2 * scene.size, np.sqrt(scene.squash)
    u, v = (x * cos + y * sin) / (radius * root), (y * cos - x * sin) * root / radius
    mask = (SHAPES[scene.object](u.astype(np.float32), v.astype(np.float32)) < 0).astype(np.float32)
    planes = np.zeros((_LAYOUT, side, side), np.float32)
    planes[0] = planes[1 + COLOURS.index(scene.colour)] = mask
    planes[1 + len(COLOURS) + GROUNDS.index(scene.ground)] = 1 - mask
    return planes


def _with_noise(layouts: torch.Tensor) -> torch.Tensor:
    return torch.cat([layouts, torch.randn_like(layouts[:, :1])], 1)


def _train(name: str, net: nn.Module, batch: Batch, count: int, budget: Budget) -> Loop:
    steps, size, seed, adversarial = PLANS[name]
    critic = PatchDiscriminator().to(budget.device)
    optimisers: dict[str, torch.optim.Optimizer] = {
        "net": torch.optim.AdamW(net.parameters(), 1e-3),
        "critic": torch.optim.AdamW(critic.parameters(), 5e-4, betas=(0.5, 0.95)),
    }
    loop = Loop(budget, steps, {"net": net, "critic": critic}, optimisers, ("net",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        given, wanted = batch(draw(seed, step, count, size))
        made = net(given)
        loss = (made - wanted).abs().mean() + 0.05 * (
            (energy(made) + 2e-3).log() - (energy(wanted) + 2e-3).log()
        ).abs().mean()
        if adversarial:
            loss = loss - 0.02 * critic(made).mean()
        optimisers["net"].zero_grad()
        loss.backward()
        optimisers["net"].step()
        if adversarial:
            hinge = F.relu(1 - critic(wanted)).mean() + F.relu(1 + critic(made.detach())).mean()
            optimisers["critic"].zero_grad()
            hinge.backward()
            optimisers["critic"].step()
        if step % 100 == 0:
            budget.say(f"{name} step {step} loss {loss.item():.4f}")
    loop.load_averages()
    net.eval()
    return loop


def train_upscaler(name: str, images: np.ndarray, budget: Budget) -> tuple[Upscaler, Loop]:
    """Train on photographs uint8 [N, H, H, 3] and their copies of half the size."""
    torch.manual_seed(PLANS[name][2])
    net, small = Upscaler().to(budget.device), shrink(images, 2)

    def batch(pick: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        return pixels(small[pick], budget.device), pixels(images[pick], budget.device)

    return net, _train(name, net, batch, len(images), budget)


def train_crn(images: np.ndarray, budget: Budget) -> tuple[Refinement, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3] of the generators' stream and their layouts."""
    torch.manual_seed(PLANS["crn"][2])
    net = Refinement().to(budget.device)

    def batch(pick: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        planes = np.stack([layout(sample_scene("generators", int(index))) for index in pick])
        return _with_noise(torch.from_numpy(planes).to(budget.device)), pixels(images[pick], budget.device)

    return net, _train("crn", net, batch, len(images), budget)


def _loaded(net: nn.Module, weights: Path, device: str) -> nn.Module:
    net.load_state_dict(load_file(weights))
    return net.to(device).eval()


@torch.no_grad()
def upscale(weights: Path, images: Iterator[RGB], device: str) -> Iterator[RGB]:
    """The images at twice their size, one after the other."""
    net = _loaded(Upscaler(), weights, device)
    for rgb in images:
        yield from rgb_of(net(pixels(rgb[None], device)))


@torch.no_grad()
def sample_crn(weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Images 64 × 64 from the scenes' layouts."""
    net = _loaded(Refinement(), weights, device)
    for scene in scenes:
        torch.manual_seed(scene.seed[-1])
        yield from rgb_of(net(_with_noise(torch.from_numpy(layout(scene))[None].to(device))))


def sample_san(weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Photographs of the scenes at 32 × 32, upsampled to 64 × 64: an edit, not a generated image."""
    return upscale(weights, (photograph(scene, 32, 32) for scene in scenes), device)


def train_denoiser(images: np.ndarray, budget: Budget) -> tuple[Denoiser, Loop]:
    """Train LNP's denoiser on pictures uint8 [N, 64, 64, 3] of the wider world with noise of 2 to 25 grey levels."""
    steps, size, seed, _ = PLANS["cycleisp"]
    torch.manual_seed(seed)
    net = Denoiser(DENOISER).to(budget.device)
    optimisers: dict[str, torch.optim.Optimizer] = {"net": torch.optim.AdamW(net.parameters(), 1e-3)}
    loop = Loop(budget, steps, {"net": net}, optimisers, ("net",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        clean = (pixels(images[draw(seed, step, len(images), size)], budget.device) + 1) / 2
        noise = torch.randn_like(clean) * (2 + 23 * torch.rand(size, 1, 1, 1, device=budget.device)) / 255
        loss = (net(clean + noise) - noise).abs().mean()
        optimisers["net"].zero_grad()
        loss.backward()
        optimisers["net"].step()
        if step % 100 == 0:
            budget.say(f"cycleisp step {step} loss {loss.item():.4f}")
    loop.load_averages()
    return net.eval(), loop


@torch.no_grad()
def denoised_gain(net: Denoiser, images: np.ndarray) -> float:
    """Gain of PSNR in dB by denoising pictures with noise of 12 grey levels."""
    clean = (pixels(images, "cpu") + 1) / 2
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(clean.shape, np.float32)) * 12 / 255
    left = torch.cat([net(part) for part in (clean + noise).split(50)]) - noise
    return float(20 * (noise.square().mean().sqrt() / left.square().mean().sqrt()).log10())
