"""Devices, threads and seeds: what must be pinned so that two runs give the same bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

#: Threads of one CPU forward, whatever the machine has: a sum split among more threads rounds differently. More cores
#: are used by more processes.
THREADS = 1
_GIB = 2**30
#: Seconds of work that pay for starting one more process.
_WORTH = 10.0


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


def memory() -> int | None:
    """Bytes of memory that new processes can have; None where the system does not tell (it is no Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else int(kib) * 1024


@dataclass(frozen=True)
class Processes:
    """How many processes compute at once: as many as a person asked for, else what cores, memory and work call for."""

    most: int
    asked: bool = False

    def count(self, device: str, units: int, seconds: float) -> int:
        """Processes for so many units of work that take one process so many seconds; at least 1."""
        if device != "cpu":
            return 1  # What a GPU computes, one process hands it.
        return max(1, min(self.most, units, self.most if self.asked else math.ceil(seconds / _WORTH)))


def processes(weights: int) -> Processes:
    """One process a core, as far as memory reaches; ``weights`` are the bytes of the largest models that one loads."""
    import joblib

    free, cores = memory(), int(joblib.cpu_count())
    return Processes(max(1, cores if free is None else min(cores, free // (_GIB + 3 * weights))))


def describe(device: str) -> dict[str, str]:
    """What may move the last bits of a number, for provenance."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {"device": device, "device_name": name, "torch": torch.__version__, "threads": str(THREADS)}
