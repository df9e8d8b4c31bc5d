"""FreqNet: high frequencies of images and feature maps, and convolutions of spectra, around a truncated ResNet-50.

networks/freqnet.py of the authors' code as kept in ysobella/FreqNet-DeepfakeDetection@350adb4: the authors' own
repository has no code any more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fft import fft, fft2, fftshift, ifft, ifft2, ifftshift
from torch.nn.functional import conv2d, relu

from bench.nets.truncated_resnet import Shape, bottlenecks


def high(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The positive part of x [B, C, H, W] without the lower half of its frequencies along ``dims``."""
    several = len(dims) > 1
    spectrum = fftshift(fft2(x, norm="ortho") if several else fft(x, dim=dims[0], norm="ortho"), dim=dims)
    low = torch.ones((), dtype=torch.bool, device=x.device)
    for dim in dims:
        size = x.shape[dim]
        place = torch.arange(size, device=x.device)
        inside = (place >= size // 2 - size // 4) & (place < size // 2 + size // 4)
        low = low & inside.view([-1 if axis == dim % x.dim() else 1 for axis in range(x.dim())])
    spectrum = ifftshift(spectrum.masked_fill(low, 0), dim=dims)
    return relu((ifft2(spectrum, norm="ortho") if several else ifft(spectrum, dim=dims[0], norm="ortho")).real)


class FreqNet(nn.Module):
    """Four times high frequencies, a convolution of one pixel, and one of the spectrum; ``layer1`` and ``layer2``.

    The convolutions of one pixel are bare parameters ``weight1`` … ``bias4``, those of real and imaginary parts
    ``realconv1`` … ``imagconv4``: the names of the released weights.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        sizes = ((3, width), (width, width), (4 * width, 4 * width), (4 * width, 4 * width))
        for number, (inside, outside) in enumerate(sizes, 1):
            self.register_parameter(f"weight{number}", nn.Parameter(torch.randn(outside, inside, 1, 1)))
            self.register_parameter(f"bias{number}", nn.Parameter(torch.randn(outside)))
            for part in ("real", "imag"):
                self.add_module(f"{part}conv{number}", nn.Conv2d(outside, outside, 1, bias=False))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = bottlenecks(width, width, shape.depths[0], 1)
        self.layer2 = bottlenecks(4 * width, 2 * width, shape.depths[1], 2)
        self.fc1 = nn.Linear(8 * width, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(self, x: Tensor, number: int, stride: int, channels: bool) -> Tensor:
        """High frequencies in space, with ``channels`` also across these, and convolutions of pixels and spectrum."""
        weight, bias = self.get_parameter(f"weight{number}"), self.get_parameter(f"bias{number}")
        x = relu(conv2d(high(x, (-2, -1)), weight, bias, stride))
        if channels:
            x = high(x, (1,))
        spectrum = fftshift(fft2(x, norm="ortho"), dim=(-2, -1))
        real, imaginary = self.get_submodule(f"realconv{number}"), self.get_submodule(f"imagconv{number}")
        spectrum = torch.complex(real(spectrum.real), imaginary(spectrum.imag))
        return relu(ifft2(ifftshift(spectrum, dim=(-2, -1)), norm="ortho").real)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, 1]."""
        x = self._stage(self._stage(x, 1, 1, True), 2, 2, True)
        x = self.layer1(self.maxpool(x))
        x = self.layer2(self._stage(self._stage(x, 3, 1, False), 4, 2, False))
        logits: Tensor = self.fc1(x.mean((2, 3)))
        return logits
