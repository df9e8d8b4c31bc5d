"""Measure protocols where there is nothing to find, and where there is: null generators, and the embedded generators.

    python -m benchmarks.protocols [--kinds framing,…] [--subsets sdv14,…] [--protocols aligned,…] [--json FILE]

A small CNN on pixels and their residuals is trained and tested on the same kind of images, under the protocol of
version 1 (windows at native size, fakes encoded with the tables of a partner real), under ``aligned``, under
alternatives to it (a weaker encoding, none, which is ``harmonised``, and a smaller copy), and under the protocols of
the codec alone, of whose whole images windows are shown at native size. AUC in percent; 50 is chance, and the standard
error of chance at 200 images per class is 3. Uses the embedded photographs and generators; needs no GPU and about
three quarters of an hour.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import nn

from bench import discover
from bench.data import jpeg, nulls
from bench.data.codecs import BOTH, PHOTOGRAPHS
from bench.data.decode import RGB, decode, read
from bench.data.protocols import GRID, QUALITY, SCALE, perform, scaled_to
from bench.data.splits import rank
from bench.metrics.classification import auc, tally
from bench.miniature.unpack import unpack
from bench.operations import Operation
from bench.progress import Progress
from benchmarks.output import keep

#: Images per class: the most for training, and for testing.
_MOST = (360, 200)
_EPOCHS = 25


@dataclass(frozen=True)
class Photo:
    """An image with the bytes of its file."""

    rgb: RGB
    data: bytes
    name: str

    @property
    def side(self) -> int:
        """The shorter side in pixels."""
        return int(min(self.rgb.shape[:2]))


Pair = tuple[Photo, Photo]


def _corner(photo: Photo, extents: tuple[int, ...], size: int, step: int = 1) -> tuple[int, ...]:
    """Top and left of a seeded window, multiples of ``step``."""
    numbers = [int(rank(axis, photo.name)[:8], 16) for axis in range(len(extents))]
    return tuple(n % ((extent - size) // step + 1) * step for n, extent in zip(numbers, extents, strict=True))


def _window(photo: Photo, size: int, step: int) -> RGB:
    top, left = _corner(photo, photo.rgb.shape[:2], size, step)
    return photo.rgb[top : top + size, left : left + size]


def version_1(pair: Pair, side: int) -> tuple[RGB, RGB]:
    """Windows at native size, on the codec's grid; the fake has the real's tables, or both quality 75."""
    size = side // 8 * 8
    options = [jpeg.settings(photo.data) for photo in pair]
    real, fake = (_window(photo, size, 16 if o else 1) for photo, o in zip(pair, options, strict=True))
    if options[0] is None:
        return jpeg.recompress(real, jpeg.plain(75)), jpeg.recompress(fake, jpeg.plain(75))
    return real, jpeg.recompress(fake, options[0])


def scaled(pair: Pair, side: int, scale: float = SCALE, quality: int = QUALITY) -> tuple[RGB, ...]:
    """What ``aligned`` does to both, at another share of the shorter side or quality; 0 is no encoding."""
    size, done = int(scale * side) // GRID * GRID, []
    for photo in pair:
        width, height = scaled_to(photo.rgb.shape[1], photo.rgb.shape[0], size)
        top, left = _corner(photo, (height, width), size)
        done.append(perform(Operation(left, top, size), photo.rgb, quality))
    return tuple(done)


def coded(pair: Pair, side: int, real: int, fake: int | None) -> tuple[RGB, ...]:
    """Windows of images that were encoded whole, at a quality (0: not at all; None: with the tables of the real)."""
    tables = jpeg.settings(pair[0].data)
    options = [jpeg.plain(quality) if quality else None for quality in (real, fake)]
    if fake is None:
        options[1] = tables
    size = side // GRID * GRID
    whole = [p.rgb if o is None else jpeg.recompress(p.rgb, o) for p, o in zip(pair, options, strict=True)]
    return tuple(_window(replace(photo, rgb=rgb), size, 1) for photo, rgb in zip(pair, whole, strict=True))


#: Those whose images keep their size: photographs of less than twice the fakes' side are taken, as in version 1.
NATIVE = ("version_1", "codec_match", "codec_both", "codec_fakes_only")
PROTOCOLS: Mapping[str, Callable[[Pair, int], tuple[RGB, ...]]] = {
    "version_1": version_1,
    "aligned": scaled,
    "quality_90": partial(scaled, quality=90),
    "harmonised": partial(scaled, quality=0),
    "smaller": partial(scaled, scale=0.6),
    "codec_match": partial(coded, real=0, fake=None),
    "codec_both": partial(coded, real=BOTH, fake=BOTH),
    "codec_fakes_only": partial(coded, real=0, fake=PHOTOGRAPHS),
}


class Net(nn.Module):
    """Five convolutions on pixels and second differences [N, 3, H, W]; gives logits [N]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((6, 24, 1), (24, 24, 1), (24, 32, 2), (32, 48, 2), (48, 64, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1))
        kernel = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]])
        self.register_buffer("kernel", kernel[None, None].repeat(3, 1, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of pixels in −1…1."""
        residual = nn.functional.conv2d(pixels, self.get_buffer("kernel"), groups=3, padding=1)
        logits: torch.Tensor = self.layers(torch.cat([pixels, residual], 1))[:, 0]
        return logits


def _tensors(images: Sequence[tuple[RGB, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    stack = np.stack([rgb for pair in images for rgb in pair])
    pixels = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels, torch.arange(len(pixels)) % 2


def found(train: Sequence[tuple[RGB, ...]], test: Sequence[tuple[RGB, ...]]) -> float:
    """The test AUC of a network that was trained on pairs (real, fake)."""
    torch.manual_seed(0)
    (pixels, labels), net = _tensors(train), Net()
    epochs = _EPOCHS if len(labels) > 400 else 2 * _EPOCHS
    steps = epochs * -(-len(labels) // 32)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(32):
            flipped = pixels[batch].flip(3) if torch.rand(()) < 0.5 else pixels[batch]
            loss = nn.functional.binary_cross_entropy_with_logits(net(flipped), labels[batch].float())
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    net.eval()
    pixels, labels = _tensors(test)
    with torch.no_grad():
        logits: NDArray[np.float32] = net(pixels).numpy()
    return float(auc(tally(logits, labels.numpy())))


def _photos(folder: Path) -> list[Photo]:
    paths = sorted(folder.iterdir(), key=lambda path: rank(0, path.name))
    return [Photo(decode(data := read(path)).rgb, data, path.name) for path in paths]


def _pairs(home: Path, split: str, native: bool, most: int) -> tuple[list[Pair], int]:
    """Pairs of a split and their smallest shorter side; at native size, reals of less than twice the fakes' side."""
    reals, fakes = (_photos(next(home.rglob(f"{split}/{kind}"))) for kind in ("nature", "ai"))
    least = min(photo.side for photo in fakes)
    reals = [photo for photo in reals if photo.side >= least and (not native or photo.side < 2 * least)]
    pairs = list(zip(reals, fakes, strict=False))[:most]
    return pairs, min(photo.side for pair in pairs for photo in pair)


def measured(home: Path, protocol: str) -> tuple[float, int]:
    """AUC and training pairs of a protocol on one folder in GenImage's layout."""
    splits = zip(("train", "val"), _MOST, strict=True)
    parts = [_pairs(home, split, protocol in NATIVE, most) for split, most in splits]
    side = min(part[1] for part in parts)
    train, test = ([PROTOCOLS[protocol](pair, side) for pair in pairs] for pairs, _ in parts)
    return found(train, test), len(train)


def main() -> None:
    """Make the nulls, measure and print."""
    subsets = {subset.name: subset for subset in discover.dataset("genimage").subsets}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(nulls.KINDS))
    parser.add_argument("--subsets", default=",".join(subsets))
    parser.add_argument("--protocols", default=",".join(PROTOCOLS))
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--photographs", type=int, metavar="N", help="use N photographs for each null, not all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    root, protocols = unpack(arguments.store, Progress()) / "genimage", arguments.protocols.split(",")
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        homes: dict[str, Path] = {}
        photographs = nulls.usable([p for kind in sorted(root.rglob("nature")) for p in sorted(kind.iterdir())])
        photographs = sorted(photographs, key=lambda path: rank(0, str(path)))[: arguments.photographs]
        for kind in filter(None, arguments.kinds.split(",")):
            homes[f"null: {kind}"] = Path(folder) / kind
            nulls.make(kind, photographs, homes[f"null: {kind}"], Progress())
        found_folders = {path.name.lower(): path for path in root.iterdir()}
        for name in filter(None, arguments.subsets.split(",")):
            homes[name] = next(found_folders[alias] for alias in subsets[name].aliases if alias in found_folders)
        for name, home in homes.items():
            figures[name] = {protocol: round(100 * measured(home, protocol)[0], 1) for protocol in protocols}
            print(name, figures[name], flush=True)
    print("\nAUC in percent of a CNN that was trained on images of the same kind.\n")
    print(tabulate([[name, *row.values()] for name, row in figures.items()], ["", *protocols], "github"))
    flat = {f"{name} {protocol}": value for name, row in figures.items() for protocol, value in row.items()}
    keep(flat, arguments.json)


if __name__ == "__main__":
    main()
