"""Sections A to C of :mod:`benchmarks.gpu`: matrix products, UNet, VAE; and what all sections share."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench import device as devices
from bench.data.decode import decode
from bench.models.zoo import Zoo
from bench.numerics import PRECISIONS, Numerics
from bench.numerics import dtype as dtype_of
from bench.types import Item
from benchmarks.reconstruct import images
from tools.full_size import FullSize

#: Without accelerate.
_PLAIN = {"low_cpu_mem_usage": False}
DTYPES = {precision: dtype_of(precision) for precision in PRECISIONS}


class Bench:
    """Where and on what the sections run; ``deadline`` is the time at which the present one should stop."""

    def __init__(self, root: Path, device: str, tiny: bool) -> None:
        self.root, self.device, self.tiny, self.deadline = root, device, tiny, 0.0
        self.scale = 8 if tiny else 1
        self.rates: dict[str, float] = {}
        self._files = 0

    def zoo(self, precision: str = "bf16", exact: bool = False) -> Zoo:
        """The models in a precision."""
        numerics = Numerics(precision, "" if self.device == "cpu" else torch.cuda.get_device_name(), exact)
        return Zoo("mini", numerics=numerics) if self.tiny else FullSize(self.root / "models", numerics)

    def items(self, count: int) -> list[Item]:
        """Image files of three shapes."""
        self._files += 1
        folder = self.root / f"images-{self._files}"
        folder.mkdir()
        return images(folder, count, 512 // self.scale)

    def late(self) -> bool:
        """Whether the section should stop."""
        return time.monotonic() > self.deadline

    def clear(self) -> None:
        """Free the memory of the last section."""
        devices.release_memory()
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def wait(self) -> None:
        """Wait for the GPU."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], warm: int = 3) -> dict[str, float]:
        """Median, p10 and p90 of the seconds of some work: at least ten times and two seconds, before the deadline."""
        for _ in range(warm):
            work()
        self.wait()
        times: list[float] = []
        while len(times) < 2 or ((len(times) < 10 or sum(times) < (0.1 if self.tiny else 2)) and not self.late()):
            started = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - started)
        cuts = quantiles(times, n=10, method="inclusive")
        return {"median": cuts[4], "p10": cuts[0], "p90": cuts[8]}

    def peak_gib(self) -> float:
        """Most memory that was allocated on the GPU since the last section."""
        return torch.cuda.max_memory_allocated() / 2**30 if self.device == "cuda" else 0.0


def _decode_all(files: Sequence[bytes]) -> None:
    for data in files:
        decode(data)


def products(bench: Bench) -> dict[str, Any]:
    """Section A."""
    side = 512 if bench.tiny else 8192
    for precision, dtype in DTYPES.items():
        devices.pin(precision)
        a = torch.randn(side, side, device=bench.device, dtype=dtype)
        bench.rates[precision] = 2 * side**3 / bench.seconds(partial(torch.matmul, a, a))["median"]
    devices.pin()
    files = [item.path.read_bytes() for item in bench.items(16)]
    decoded = {}
    for count in (1, 2) if bench.tiny else (1, 8, 16):
        with multiprocessing.get_context("spawn").Pool(count) as pool:
            pool.map(_decode_all, [files] * count)
            started = time.perf_counter()
            pool.map(_decode_all, [files * 4] * count)
            decoded[str(count)] = 4 * len(files) * count / (time.perf_counter() - started)
    return {"tflops": {p: rate / 1e12 for p, rate in bench.rates.items()}, "decoded_per_s": decoded}


def _flops(work: Callable[[], Any]) -> float:
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return float(counter.get_total_flops())


def _forward(model: Any, x: Tensor, text: Tensor) -> Any:  # noqa: ANN401 - diffusers ships no types
    with torch.no_grad():
        return model(x, 500, encoder_hidden_states=text).sample


def unet(bench: Bench) -> dict[str, Any]:
    """Section B."""
    folder, results = bench.zoo().folder("sdv1"), []
    for precision, last in (("fp32", False), ("tf32", False), ("fp16", False), ("bf16", False), ("bf16", True)):
        devices.pin(precision)
        model = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=DTYPES[precision], **_PLAIN).to(
            bench.device
        )
        model = model.to(memory_format=torch.channels_last) if last else model
        for shape in ((64, 64), (48, 64), (32, 32)):
            for batch in (2,) if bench.tiny else (16, 32, 64):
                if bench.late() or (precision in ("fp32", "tf32") and (batch > 16 or shape != (64, 64))):
                    continue
                results.append(
                    _one_unet(bench, model, precision, last, (batch, *(s // bench.scale * 2 for s in shape)))
                )
        if last and not bench.late() and bench.device == "cuda":
            model.compile_repeated_blocks(fullgraph=True)
            results.append(_one_unet(bench, model, precision, last, (16, 128 // bench.scale, 128 // bench.scale), 10))
            results[-1]["compiled"] = True
        del model
    devices.pin()
    return {"cases": results}


def _one_unet(
    bench: Bench,
    model: Any,  # noqa: ANN401 - diffusers ships no types
    precision: str,
    last: bool,
    size: tuple[int, ...],
    warm: int = 3,
) -> dict[str, Any]:
    batch, height, width = size[0], size[1] // 2, size[2] // 2
    dtype = DTYPES[precision]
    x = torch.randn(batch, model.config.in_channels, height, width, device=bench.device, dtype=dtype)
    length = 77 if not bench.tiny else 16
    text = torch.randn(batch, length, model.config.cross_attention_dim, device=bench.device, dtype=dtype)
    work = partial(_forward, model, x, text)
    operations = _flops(work) if warm == 3 else 0.0
    timed = bench.seconds(work, warm)
    rate = batch / timed["median"]
    mfu = operations / timed["median"] / bench.rates[precision] if precision in bench.rates else None
    case = {"precision": precision, "channels_last": last, "latent": [height, width], "batch": batch}
    return {**case, "per_s": rate, "tflop_each": operations / batch / 1e12, "mfu": mfu, "peak_gib": bench.peak_gib()}


def vae(bench: Bench) -> dict[str, Any]:
    """Section C."""
    results: dict[str, Any] = {}
    folder = bench.zoo().folder("sdv1")
    side = 512 // bench.scale
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        if bench.late() or (precision == "fp16" and bench.device == "cpu"):
            continue
        devices.pin(precision)
        dtype = DTYPES[precision]
        model = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype, **_PLAIN).to(bench.device)
        pixels = torch.rand(2 if bench.tiny else 8, 3, side, side, device=bench.device, dtype=dtype)
        with torch.no_grad():
            latents = model.encode(pixels).latent_dist.mode()
            for name, work in (("encode", partial(model.encode, pixels)), ("decode", partial(model.decode, latents))):
                results[f"{name}_{precision}_per_s"] = len(pixels) / bench.seconds(work)["median"]
        if precision == "bf16":
            results["decode_at_1024_batch_16"] = _large_decode(bench, model, dtype)
        del model
    devices.pin()
    return results


def _large_decode(bench: Bench, model: Any, dtype: torch.dtype) -> dict[str, Any]:  # noqa: ANN401 - diffusers
    side = 128 // bench.scale
    latents = torch.randn(16, model.config.latent_channels, side, side, device=bench.device, dtype=dtype)
    try:
        with torch.no_grad():
            model.decode(latents)
        bench.wait()
        return {"fits": True, "peak_gib": bench.peak_gib()}
    except (RuntimeError, MemoryError) as error:
        if not devices.is_out_of_memory(error):
            raise
        return {"fits": False, "peak_gib": bench.peak_gib()}
