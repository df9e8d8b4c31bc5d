"""A small VQ-Diffusion: a vector-quantised autoencoder (32 px, 8 × 8 tokens) and a masked discrete diffusion prior."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from tools.miniature.biggan import class_ids
from tools.miniature.loop import Budget, Loop, draw, pixels, rgb_of, shrink
from tools.miniature.pixel import NOTHING, Facts
from tools.miniature.scenes import COLOURS, GROUNDS, OBJECTS, Scene
from tools.miniature.vae import energy

RGB = NDArray[np.uint8]
CODES, CODE_WIDTH, GRID = 256, 16, 8
MASK = CODES
#: Steps, batch, seed.
PLANS = {"vqvae": (3000, 32, 44), "vqdm": (1600, 64, 45)}
GUIDANCE, SAMPLING_STEPS = 2.0, 32


def _block(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.GroupNorm(8, inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, 1, 1))


class VQVAE(nn.Module):
    """Images [B, 3, 32, 32] to 8 × 8 codes from a codebook of 256, and back."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width // 2, 4, 2, 1),
            _block(width // 2, width),
            nn.Conv2d(width, width, 4, 2, 1),
            _block(width, width),
            _block(width, width),
            nn.Conv2d(width, CODE_WIDTH, 1),
        )
        self.book = nn.Embedding(CODES, CODE_WIDTH)
        nn.init.normal_(self.book.weight)
        up = nn.Upsample(scale_factor=2)
        self.decoder = nn.Sequential(
            nn.Conv2d(CODE_WIDTH, width, 3, 1, 1),
            _block(width, width),
            _block(width, width),
            up,
            _block(width, width),
            up,
            _block(width, width // 2),
            _block(width // 2, width // 2),
            nn.Conv2d(width // 2, 3, 3, 1, 1),
        )

    def codes(self, z: torch.Tensor) -> torch.Tensor:
        """The nearest codebook entry of every cell: [B, C, 8, 8] to int64 [B, 64]."""
        flat = z.permute(0, 2, 3, 1).reshape(-1, CODE_WIDTH)
        return torch.cdist(flat, self.book.weight).argmin(1).view(len(z), -1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 [B, 64] to images [B, 3, 32, 32]."""
        z = self.book(codes).view(len(codes), GRID, GRID, CODE_WIDTH).permute(0, 3, 1, 2)
        return self.decoder(z)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The reconstruction, and the loss that moves cells and codes together."""
        z = self.encoder(x)
        q = self.book(self.codes(z)).view(len(x), GRID, GRID, CODE_WIDTH).permute(0, 3, 1, 2)
        commitment = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        return self.decoder(z + (q - z).detach()), commitment


class Prior(nn.Module):
    """A transformer that predicts masked codes from other codes and facts: [B, 64], [B, 3] to logits [B, 64, 256]."""

    def __init__(self, width: int = 128, layers: int = 4) -> None:
        super().__init__()
        self.tokens, self.facts = nn.Embedding(CODES + 1, width), Facts(width)
        self.places = nn.Parameter(0.02 * torch.randn(1, GRID * GRID + 1, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, CODES)

    def forward(self, codes: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """Logits of every cell; unknown cells have the code :data:`MASK`."""
        x = torch.cat([self.facts(facts)[:, None], self.tokens(codes)], 1) + self.places
        return self.out(self.norm(self.body(x)[:, 1:]))


def train_vqvae(images: np.ndarray, budget: Budget) -> tuple[VQVAE, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3], which are halved; unused codes are replaced by encoded cells."""
    steps, batch, seed = PLANS["vqvae"]
    small, device = shrink(images, 2), budget.device
    torch.manual_seed(seed)
    net = VQVAE().to(device)
    optimisers: dict[str, torch.optim.Optimizer] = {"net": torch.optim.AdamW(net.parameters(), 1e-3)}
    loop = Loop(budget, steps, {"net": net}, optimisers, ("net",), decay=0.995)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        x = pixels(small[draw(seed, step, len(small), batch)], device)
        y, commitment = net(x)
        texture = ((energy(y) + 2e-3).log() - (energy(x) + 2e-3).log()).abs().mean()
        loss = (x - y).abs().mean() + commitment + 0.05 * texture
        optimisers["net"].zero_grad()
        loss.backward()
        optimisers["net"].step()
        if step % 50 == 0 and step < 0.8 * steps:
            _revive(net, x)
        if step % 100 == 0:
            budget.say(f"vqvae step {step} loss {loss.item():.4f}")
    loop.load_averages()
    return net.eval(), loop


@torch.no_grad()
def _revive(net: VQVAE, x: torch.Tensor) -> None:
    z = net.encoder(x)
    idle = torch.bincount(net.codes(z).flatten(), minlength=CODES) == 0
    cells = z.permute(0, 2, 3, 1).reshape(-1, CODE_WIDTH)
    net.book.weight[idle] = cells[torch.randint(len(cells), (int(idle.sum()),), device=cells.device)]


def train_prior(vqvae: VQVAE, images: np.ndarray, budget: Budget) -> tuple[Prior, Loop]:
    """Train on codes of photographs; a random share of each image's codes is masked, one image in ten has no facts."""
    steps, batch, seed = PLANS["vqdm"]
    device, small = budget.device, shrink(images, 2)
    with torch.no_grad():
        chunks = np.array_split(small, -(-len(small) // 200))
        codes = torch.cat([vqvae.codes(vqvae.encoder(pixels(chunk, device))) for chunk in chunks])
    facts = class_ids("generators", 0, len(images)).to(device)
    torch.manual_seed(seed)
    net = Prior().to(device)
    optimisers: dict[str, torch.optim.Optimizer] = {"net": torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.01)}
    loop = Loop(budget, steps, {"net": net}, optimisers, ("net",), decay=0.998)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        pick = torch.from_numpy(draw(seed, step, len(images), batch)).to(device)
        empty = torch.tensor(NOTHING, device=device)
        given = torch.where(torch.rand(batch, 1, device=device) < 0.1, empty, facts[pick])
        hidden = torch.rand(batch, GRID * GRID, device=device) < torch.rand(batch, 1, device=device).cos()
        with torch.autocast(device, torch.bfloat16):
            logits = net(codes[pick].masked_fill(hidden, MASK), given)
        loss = F.cross_entropy(logits[hidden].float(), codes[pick][hidden])
        optimisers["net"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimisers["net"].step()
        if step % 100 == 0:
            budget.say(f"vqdm step {step} loss {loss.item():.4f}")
    loop.load_averages()
    return net.eval(), loop


@torch.no_grad()
def sample_vqdm(folder: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Unmask the codes in steps, the most confident first, with classifier-free guidance; then decode to 32 × 32."""
    vqvae, prior = VQVAE(), Prior()
    for name, net in (("vqvae", vqvae), ("prior", prior)):
        net.load_state_dict(load_file(folder / f"{name}.safetensors"))
        net.to(device).eval()
    for start in range(0, len(scenes), 50):
        part = scenes[start : start + 50]
        rows = [(OBJECTS.index(s.object), COLOURS.index(s.colour), GROUNDS.index(s.ground)) for s in part]
        facts = torch.tensor([*[NOTHING] * len(part), *rows], device=device)
        generator = torch.Generator(device).manual_seed(start)
        codes = torch.full((len(part), GRID * GRID), MASK, device=device)
        for step in range(SAMPLING_STEPS):
            without, given = prior(codes.repeat(2, 1), facts).chunk(2)
            probabilities = (without + GUIDANCE * (given - without)).softmax(2)
            drawn = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator).view_as(codes)
            sure = probabilities.gather(2, drawn[..., None])[..., 0]
            sure = sure.log() - torch.empty_like(sure).exponential_(generator=generator).log()
            sure = sure.masked_fill(codes != MASK, float("inf"))
            keep = int(GRID * GRID * (1 - np.cos(0.5 * np.pi * (step + 1) / SAMPLING_STEPS)))
            keep = GRID * GRID if step == SAMPLING_STEPS - 1 else keep
            known = torch.zeros_like(codes, dtype=torch.bool).scatter_(1, sure.topk(keep, 1).indices, True)
            codes = torch.where(codes != MASK, codes, torch.where(known, drawn, MASK))
        yield from rgb_of(vqvae.decode(codes))
