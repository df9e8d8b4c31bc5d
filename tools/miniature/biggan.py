"""A small BigGAN: class-conditional batch norm, spectral norm, projection critic, hinge loss; 32 × 32 pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tools.miniature.loop import Budget, Loop, draw, pixels, shrink
from tools.miniature.scenes import COLOURS, GROUNDS, OBJECTS, sample_scene

STEPS, BATCH, SEED, LATENT = 5000, 32, 28, 64
_CLASSES = (OBJECTS, COLOURS, GROUNDS)
_sn = nn.utils.parametrizations.spectral_norm


class ClassEmbedding(nn.Module):
    """One vector each for object, colour and ground, concatenated: ids int64 [B, 3] to [B, 3 × width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(len(names), width) for names in _CLASSES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed ids int64 [B, 3] as [B, 3 × width]."""
        return torch.cat([table(ids[:, i]) for i, table in enumerate(self.tables)], 1)


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and bias are linear functions of the condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain, self.bias = nn.Linear(condition, channels), nn.Linear(condition, channels)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """Normalise x [B, C, H, W] under condition c [B, condition]."""
        return self.norm(x) * (1 + self.gain(c))[..., None, None] + self.bias(c)[..., None, None]


class UpBlock(nn.Module):
    """BigGAN's residual block, which doubles height and width."""

    def __init__(self, inside: int, outside: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(inside, condition), ConditionalNorm(outside, condition)
        self.conv1, self.conv2 = nn.Conv2d(inside, outside, 3, 1, 1), nn.Conv2d(outside, outside, 3, 1, 1)
        self.skip = nn.Conv2d(inside, outside, 1)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """[B, inside, H, W] to [B, outside, 2H, 2W]."""
        h = self.conv1(F.interpolate(F.relu(self.norm1(x, c)), scale_factor=2))
        h = self.conv2(F.relu(self.norm2(h, c)))
        return h + self.skip(F.interpolate(x, scale_factor=2))


class Generator(nn.Module):
    """Noise [B, 64] and class ids [B, 3] to images [B, 3, 32, 32] in −1…1."""

    def __init__(self, widths: tuple[int, ...] = (96, 64, 32, 16)) -> None:
        super().__init__()
        condition = LATENT + 3 * 24
        self.embedding = ClassEmbedding(24)
        self.start = nn.Linear(condition, widths[0] * 16)
        self.blocks = nn.ModuleList(UpBlock(a, b, condition) for a, b in pairwise(widths))
        self.norm, self.out = nn.BatchNorm2d(widths[-1]), nn.Conv2d(widths[-1], 3, 3, 1, 1)

    def forward(self, z: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Generate images; ``z`` is standard normal, or truncated for fidelity."""
        c = torch.cat([z, self.embedding(ids)], 1)
        x = self.start(c).view(len(z), -1, 4, 4)
        for block in self.blocks:
            x = block(x, c)
        return torch.tanh(self.out(F.relu(self.norm(x))))


class DownBlock(nn.Module):
    """The critic's residual block, which halves height and width."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _sn(nn.Conv2d(inside, outside, 3, 1, 1)), _sn(nn.Conv2d(outside, outside, 3, 1, 1))
        self.skip = _sn(nn.Conv2d(inside, outside, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, inside, H, W] to [B, outside, H / 2, W / 2]."""
        h = self.conv2(F.relu(self.conv1(F.relu(x))))
        return F.avg_pool2d(h, 2) + self.skip(F.avg_pool2d(x, 2))


class Critic(nn.Module):
    """Projection critic: images [B, 3, 32, 32] and class ids [B, 3] to logits [B]."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.start = _sn(nn.Conv2d(3, widths[0], 3, 1, 1))
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.embedding, self.project = ClassEmbedding(48), _sn(nn.Linear(3 * 48, widths[-1], bias=False))
        self.out = _sn(nn.Linear(widths[-1], 1))

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Logits [B]; larger means more like a photograph of that class."""
        x = self.start(x)
        for block in self.blocks:
            x = block(x)
        features = F.relu(x).sum((2, 3)) / 4
        logit: torch.Tensor = self.out(features)[:, 0] + (self.project(self.embedding(ids)) * features).sum(1)
        return logit


def class_ids(stream: str, start: int, count: int) -> torch.Tensor:
    """Object, colour and ground ids of scenes of a stream: int64 [count, 3]."""
    scenes = [sample_scene(stream, index) for index in range(start, start + count)]
    rows = [(OBJECTS.index(s.object), COLOURS.index(s.colour), GROUNDS.index(s.ground)) for s in scenes]
    return torch.tensor(rows)


def _shift(x: torch.Tensor) -> torch.Tensor:
    """DiffAugment's translation by up to four pixels, with one offset per batch."""
    dx, dy = (int(v) for v in torch.randint(-4, 5, (2,)))
    return torch.roll(F.pad(x, (4, 4, 4, 4), mode="reflect"), (dy, dx), (2, 3))[:, :, 4:-4, 4:-4]


def train_biggan(images: np.ndarray, budget: Budget) -> tuple[Generator, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3], which are halved; the critic takes two steps per generator step."""
    device = budget.device
    small = shrink(images, 2)
    ids = class_ids("generators", 0, len(images)).to(device)
    torch.manual_seed(SEED)
    generator, critic = Generator().to(device), Critic().to(device)
    optimisers: dict[str, torch.optim.Optimizer] = {
        "generator": torch.optim.Adam(generator.parameters(), 3e-4, betas=(0.0, 0.99)),
        "critic": torch.optim.Adam(critic.parameters(), 4e-4, betas=(0.0, 0.99)),
    }
    loop = Loop(budget, STEPS, {"generator": generator, "critic": critic}, optimisers, ("generator",), decay=0.999)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(SEED * 1_000_003 + step)
        pick = draw(SEED, step, len(images), BATCH)
        x, c = pixels(small[pick], device), ids[torch.from_numpy(pick).to(device)]
        with torch.autocast(device, torch.bfloat16):
            fake = generator(torch.randn(BATCH, LATENT, device=device), c)
            real_logit, fake_logit = critic(_shift(x), c).float(), critic(_shift(fake.detach()), c).float()
        optimisers["critic"].zero_grad()
        (F.relu(1 - real_logit).mean() + F.relu(1 + fake_logit).mean()).backward()
        optimisers["critic"].step()
        if step % 2 == 0:
            with torch.autocast(device, torch.bfloat16):
                fake = generator(torch.randn(BATCH, LATENT, device=device), c)
                loss = -critic(_shift(fake), c).float().mean()
            optimisers["generator"].zero_grad()
            loss.backward()
            optimisers["generator"].step()
    loop.load_averages()
    return generator.eval(), loop
