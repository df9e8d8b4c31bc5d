"""How trained weights are kept in the repository: half precision, short mantissas, compressed, nothing twice."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import torch
from torch import nn

from bench.models.embedded import PACKED, SAME

#: Bits of a matrix's mantissas, of half precision's ten: a relative error below 1 / 64, as int8 weights have it.
MANTISSA = 5
#: Two bytes a number: the position's lowest bit tells mantissa from exponent.
_FILTERS = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 1, "lp": 1, "pb": 1, "nice_len": 273},
]


def rounded(tensor: torch.Tensor, bits: int = MANTISSA) -> torch.Tensor:
    """A tensor in half precision, its mantissas rounded to nearest even at ``bits``; vectors keep all ten."""
    half = tensor.detach().cpu().half().contiguous()
    if half.ndim < 2 or bits >= 10:
        return half
    whole, drop = half.view(torch.int16).int() & 0xFFFF, 10 - bits
    whole = (whole + (1 << (drop - 1)) - 1 + ((whole >> drop) & 1)) >> drop << drop
    return (whole - (whole >= 0x8000).int() * 0x10000).to(torch.int16).view(torch.float16)


@torch.no_grad()
def settle(net: nn.Module) -> None:
    """Give a network the numbers that will be kept, so that what is measured and sampled is what is committed."""
    for parameter in net.parameters():
        parameter.copy_(rounded(parameter))


def pack(made: Path, kept: Path, first: Path) -> None:
    """Write the folder ``made`` to ``kept``: tensors compressed, files that ``first`` has already only named."""
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        name, data = path.relative_to(made), path.read_bytes()
        target, there = kept / name, first / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in (target, Path(f"{target}{PACKED}"), Path(f"{target}{SAME}")):
            old.unlink(missing_ok=True)
        if path.suffix != ".safetensors":
            target.write_bytes(data)
        elif made != first and there.is_file() and there.read_bytes() == data:
            told = f"{first.name}/{name.as_posix()} {hashlib.sha256(data).hexdigest()}\n"
            Path(f"{target}{SAME}").write_text(told, encoding="utf-8")
        else:
            Path(f"{target}{PACKED}").write_bytes(lzma.compress(data, filters=_FILTERS))
