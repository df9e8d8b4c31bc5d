"""Sections A to C of :mod:`benchmarks.gpu`: matrix products, UNet, VAE; and what all sections share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
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
from benchmarks.pictures import images
from tools.full_size import FullSize

#: Without accelerate.
_PLAIN = {"low_cpu_mem_usage": False}
DTYPES = {precision: dtype_of(precision) for precision in PRECISIONS}


class Bench:
    """Where and on what the sections run; ``deadline`` is the time at which the present one should stop."""

    def __init__(self, root: Path, device: str, tiny: bool, weights: Path | None = None) -> None:
        self.weights = weights or root / "models"
        self.root, self.device, self.tiny, self.deadline = root, device, tiny, 0.0
        self.scale = 8 if tiny else 1
        self.rates: dict[str, float] = {}
        self._files = 0

    def zoo(self, precision: str = "bf16", exact: bool = False) -> Zoo:
        """The models in a precision."""
        numerics = Numerics(precision, "" if self.device == "cpu" else torch.cuda.get_device_name(), exact)
        return Zoo("mini", numerics=numerics) if self.tiny else FullSize(self.weights, numerics)

    def items(self, count: int, shapes: int = 3) -> list[Item]:
        """Image files of some shapes."""
        self._files += 1
        folder = self.root / f"images-{self._files}"
        folder.mkdir()
        return images(folder, count, 512 // self.scale, shapes)

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


def products(bench: Bench) -> dict[str, Any]:
    """Section A."""
    side = 512 if bench.tiny else 8192
    for precision, dtype in DTYPES.items():
        devices.pin(precision, device=bench.device)
        a = torch.randn(side, side, device=bench.device, dtype=dtype)
        bench.rates[precision] = 2 * side**3 / bench.seconds(partial(torch.matmul, a, a))["median"]
    devices.pin()
    files = [item.path.read_bytes() for item in bench.items(16)]
    decoded = {}
    for count in (1, 2) if bench.tiny else (1, 8, 16):
        with ThreadPoolExecutor(count) as threads:
            started = time.perf_counter()
            list(threads.map(decode, files * 4 * count))
            decoded[str(count)] = 4 * len(files) * count / (time.perf_counter() - started)
    return {"tflops": {p: rate / 1e12 for p, rate in bench.rates.items()}, "decoded_per_s": decoded}


def _flops(work: Callable[[], Any]) -> float:
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return float(counter.get_total_flops())


@dataclass(frozen=True)
class Case:
    """How one UNet forward is evaluated: ``how`` is eager, or what of it is compiled, or a captured CUDA graph."""

    precision: str
    batch: int
    latent: tuple[int, int] = (64, 64)
    channels_last: bool = True
    deterministic: bool = False
    how: str = "eager"


#: The most telling cases first, as the section stops at its deadline.
_CASES = (
    Case("bf16", 32),
    Case("bf16", 32, how="whole"),
    Case("bf16", 32, deterministic=True),
    *(Case("bf16", batch) for batch in (2, 16, 64)),
    *(Case("bf16", batch, how="graph") for batch in (2, 32)),
    Case("bf16", 32, how="blocks"),
    Case("bf16", 64, how="whole"),
    *(Case("bf16", 32, latent) for latent in ((48, 64), (32, 32))),
    Case("bf16", 32, channels_last=False),
    *(Case("fp16", batch) for batch in (32,)),
    *(Case(precision, 16) for precision in ("tf32", "fp32")),
)


def unet(bench: Bench) -> dict[str, Any]:
    """Section B."""
    folder = bench.zoo().folder("sdv1")
    results: list[dict[str, Any]] = []
    model: Any = None
    loaded: tuple[str, bool] | None = None
    for case in _CASES:
        if bench.late():
            results.append({"left_out": len(_CASES) - len(results)})
            break
        if loaded != (case.precision, case.channels_last):
            loaded = (case.precision, case.channels_last)
            dtype = DTYPES[case.precision]
            model = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype, **_PLAIN).to(bench.device)
            model = model.to(memory_format=torch.channels_last) if case.channels_last else model
        devices.pin(case.precision, case.deterministic, bench.device)
        results.append(_one_unet(bench, model, case))
        print(json.dumps(results[-1]), flush=True)
    devices.pin()
    return {"cases": results}


def _prepared(model: Any, case: Case, x: Tensor, text: Tensor) -> Callable[[], Any]:  # noqa: ANN401 - diffusers
    """The work of a case, compiled or captured."""
    t = torch.tensor(500, device=x.device)

    def eager() -> Any:  # noqa: ANN401 - diffusers ships no types
        with torch.no_grad():
            return model(x, t, encoder_hidden_states=text, return_dict=False)[0]

    if case.how == "eager":
        return eager
    if case.how == "graph":
        if x.device.type != "cuda":
            return eager
        for _ in range(3):
            eager()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            eager()
        return graph.replay
    if case.how == "blocks":
        model = deepcopy(model)
        model.compile_repeated_blocks(fullgraph=True, dynamic=False)
        return eager
    compiled: Any = torch.compile(model.forward, fullgraph=True, dynamic=False)

    def whole() -> Any:  # noqa: ANN401 - diffusers ships no types
        with torch.no_grad():
            return compiled(x, t, encoder_hidden_states=text, return_dict=False)[0]

    return whole


def _one_unet(bench: Bench, model: Any, case: Case) -> dict[str, Any]:  # noqa: ANN401 - diffusers ships no types
    dtype = DTYPES[case.precision]
    batch = min(case.batch, 2) if bench.tiny else case.batch
    height, width = (side // bench.scale for side in case.latent)
    x = torch.randn(batch, model.config.in_channels, height, width, device=bench.device, dtype=dtype)
    length = 77 if not bench.tiny else 16
    text = torch.randn(batch, length, model.config.cross_attention_dim, device=bench.device, dtype=dtype)
    if case.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    operations = _flops(_prepared(model, replace(case, how="eager"), x[:1], text[:1]))
    started = time.perf_counter()
    work = _prepared(model, case, x, text)
    work()
    bench.wait()
    begun = time.perf_counter() - started
    timed = bench.seconds(work)
    rate = batch / timed["median"]
    known = bench.rates.get(case.precision)
    return asdict(case) | {
        "per_s": rate,
        "tflop_each": operations / 1e12,
        "mfu": operations * rate / known if known else None,
        "first_s": begun,
        "peak_gib": bench.peak_gib(),
    }


def vae(bench: Bench) -> dict[str, Any]:
    """Section C."""
    results: dict[str, Any] = {}
    folder = bench.zoo().folder("sdv1")
    side = 512 // bench.scale
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        if bench.late() or (precision == "fp16" and bench.device == "cpu"):
            continue
        devices.pin(precision, False, bench.device)
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
