"""Numbers of detectors that are not trained, for :mod:`tests.parity.make`."""

import sys
import tempfile
import types
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL, VQModel
from PIL import Image

from tests.parity.seeded import fill, image

#: Small autoencoders, of Stable Diffusion's and of Kandinsky's kind.
BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 4,
}
SIZES = ((64, 64), (80, 48))


def kl():
    """The small variational autoencoder with seeded weights."""
    return fill(AutoencoderKL(**BLOCKS, block_out_channels=(8, 16, 16, 16), norm_num_groups=8), gain=0.7)


def vq():
    """The small vector-quantised autoencoder with seeded weights."""
    spatial = {"num_vq_embeddings": 64, "norm_num_groups": 32, "vq_embed_dim": 4, "norm_type": "spatial"}
    return fill(VQModel(**BLOCKS, block_out_channels=(32, 32, 32, 32), **spatial))


def aeroblade():
    """Reconstructions of two images by both autoencoders, and their distances at the five layers of LPIPS."""
    sys.modules["pyiqa"] = types.SimpleNamespace(DEFAULT_CONFIGS={})
    sys.modules["aeroblade.inversion"] = types.SimpleNamespace(create_pipeline=None)
    import aeroblade.distances as official
    import aeroblade.image as pictures

    class Pipeline:
        def __init__(self, repository):
            setattr(self, *(("movq", vq()) if "kandinsky" in repository else ("vae", kl())))

        @classmethod
        def from_pretrained(cls, repository, **options):
            return cls(repository)

        def enable_model_cpu_offload(self):
            pass

    original, compute = official._PatchedLPIPS, official._compute_lpips
    official._PatchedLPIPS = lambda **how: seeded_lpips(original(**how, pnet_rand=True, verbose=False))
    official._compute_lpips = getattr(compute, "func", compute)
    pictures.AutoPipelineForImage2Image = Pipeline
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, size in enumerate(SIZES):
            path = Path(folder) / f"{number}.png"
            Image.fromarray(image(number, *size)).save(path)
            for name, repository in (
                ("kl", "CompVis/stable-diffusion-v1-1"),
                ("vq", "kandinsky-community/kandinsky-2-1"),
            ):
                files = pictures.ImageFolder(path)
                how = {"seed": 1, "batch_size": 1, "num_workers": 0, "output_root": Path(folder) / name}
                made = pictures.compute_reconstructions(files, repository, **how)
                metric = official.distance_from_config("lpips_vgg_-1", batch_size=1, num_workers=0)
                told, _ = metric.compute(ds_a=files, ds_b=pictures.ImageFolder(made))
                values = [-float(told[f"lpips_vgg_{layer}"].squeeze()) for layer in range(1, 6)]
                rgb = np.asarray(Image.open(made[0]))
                found[f"{name} {number}"] = {"distances": values, "pixels": rgb[::9, ::9, 0].tolist()}
    return found


def seeded_lpips(network):
    """Seeded trunk and heads, which are positive; constants stay."""
    kept = {key: value.clone() for key, value in network.state_dict().items() if key.startswith("scaling_layer.")}
    fill(network).load_state_dict(kept, strict=False)
    heads = {f"lins.{k}.model.1.weight": network.state_dict()[f"lin{k}.model.1.weight"].abs() for k in range(5)}
    network.load_state_dict(heads, strict=False)
    return network.eval()


MAKERS = {"aeroblade": aeroblade}
