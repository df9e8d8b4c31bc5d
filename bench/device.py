"""Devices, threads and seeds: what must be pinned so that two runs give the same bits."""

from __future__ import annotations

from bench.errors import UserError

#: Threads of one CPU forward, whatever the machine has: a sum split among more threads rounds differently.
THREADS = 2


def pick(name: str) -> str:
    """``cpu`` or ``cuda`` for ``auto|cpu|cuda``. Raises UserError if there is no such device."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda was asked for.", "torch sees no CUDA device.", "Use --device auto or cpu.")
    return "cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu"


def pin() -> None:
    """Pin threads and choose deterministic kernels; call once before any network is built."""
    import torch

    torch.set_num_threads(THREADS)
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # Some CUDA kernels have no deterministic twin (pooling gradients): there, warn and go on.
    torch.use_deterministic_algorithms(mode=True, warn_only=True)


def describe(device: str) -> dict[str, str]:
    """What may move the last bits of a number, for provenance."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {"device": device, "device_name": name, "torch": torch.__version__, "threads": str(THREADS)}
