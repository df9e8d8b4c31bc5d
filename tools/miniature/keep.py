"""How trained weights are stored in the repository: half precision, short mantissas, compressed, without duplicates."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import torch
from torch import nn

from bench.models.embedded import PACKED, SAME

#: Bits kept of the ten mantissa bits of matrices: a relative error below 1 / 64, as with int8 weights.
MANTISSA = 5
#: A number has two bytes, so the lowest bit of a position separates mantissa from exponent.
_FILTERS = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 1, "lp": 1, "pb": 1, "nice_len": 273},
]


def rounded(tensor: torch.Tensor, bits: int = MANTISSA) -> torch.Tensor:
    """A tensor in half precision, its mantissas rounded to nearest even at ``bits``; vectors keep all ten bits."""
    half = tensor.detach().cpu().half().contiguous()
    if half.ndim < 2 or bits >= 10:
        return half
    whole, drop = half.view(torch.int16).int() & 0xFFFF, 10 - bits
    whole = (whole + (1 << (drop - 1)) - 1 + ((whole >> drop) & 1)) >> drop << drop
    return (whole - (whole >= 0x8000).int() * 0x10000).to(torch.int16).view(torch.float16)


@torch.no_grad()
def settle(net: nn.Module) -> None:
    """Round a network's parameters as they will be stored, so that the committed weights are measured and sampled."""
    for parameter in net.parameters():
        parameter.copy_(rounded(parameter))


def pack(made: Path, kept: Path, first: Path) -> None:
    """Write the folder ``made`` to ``kept``: tensors are compressed; a file that ``first`` also has is only named."""
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        name, data = path.relative_to(made), path.read_bytes()
        target, same = kept / name, first / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in (target, Path(f"{target}{PACKED}"), Path(f"{target}{SAME}")):
            old.unlink(missing_ok=True)
        if path.suffix != ".safetensors":
            target.write_bytes(data)
        elif made != first and same.is_file() and same.read_bytes() == data:
            reference = f"{first.name}/{name.as_posix()} {hashlib.sha256(data).hexdigest()}\n"
            Path(f"{target}{SAME}").write_text(reference, encoding="utf-8")
        else:
            Path(f"{target}{PACKED}").write_bytes(lzma.compress(data, filters=_FILTERS))
