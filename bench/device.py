"""Devices, threads and processes: what must be fixed so that two runs give the same bits."""

from __future__ import annotations

import ctypes
import gc
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

#: Threads per CPU forward pass, on every machine: a sum split among more threads rounds differently. More cores are
#: used by running more processes.
THREADS = 1
_GIB = 2**30
#: Files with a container's memory limit and usage in bytes, in versions 2 and 1 of Linux's control groups.
_CGROUPS = tuple(
    (f"/sys/fs/cgroup/{limit}", f"/sys/fs/cgroup/{used}")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    )
)
#: Seconds of work that justify starting one more process.
_SECONDS_PER_PROCESS = 10.0


def has_driver() -> bool:
    """Whether this machine has a CUDA driver; importing torch to find out would take seconds."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def pick(name: str) -> str:
    """``cpu`` or ``cuda`` for ``auto|cpu|cuda``. Raises UserError if there is no such device."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda is not available.", "torch finds no CUDA device.", "Use --device auto or cpu.")
    return "cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu"


def present(name: str) -> str:
    """:func:`pick`, without importing torch on a machine that has no driver."""
    return pick(name) if name == "cuda" or has_driver() else "cpu"


def gpus() -> int:
    """Number of GPUs of this machine."""
    import torch

    return torch.cuda.device_count()


def pin(precision: str = "fp32", exact: bool = True, device: str = "cpu") -> None:
    """Fix the number of threads, BLAS's too, and choose kernels. Call once before building a network.

    Unless ``precision`` is ``fp32``, single precision means TF32 on a GPU. With ``exact``, kernels are deterministic.
    ``device`` is ``cpu`` or ``cuda``.
    """
    import cv2
    import threadpoolctl
    import torch

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(THREADS)  # For libraries that are loaded later.
    threadpoolctl.threadpool_limits(THREADS)
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    # Some CUDA kernels have no deterministic version (pooling gradients): they only warn.
    torch.use_deterministic_algorithms(mode=exact, warn_only=True)
    if device == "cuda":
        if exact:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this.
        # The gradients of fused attention add up in any order.
        torch.backends.cuda.enable_flash_sdp(not exact)
        torch.backends.cuda.enable_mem_efficient_sdp(not exact)
        torch.backends.cuda.enable_cudnn_sdp(not exact)


def spread() -> None:
    """Let one computation use every core; only for results that need not be the same bits on another machine."""
    import joblib
    import torch

    torch.set_num_threads(max(1, int(joblib.cpu_count())))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a tensor did not fit into the memory of the device."""
    told = ("OutOfMemoryError", "DefaultCPUAllocator: can't allocate memory", "CUDA out of memory")
    return isinstance(error, MemoryError) or any(word in f"{type(error).__name__}: {error}" for word in told)


def release_memory() -> None:
    """Give memory that torch keeps for later back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for garbage, for work that makes millions of objects which stay: it would take longer than the work."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _number(path: str) -> int | None:
    """The number in a system file; None if it holds no number (``max``) or does not exist."""
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def memory() -> int | None:
    """Bytes of memory available to new processes, within a container's limit; None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    for limit, used in _CGROUPS:
        most, now = _number(limit), _number(used)
        if most is not None and now is not None:
            free.append(max(most - now, 0))
    return min(free, default=None)


@dataclass(frozen=True)
class Processes:
    """How many processes compute at once.

    ``most`` is the number that the user ``requested``; otherwise it is an upper limit, from cores and memory, and fewer
    are started for little work.
    """

    most: int
    requested: bool = False

    def count(self, device: str, units: int, seconds: float) -> int:
        """Number of processes for ``units`` of work that take one process ``seconds`` in total; at least 1.

        One process fills a GPU with networks of real sizes, so several share it only if requested.
        """
        if self.requested:
            return max(1, min(self.most, units))
        return max(1, min(1 if device == "cuda" else self.most, units, math.ceil(seconds / _SECONDS_PER_PROCESS)))


def processes(weights: int) -> Processes:
    """One process per core, or fewer if memory is short.

    ``weights`` is the size in bytes of the largest models that one process loads at once.
    """
    import joblib

    free, cores = memory(), int(joblib.cpu_count())
    return Processes(max(1, cores if free is None else min(cores, free // (_GIB + 3 * weights))))


def describe(device: str) -> dict[str, str]:
    """What may change the last bits of a result, for provenance."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {"device": device, "device_name": name, "torch": torch.__version__, "threads": str(THREADS)}
