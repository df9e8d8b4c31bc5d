"""Detectors that are not trained give the official numbers."""

import numpy as np
import pytest
import torch

from bench import discover
from bench.artefacts.engines import lpips, lpips_layer
from bench.detector import Facts, Sample
from bench.nets.autoencoder import Autoencoder
from tests.parity import free
from tests.parity.seeded import image
from tests.parity.test_parity import numbers


@pytest.fixture(scope="module")
def network():
    return free.seeded_lpips(lpips.build(trunk="vgg"))


@pytest.mark.parametrize("number", range(len(free.SIZES)))
@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_aeroblade_reconstructs_and_measures_as_published(kind, number, network, tmp_path):
    told, rgb = numbers("aeroblade")[f"{kind} {number}"], image(number, *free.SIZES[number])
    getattr(free, kind)().save_pretrained(tmp_path / "vae")
    autoencoder = Autoencoder(tmp_path, "cpu")
    drawn = torch.randn(autoencoder.latent_shape(rgb), generator=torch.Generator().manual_seed(1)).numpy()
    (made,) = autoencoder.round_trip([rgb], [drawn] if autoencoder.draws else None, True, "truncate")
    differences = np.abs(made[::9, ::9, 0].astype(int) - told["pixels"])
    assert differences.max() <= 1, "a value at a whole number may be cut to either side"
    assert differences.mean() <= 0.02
    pair = [torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for x in (rgb, made)]
    with torch.no_grad():
        found = [float(lpips_layer.distances(network, *pair, layer)) for layer in range(1, 6)]
    assert found == pytest.approx(told["distances"], rel=5e-3, abs=1e-4)


def test_aeroblade_takes_the_autoencoder_that_changes_an_image_least():
    method = discover.method("aeroblade")
    made = dict(zip(method.Params().autoencoders, (0.3, 0.1, 0.2), strict=True))
    sample = Sample(np.zeros((8, 8, 3), np.uint8), made, Facts("png", 0, 8, 8, 1))
    assert method(method.Params()).value(sample) == -0.1
