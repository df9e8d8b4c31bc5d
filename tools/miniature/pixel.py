"""Diffusion in pixels: an ADM with classes, and a GLIDE made of a 16 px text-to-image base and a ×2 upsampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from bench.artefacts.batching import noise
from bench.nets.adm import ADM, Shape
from tools.miniature import sd
from tools.miniature.biggan import class_ids
from tools.miniature.loop import Budget, Loop, draw, pixels, rgb_of, shrink
from tools.miniature.scenes import COLOURS, GROUNDS, OBJECTS, Scene
from tools.miniature.words import tokenize

RGB = NDArray[np.uint8]
Schedule = Mapping[str, Any]
Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
#: ADM's linear schedule and GLIDE's cosine one, over 1000 steps.
LINEAR: Schedule = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
COSINE: Schedule = {"beta_schedule": "squaredcos_cap_v2"}
ADM_SHAPE = Shape(32, (1, 2, 3), 1, (4,), 16, classes=1, groups=16)
UPSAMPLER = Shape(32, (1, 2), 1, (2,), 16, inside=6, outside=3, groups=16)
#: Steps, batch, seed of each model.
PLANS = {"adm": (1400, 24, 41), "glide": (4000, 64, 42), "glide_upsampler": (1000, 32, 43)}
#: Above 1.5, GLIDE's clipped prediction diverges at this size.
GUIDANCE = {"adm": 2.0, "glide": 1.5}
SAMPLING_STEPS = 50
_TABLES = tuple(len(names) + 1 for names in (OBJECTS, COLOURS, GROUNDS))
#: Object, colour and ground of the empty condition.
NOTHING = tuple(size - 1 for size in _TABLES)


class Facts(nn.Module):
    """The sum of one vector each for object, colour and ground: ids int64 [B, 3] to [B, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in _TABLES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed ids; :data:`NOTHING` is the empty condition."""
        return torch.stack([table(ids[:, i]) for i, table in enumerate(self.tables)]).sum(0)


def new_adm() -> ADM:
    """An untrained ADM for 32 px, conditioned on the facts instead of a class."""
    torch.manual_seed(PLANS["adm"][2])
    net = ADM(ADM_SHAPE)
    net.label_emb = Facts(4 * ADM_SHAPE.width)
    return net


def unconditional(net: ADM) -> dict[str, torch.Tensor]:
    """The state of the network without conditions: the empty condition is folded into the time embedding's bias."""
    state = {name: t for name, t in net.state_dict().items() if not name.startswith("label_emb.")}
    empty = net.label_emb(torch.tensor([NOTHING], device=state["time_embed.2.bias"].device))[0]
    return state | {"time_embed.2.bias": state["time_embed.2.bias"] + empty.detach()}


def _train(name: str, nets: dict[str, nn.Module], budget: Budget, count: int, schedule: Schedule, loss: _Loss) -> Loop:
    """Train ``nets`` to predict noise; ``loss(pick, t, levels)`` gives the loss of one batch of image numbers."""
    steps, batch, seed = PLANS[name]
    parameters = [p for net in nets.values() for p in net.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(parameters, 8e-4, weight_decay=1e-2)}
    loop = Loop(budget, steps, nets, optimisers, tuple(nets), decay=0.9985)
    loop.resume()
    alphas = DDIMScheduler(**schedule).alphas_cumprod.to(budget.device)
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        t = torch.randint(0, 1000, (batch,), device=budget.device)
        value = loss(draw(seed, step, count, batch), t, alphas[t].view(-1, 1, 1, 1))
        optimisers["all"].zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"{name} step {step} loss {value.item():.4f}")
    loop.load_averages()
    for net in nets.values():
        net.eval()
    return loop


_Loss = Callable[[np.ndarray, torch.Tensor, torch.Tensor], torch.Tensor]


def train_adm(images: np.ndarray, budget: Budget) -> tuple[ADM, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3], which are halved; one image in ten has the empty condition."""
    device, small = budget.device, shrink(images, 2)
    net, ids = new_adm().to(device), class_ids("generators", 0, len(images)).to(device)

    def loss(pick: np.ndarray, t: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        x, y = pixels(small[pick], device), ids[torch.from_numpy(pick).to(device)]
        y = torch.where(torch.rand(len(y), 1, device=device) < 0.1, torch.tensor(NOTHING, device=device), y)
        wanted = torch.randn_like(x)
        with torch.autocast(device, torch.bfloat16):
            made = net(levels.sqrt() * x + (1 - levels).sqrt() * wanted, t, y)
        return F.mse_loss(made[:, :3].float(), wanted)

    return net, _train("adm", {"net": net}, budget, len(images), LINEAR, loss)


def new_glide() -> tuple[UNet2DConditionModel, CLIPTextModel, ADM]:
    """The untrained 16 px base with its text encoder, and the upsampler."""
    seed = PLANS["glide"][2]
    base = UNet2DConditionModel.from_config({**sd.new_unet(seed).config, "in_channels": 3, "out_channels": 3})
    return base, sd.new_text_encoder(len(sd.new_tokenizer()), seed), ADM(UPSAMPLER)


def train_glide(images: np.ndarray, budget: Budget) -> tuple[UNet2DConditionModel, CLIPTextModel, Loop]:
    """Train the base on photographs uint8 [N, 64, 64, 3] at a quarter of their side, with SD's captions."""
    device, small = budget.device, shrink(images, 4)
    tokenizer, seed = sd.new_tokenizer(), PLANS["glide"][2]
    ids = torch.stack([tokenize(tokenizer, sd.prompts(len(images), seed + e), sd.TOKENS) for e in range(4)]).to(device)
    base, text, _ = new_glide()
    base.to(device).train()
    text.to(device).train()

    def loss(pick: np.ndarray, t: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        x, wanted = pixels(small[pick], device), torch.randn(len(pick), 3, 16, 16, device=device)
        tokens = ids[int(pick[0]) % 4][torch.from_numpy(pick).to(device)]
        with torch.autocast(device, torch.bfloat16):
            given = text(tokens).last_hidden_state
            made = base(levels.sqrt() * x + (1 - levels).sqrt() * wanted, t, given).sample
        return F.mse_loss(made.float(), wanted)

    return base, text, _train("glide", {"base": base, "text": text}, budget, len(images), COSINE, loss)


def _twice(small: torch.Tensor) -> torch.Tensor:
    return F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)


def train_upsampler(images: np.ndarray, budget: Budget) -> tuple[ADM, Loop]:
    """Train the ×2 upsampler to 32 px, with a slightly noisy input, so that it tolerates errors of the base."""
    device, small, large = budget.device, shrink(images, 4), shrink(images, 2)
    torch.manual_seed(PLANS["glide_upsampler"][2])
    net = ADM(UPSAMPLER).to(device)

    def loss(pick: np.ndarray, t: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        x, given = pixels(large[pick], device), pixels(small[pick], device)
        wanted, given = torch.randn_like(x), _twice(given + 0.04 * torch.randn_like(given))
        with torch.autocast(device, torch.bfloat16):
            made = net(torch.cat([levels.sqrt() * x + (1 - levels).sqrt() * wanted, given], 1), t)
        return F.mse_loss(made.float(), wanted)

    return net, _train("glide_upsampler", {"net": net}, budget, len(images), COSINE, loss)


def _ddim(x: torch.Tensor, predict: Predict, schedule: Schedule, steps: int) -> torch.Tensor:
    """DDIM with the predicted image clipped to −1…1, as is usual for pixel models."""
    scheduler = DDIMScheduler(**schedule, clip_sample=True)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(predict(x, t.expand(len(x)).to(x.device)), t, x).prev_sample
    return x


def _drawn(scenes: list[Scene], seed: int, side: int, device: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([noise(str(s.seed), seed, (3, side, side)) for s in scenes])).to(device)


def _guided(both: torch.Tensor, scale: float) -> torch.Tensor:
    without, given = both.chunk(2)
    return without + scale * (given - without)


@torch.no_grad()
def sample_adm(weights: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Class-conditional images 32 × 32 by DDIM with classifier-free guidance."""
    net = new_adm()
    net.load_state_dict(load_file(weights))
    net.to(device).eval()
    for start in range(0, len(scenes), 50):
        part = scenes[start : start + 50]
        rows = [(OBJECTS.index(s.object), COLOURS.index(s.colour), GROUNDS.index(s.ground)) for s in part]
        y = torch.tensor([*[NOTHING] * len(part), *rows], device=device)

        def predict(x: torch.Tensor, t: torch.Tensor, y: torch.Tensor = y) -> torch.Tensor:
            made = net(torch.cat([x, x]), torch.cat([t, t]), y)[:, :3]
            return _guided(made, GUIDANCE["adm"])

        yield from rgb_of(_ddim(_drawn(part, 0, 32, device), predict, LINEAR, SAMPLING_STEPS))


@torch.no_grad()
def sample_glide(folder: Path, scenes: list[Scene], device: str) -> Iterator[RGB]:
    """Text-to-image at 16 px with guidance, then 100 steps of the upsampler to 32 px."""
    base, text, upsampler = new_glide()
    for name, net in (("base", base), ("text", text), ("upsampler", upsampler)):
        net.load_state_dict(load_file(folder / f"{name}.safetensors"))
        net.to(device).eval()
    tokenizer = sd.new_tokenizer()
    for start in range(0, len(scenes), 50):
        part = scenes[start : start + 50]
        tokens = tokenize(tokenizer, [*[""] * len(part), *[s.caption for s in part]], sd.TOKENS).to(device)
        condition = text(tokens).last_hidden_state

        def predict(x: torch.Tensor, t: torch.Tensor, condition: torch.Tensor = condition) -> torch.Tensor:
            made = base(torch.cat([x, x]), torch.cat([t, t]), condition).sample
            return _guided(made, GUIDANCE["glide"])

        small = _twice(_ddim(_drawn(part, 0, 16, device), predict, COSINE, SAMPLING_STEPS))

        def sharpen(x: torch.Tensor, t: torch.Tensor, small: torch.Tensor = small) -> torch.Tensor:
            return upsampler(torch.cat([x, small], 1), t)

        yield from rgb_of(_ddim(_drawn(part, 1, 32, device), sharpen, COSINE, 2 * SAMPLING_STEPS))


def save_parts(folder: Path, nets: dict[str, nn.Module]) -> None:
    """Write each network's tensors as ``<name>.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, net in nets.items():
        save_file(
            {key: t.detach().cpu().contiguous() for key, t in net.state_dict().items()}, folder / f"{name}.safetensors"
        )
