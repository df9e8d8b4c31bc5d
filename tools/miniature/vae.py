"""The VAE that sdv14, sdv15 and wukong share: factor 4, four latent channels, with texture and patch-GAN terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional as F

from tools.miniature.loop import Budget, Loop, draw, pixels

STEPS, BATCH, SEED, WIDTHS = 3200, 16, 11, (32, 48, 64)
ADVERSARIAL_FROM = 0.35
KL_WEIGHT, GRADIENT_WEIGHT, TEXTURE_WEIGHT, ADVERSARIAL_WEIGHT = 2e-4, 0.5, 0.05, 0.03


def new_vae(seed: int, widths: tuple[int, ...]) -> AutoencoderKL:
    """The untrained network: images of 64 px to 16 × 16 × 4 latents."""
    torch.manual_seed(seed)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=16 if widths == WIDTHS else 8,
        sample_size=64,
        latent_channels=4,
        mid_block_add_attention=False,
    )


class PatchDiscriminator(nn.Sequential):
    """A PatchGAN critic: one logit per 4 × 4 pixels, with a receptive field of 22 × 22 pixels."""

    def __init__(self) -> None:
        norm = nn.utils.parametrizations.spectral_norm
        super().__init__(
            norm(nn.Conv2d(3, 32, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(32, 64, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(64, 64, 3, 1, 1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 1, 3, 1, 1),
        )


def high_pass(images: torch.Tensor) -> torch.Tensor:
    """Laplacian of every channel: [B, C, H, W] to [B, C, H − 2, W − 2]."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=images.device, dtype=images.dtype)
    channels = images.shape[1]
    return F.conv2d(images, kernel.expand(channels, 1, 3, 3), groups=channels)


def energy(images: torch.Tensor) -> torch.Tensor:
    """Local high-frequency energy, averaged over 8 × 8 windows."""
    return F.avg_pool2d(high_pass(images).square().mean(1, keepdim=True), 8, 4)


def energy_ratio(images: torch.Tensor, reconstructed: torch.Tensor) -> float:
    """Mean high-frequency energy of the reconstructions over that of the originals; 1 is ideal."""
    return float(high_pass(reconstructed).square().mean() / high_pass(images).square().mean())


def _gradient_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.diff(dim=-1) - b.diff(dim=-1)).abs().mean() + (a.diff(dim=-2) - b.diff(dim=-2)).abs().mean()


def _loss(vae: AutoencoderKL, critic: nn.Module, x: torch.Tensor, adversarial: bool) -> tuple[torch.Tensor, Any]:
    posterior = vae.encode(x).latent_dist
    y = vae.decode(posterior.sample()).sample.float()
    loss = (x - y).abs().mean() + GRADIENT_WEIGHT * _gradient_loss(x, y) + KL_WEIGHT * posterior.kl().mean() / 1024
    loss = loss + TEXTURE_WEIGHT * ((energy(y) + 2e-3).log() - (energy(x) + 2e-3).log()).abs().mean()
    if adversarial:
        loss = loss - ADVERSARIAL_WEIGHT * critic(y).float().mean()
    return loss, y.detach()


def train_vae(
    images: np.ndarray, budget: Budget, seed: int = SEED, widths: tuple[int, ...] = WIDTHS, steps: int = STEPS
) -> tuple[AutoencoderKL, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3]; returns the averaged network and its loop."""
    vae, critic = new_vae(seed, widths).to(budget.device), PatchDiscriminator().to(budget.device)
    optimisers: dict[str, torch.optim.Optimizer] = {
        "vae": torch.optim.AdamW(vae.parameters(), 1e-3, betas=(0.5, 0.95)),
        "critic": torch.optim.AdamW(critic.parameters(), 5e-4, betas=(0.5, 0.95)),
    }
    loop = Loop(budget, steps, {"vae": vae, "critic": critic}, optimisers, ("vae",), decay=0.998)
    loop.resume()
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        x = pixels(images[draw(seed, step, len(images), BATCH)], budget.device)
        adversarial = step > ADVERSARIAL_FROM * steps
        with torch.autocast(budget.device, torch.bfloat16):
            loss, y = _loss(vae, critic, x, adversarial)
        optimisers["vae"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimisers["vae"].step()
        if adversarial:
            with torch.autocast(budget.device, torch.bfloat16):
                hinge = F.relu(1 - critic(x).float()).mean() + F.relu(1 + critic(y).float()).mean()
            optimisers["critic"].zero_grad()
            hinge.backward()
            optimisers["critic"].step()
    loop.load_averages()
    return vae.eval(), loop


@torch.no_grad()
def quality(vae: AutoencoderKL, images: np.ndarray, device: str) -> dict[str, float]:
    """Held-out PSNR (dB, over 0…255) and high-frequency energy ratio, with the posterior's mean."""
    originals = pixels(images, device)
    batches = [vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1) for x in originals.split(50)]
    decoded = torch.cat(batches)
    mse = ((decoded - originals) / 2).square().mean((1, 2, 3))
    return {"psnr": float((-10 * mse.log10()).mean()), "high_frequency_ratio": energy_ratio(originals, decoded)}


@torch.no_grad()
def latents(vae: AutoencoderKL, images: np.ndarray, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Posterior mean and standard deviation of every image, unscaled: two tensors [N, 4, 16, 16]."""
    posteriors = [
        vae.encode(pixels(chunk, device)).latent_dist for chunk in np.array_split(images, -(-len(images) // 100))
    ]
    return torch.cat([p.mean for p in posteriors]), torch.cat([p.std for p in posteriors])
