"""Two GANs for ForenSynths, conditioned on the object only: a ProGAN and a StyleGAN2; 32 × 32 pixels.

Both use StyleGAN2's non-saturating logistic loss with R1 every eighth step (the original ProGAN uses WGAN-GP).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from bench.artefacts.batching import noise
from bench.nets.stylegan import Discriminator
from bench.nets.stylegan import Shape as DiscriminatorShape
from tools.miniature.biggan import class_ids
from tools.miniature.loop import Budget, Loop, draw, pixels, rgb_of, shrink
from tools.miniature.scenes import OBJECTS, Scene

RGB = NDArray[np.uint8]
LATENT, BATCH, R1_EVERY, R1 = 64, 32, 8, 1.0
#: Steps and seed.
PLANS = {"progan": (2500, 71), "stylegan2": (2500, 72), "stylegan_discriminator": (400, 76)}
#: LGrad's discriminator, 64 px, and the widths of the generator that it plays against.
DISCRIMINATOR, AGAINST = DiscriminatorShape(64, 1024, 64), (64, 48, 32, 24, 16)
_WIDTHS = (96, 64, 48, 24)


class EqualConv(nn.Module):
    """A convolution whose weights have unit deviation and are scaled at run time (equalised learning rate)."""

    def __init__(self, inside: int, outside: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.scale, self.padding = (2 / (inside * kernel**2)) ** 0.5, kernel // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, inside, H, W] to [B, outside, H, W]."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


def _unit(x: torch.Tensor) -> torch.Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class ProGAN(nn.Module):
    """Pixel norm, nearest upsampling, one RGB head per resolution; ``stage`` in 0…3 fades in 4 to 32 px."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(OBJECTS), LATENT)
        self.start = nn.Linear(2 * LATENT, _WIDTHS[0] * 16)
        pairs = [(_WIDTHS[max(i - 1, 0)], width) for i, width in enumerate(_WIDTHS)]
        self.first = nn.ModuleList(EqualConv(a, b, 3) for a, b in pairs)
        self.second = nn.ModuleList(EqualConv(b, b, 3) for _, b in pairs)
        self.rgb = nn.ModuleList(EqualConv(b, 3, 1) for _, b in pairs)

    def forward(self, z: torch.Tensor, ids: torch.Tensor, stage: float = 3.0) -> torch.Tensor:
        """Noise [B, 64] and object ids [B] to images [B, 3, 32, 32]; early stages are upsampled."""
        x = self.start(_unit(torch.cat([z, self.embedding(ids)], 1))).view(len(z), -1, 4, 4)
        image = torch.zeros((), device=z.device)
        for level in range(int(np.ceil(stage)) + 1):
            if level:
                x, image = F.interpolate(x, scale_factor=2), F.interpolate(image, scale_factor=2)
            x = _unit(F.leaky_relu(self.first[level](x), 0.2))
            x = _unit(F.leaky_relu(self.second[level](x), 0.2))
            share = min(1.0, stage - level + 1) if level else 1.0
            image = (1 - share) * image + share * self.rgb[level](x)
        return F.interpolate(image, size=(32, 32))


class StyleBlock(nn.Module):
    """A modulated, demodulated 3 × 3 convolution with noise (StyleGAN2)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside, 3, 3))
        self.style = nn.Linear(LATENT, inside)
        self.bias, self.strength = nn.Parameter(torch.zeros(1, outside, 1, 1)), nn.Parameter(torch.zeros(1))
        nn.init.ones_(self.style.bias)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """[B, inside, H, W] under styles [B, 64] to [B, outside, H, W]."""
        style, weight = self.style(w), self.weight / self.weight[0].numel() ** 0.5
        norm = torch.einsum("oi,bi->bo", weight.square().sum((2, 3)), style.square()).add(1e-8).rsqrt()
        x = F.conv2d(x * style[..., None, None], weight, padding=1) * norm[..., None, None]
        x = x + self.strength * torch.randn(len(x), 1, *x.shape[2:], device=x.device)
        return F.leaky_relu(x + self.bias, 0.2) * 2**0.5


class StyleGAN2(nn.Module):
    """Mapping network, learned constant, two style blocks and one width per resolution, summed RGB skips."""

    def __init__(self, widths: tuple[int, ...] = _WIDTHS) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(OBJECTS), LATENT)
        layers = [nn.Linear(2 * LATENT, LATENT), nn.LeakyReLU(0.2), nn.Linear(LATENT, LATENT), nn.LeakyReLU(0.2)]
        self.mapping = nn.Sequential(*layers, nn.Linear(LATENT, LATENT))
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        pairs = [(widths[max(i - 1, 0)], width) for i, width in enumerate(widths)]
        self.first = nn.ModuleList(StyleBlock(a, b) for a, b in pairs)
        self.second = nn.ModuleList(StyleBlock(b, b) for _, b in pairs)
        self.rgb = nn.ModuleList(EqualConv(b, 3, 1) for _, b in pairs)

    def forward(self, z: torch.Tensor, ids: torch.Tensor, stage: float = 3.0) -> torch.Tensor:
        """Noise [B, 64] and object ids [B] to images, 32 × 32 for four widths; ``stage`` is ignored."""
        w = self.mapping(torch.cat([_unit(z), self.embedding(ids)], 1))
        x, image = self.constant.expand(len(z), -1, -1, -1), torch.zeros((), device=z.device)
        for level, (first, second, rgb) in enumerate(zip(self.first, self.second, self.rgb, strict=True)):
            if level:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
                image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
            x = second(first(x, w), w)
            image = image + rgb(x)
        return image


class Critic(nn.Module):
    """Residual critic with minibatch standard deviation and a projection of the object."""

    def __init__(self) -> None:
        super().__init__()
        widths = _WIDTHS[::-1]
        self.start = EqualConv(3, widths[0], 1)
        pairs = list(zip(widths, (*widths[1:], widths[-1]), strict=True))[:3]
        self.first = nn.ModuleList(EqualConv(a, b, 3) for a, b in pairs)
        self.second = nn.ModuleList(EqualConv(b, b, 3) for _, b in pairs)
        self.skip = nn.ModuleList(EqualConv(a, b, 1) for a, b in pairs)
        self.last, self.out = EqualConv(widths[-1] + 1, widths[-1], 3), nn.Linear(16 * widths[-1], 64)
        self.logit, self.project = nn.Linear(64, 1), nn.Embedding(len(OBJECTS), 64)

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Images [B, 3, 32, 32] and object ids [B] to logits [B]."""
        x = F.leaky_relu(self.start(x), 0.2)
        for first, second, skip in zip(self.first, self.second, self.skip, strict=True):
            h = F.leaky_relu(second(F.leaky_relu(first(x), 0.2)), 0.2)
            x = (F.avg_pool2d(h, 2) + skip(F.avg_pool2d(x, 2))) / 2**0.5
        spread = (x.var(0) + 1e-8).sqrt().mean().expand(len(x), 1, 4, 4)
        features = F.leaky_relu(self.out(F.leaky_relu(self.last(torch.cat([x, spread], 1)), 0.2).flatten(1)), 0.2)
        return self.logit(features)[:, 0] + (self.project(ids) * features).sum(1) / 8


_KINDS: dict[str, type[ProGAN | StyleGAN2]] = {"progan": ProGAN, "stylegan2": StyleGAN2}


def _optimisers(generator: nn.Module, critic: nn.Module) -> dict[str, torch.optim.Optimizer]:
    nets = {"generator": generator, "critic": critic}
    return {name: torch.optim.Adam(net.parameters(), 2e-3, betas=(0.0, 0.99)) for name, net in nets.items()}


def _generated(
    generator: nn.Module, shape: tuple[int, int], conditions: tuple[torch.Tensor | float, ...], device: str
) -> torch.Tensor:
    images: torch.Tensor = generator(torch.randn(shape, device=device), *conditions)
    return images


def _duel(
    optimisers: dict[str, torch.optim.Optimizer],
    x: torch.Tensor,
    make: Callable[[], torch.Tensor],
    judge: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[float, float]:
    """One step of both networks, with R1 if ``x`` requires a gradient; returns the mean logits of real and fake."""
    real, fake = judge(x), judge(make().detach())
    loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    if x.requires_grad:
        (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
        loss = loss + 0.5 * R1 * R1_EVERY * slope.square().sum((1, 2, 3)).mean()
    optimisers["critic"].zero_grad()
    loss.backward()
    optimisers["critic"].step()
    optimisers["generator"].zero_grad()
    F.softplus(-judge(make())).mean().backward()
    optimisers["generator"].step()
    return real.mean().item(), fake.mean().item()


def train_gan(name: str, images: np.ndarray, budget: Budget) -> tuple[nn.Module, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3], which are halved; ProGAN grows over the first 60 % of its steps."""
    device, (steps, seed) = budget.device, PLANS[name]
    small, ids = shrink(images, 2), class_ids("generators", 0, len(images))[:, 0].to(device)
    torch.manual_seed(seed)
    generator, critic = _KINDS[name]().to(device), Critic().to(device)
    optimisers = _optimisers(generator, critic)
    loop = Loop(budget, steps, {"generator": generator, "critic": critic}, optimisers, ("generator",), decay=0.998)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        stage = min(3.0, 5 * step / steps) if name == "progan" else 3.0
        pick = draw(seed, step, len(images), BATCH)
        x, c = pixels(small[pick], device), ids[torch.from_numpy(pick).to(device)]
        side = 4 * 2 ** int(np.ceil(stage))
        x = F.interpolate(F.adaptive_avg_pool2d(x, side), size=(32, 32)).requires_grad_(step % R1_EVERY == 0)
        make = partial(_generated, generator, (BATCH, LATENT), (c, stage), device)
        _duel(optimisers, x, make, partial(critic, ids=c))
    loop.load_averages()
    return generator.eval(), loop


def train_discriminator(images: np.ndarray, budget: Budget) -> tuple[Discriminator, Loop]:
    """Train LGrad's discriminator in an unconditional GAN on pictures uint8 [N, 64, 64, 3] of the wider world."""
    device, (steps, seed) = budget.device, PLANS["stylegan_discriminator"]
    torch.manual_seed(seed)
    generator, critic = StyleGAN2(AGAINST).to(device), Discriminator(DISCRIMINATOR).to(device)
    optimisers = _optimisers(generator, critic)
    no_object = torch.zeros(BATCH // 2, dtype=torch.int64, device=device)
    loop = Loop(budget, steps, {"generator": generator, "critic": critic}, optimisers, ("critic",), decay=0.998)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        x = pixels(images[draw(seed, step, len(images), BATCH // 2)], device).requires_grad_(step % R1_EVERY == 0)
        make = partial(_generated, generator, (BATCH // 2, LATENT), (no_object,), device)
        real, fake = _duel(optimisers, x, make, partial(critic, company=True))
        if step % 100 == 0:
            budget.say(f"step {step} real {real:.2f} fake {fake:.2f}")
    loop.load_averages()
    return critic.eval(), loop


@torch.no_grad()
def sample_gan(name: str, weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Images 32 × 32 of the scenes' objects with truncation 0.8; colour and ground are not conditioned on."""
    generator = _KINDS[name]()
    generator.load_state_dict(load_file(weights))
    generator.to(device).eval()
    torch.manual_seed(PLANS[name][1])
    for start in range(0, len(scenes), 50):
        part = scenes[start : start + 50]
        z = 0.8 * torch.from_numpy(np.stack([noise(str(s.seed), 0, (LATENT,)) for s in part])).to(device)
        made = generator(z, torch.tensor([OBJECTS.index(s.object) for s in part], device=device))
        yield from rgb_of(made)
