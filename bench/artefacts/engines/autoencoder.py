"""An image through the autoencoder of a latent diffusion model, without diffusion.

AEROBLADE (CVPR 2024) measures what the round trip changes; detectors trained on aligned pairs (AlignedForensics, DDA)
take it as a generated image with the content of its photograph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.artefacts.batching import noise
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import crop_to_multiple
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from bench.nets.autoencoder import Autoencoder as Network
    from bench.nets.autoencoder import Rounding

#: Image sides are cut to multiples of this number; no autoencoder of a known role has a larger factor.
MULTIPLE = 8


def recipe(
    role: str,
    image: Recipe | str = IMAGE,
    *,
    sample: bool = True,
    quantise: bool = True,
    rounding: Rounding = "truncate",
    seed: int = 0,
) -> Recipe:
    """The recipe for the round trip through the autoencoder of ``role``.

    ``sample`` draws from the posterior, with noise per image; without it the posterior's mean is decoded. ``quantise``
    uses the codebook of a vector-quantised autoencoder. ``rounding`` of 8-bit values is ``truncate``, as torchvision's
    ``to_pil_image`` does, or ``nearest``.
    """
    params = {"sample": sample, "quantise": quantise, "rounding": rounding, "multiple": MULTIPLE}
    return Recipe("autoencoder", Autoencoder.version, params, {role: ""}, seed if sample else 0, {"image": image})


class Autoencoder(Engine):
    """Image → image, whose sides are the largest multiples of 8; the margin is cut off evenly."""

    name = "autoencoder"
    version = 1
    payload = "png"
    batch = 16
    seconds = 0.01
    draws_noise = True
    reconstructs = True

    def forwards(self, recipe: Recipe) -> int:
        """Encoder and decoder."""
        return 2

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The image's, cut to the multiple."""
        height, width = (max(side, MULTIPLE) // MULTIPLE * MULTIPLE for side in sizes["image"])
        return height, width

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the autoencoder alone."""
        from bench.nets.autoencoder import Autoencoder as Network

        (role,) = recipe.weights
        self._recipe, self._meter = recipe, meter
        self._net: Network = Network(zoo.folder(role), device, zoo.numerics)

    def view(self, request: Request) -> RGB:
        """The image with its sides cut to multiples."""
        return crop_to_multiple(request.rgb, MULTIPLE)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[RGB]:
        """Images uint8."""
        params, shape = self._recipe.params, self._net.latent_shape(views[0])
        draws = params["sample"] and self._net.draws
        drawn = [noise(f"{r.image_id} posterior", self._recipe.seed, shape) for r in requests] if draws else None
        self._meter.forwards += 2 * len(views)
        return self._net.round_trip(list(views), drawn, params["quantise"], params["rounding"])


ENGINE = Autoencoder
