"""Numbers of detectors trained on photographs and their twins by an autoencoder, for :mod:`tests.parity.make`."""

import ast
import functools
import hashlib
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torchvision import transforms

from bench.nets import vit
from methods._shared import lora
from methods._shared.clip import MEAN, STD
from methods._shared.tensors import normalised
from tests.parity import free
from tests.parity.seeded import SIZES, fill, image, tensor

#: Even and odd pictures, width and height; the photographs of the autoencoder.
SIDES = ((48, 32), (51, 37))
#: What keeps the activations of 50 layers from growing.
GAIN = 0.9


def _below(name):
    """Import from a folder of the checkout from now on, without packages of the same names from another folder."""
    folder = next(path for root in list(sys.path) if (path := Path(root) / name).is_dir())
    for loaded in [n for n in sys.modules if n.partition(".")[0] in ("networks", "utils", "models")]:
        del sys.modules[loaded]
    sys.path.insert(0, str(folder))
    return folder


def digest(names):
    """One number for the names of a state dict."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def aligned_forensics():
    """Logits of prepared images, names of the tensors, a reconstruction, and augmentations with given arguments."""
    _below("test_code")
    networks, processing = importlib.import_module("networks"), importlib.import_module("utils.processing")
    model = fill(networks.create_architecture("res50nodown"), gain=GAIN)
    prepare = processing.make_normalize("resnet")
    with torch.no_grad():
        logits = [model(prepare(Image.fromarray(image(n, *size)))[None]).item() for n, size in enumerate(SIDES)]
    found = {"logits": logits, "keys": digest(model.state_dict())}
    _below("training_code/recon")
    recon = importlib.import_module("recon")
    photographs = [transforms.ToTensor()(Image.fromarray(image(n, *size))) for n, size in enumerate(free.SIZES)]
    with torch.no_grad():
        made = [recon.reconstruct_simple(x=x[None], ae=free.kl(), seed=42)[0] for x in photographs]
    found["twins"] = [np.asarray(transforms.ToPILImage()(x))[::9, ::9, 0].tolist() for x in made]
    folder = _below("training_code")
    sys.modules["scipy.ndimage.filters"] = types.SimpleNamespace(gaussian_filter=ndimage.gaussian_filter)
    sys.modules["utils"] = types.ModuleType("utils")
    sys.modules["utils"].__path__ = [str(folder / "utils")]
    steps = importlib.import_module("utils.processing")
    picture = Image.fromarray(image(0, 40, 34))
    changed = {
        "blur": steps.data_augment_blur(picture, 1.1, [1.5]),
        "cv2": steps.data_augment_cmp(picture, 1.1, ["cv2"], [42]),
        "pil": steps.data_augment_cmp(picture, 1.1, ["pil"], [42]),
    }
    return found | {name: np.asarray(x).reshape(-1, 3)[::97].tolist() for name, x in changed.items()}


#: A small DINOv2, and the side of the images that it gets here.
SMALL, SIDE = vit.Shape(width=48, depth=2, heads=3, patch=14, size=112), 56


def released(shape):
    """A file of DDA on a DINOv2 of some shape in the published layout: its names, with seeded tensors."""
    shapes = {"base_model.fc.weight": (1, shape.width), "base_model.fc.bias": (1,)}
    for name, value in {**vit.build(shape).state_dict(), "mask_token": torch.zeros(1, shape.width)}.items():
        layer, _, kind = f"base_model.model.{name}".rpartition(".")
        updated = layer.endswith(lora.LAYERS)
        shapes[f"{layer}.original_layer.{kind}" if updated else f"{layer}.{kind}"] = tuple(value.shape)
        if updated and kind == "weight":
            outside, inside = value.shape
            shapes |= {f"{layer}.lora.lora_A": (8, inside), f"{layer}.lora.lora_B": (outside, 8)}
    return {name: tensor(0, name, size) for name, size in shapes.items()}


def views():
    """Two images of the small DINOv2's size."""
    return torch.stack([normalised(image(n, SIDE, SIDE), MEAN, STD) for n in (0, 1)])


def dda():
    """Logits and features on a small DINOv2, what the trainer trains, prepared images, and the steps of its pairs.

    The second checkout is facebookresearch/dinov2's, whose network torch.hub gives.
    """
    hub = importlib.import_module("dinov2.models.vision_transformer")
    block = functools.partial(hub.Block, attn_class=hub.MemEffAttention)
    how = {"embed_dim": SMALL.width, "depth": SMALL.depth, "num_heads": SMALL.heads, "init_values": 1.0}
    network = functools.partial(hub.DinoVisionTransformer, SMALL.size, SMALL.patch, block_chunks=0, block_fn=block)
    torch.hub.load = lambda *_, **__: network(**how)
    folder = _below("Inference")
    importlib.import_module("models.dinov2_models").CHANNELS["small"] = SMALL.width
    official = importlib.import_module("models.dinov2_models_lora").DINOv2ModelWithLoRA
    model = fill(official(name="small", lora_rank=8, lora_alpha=1, lora_targets=None))
    with torch.no_grad():
        features, logits = model(views(), return_feature=True)
    trained = [id(parameter) for parameter in model.get_trainable_params()]
    found = {"logits": logits[:, 0].tolist(), "features": features[:, ::7].tolist(), "keys": digest(model.state_dict())}
    found["trained"] = {
        "listed": len(trained),
        "distinct": len(set(trained)),
        "last layer": id(model.base_model.fc.weight) in trained,
    }
    tree = ast.parse((folder / "inference.py").read_text())
    lines = [n for n in tree.body if isinstance(n, ast.Assign) and "transform" in ast.unparse(n.targets[0])]
    names = {"transforms": transforms}
    exec(compile(ast.Module(lines, []), "inference", "exec"), names)
    prepared = [names["test_transform"](Image.fromarray(image(n, *size))) for n, size in enumerate(SIZES)]
    found["prepared"] = [[round(float(x.sum()), 2), x[:, ::71, ::67].tolist()] for x in prepared]
    _below("Training/data")
    sys.modules["scipy.ndimage.filters"] = types.SimpleNamespace(gaussian_filter=None)
    return found | {name: np.asarray(x).reshape(-1, 3)[::97].tolist() for name, x in _steps().items()}


def _steps():
    """The steps of DDA's pairs with given arguments."""
    steps = importlib.import_module("custom_transforms")
    real, twin = (Image.fromarray(image(n, 40, 34)) for n in (0, 1))
    return {
        "pixel mix": steps.pixel_blend_mix(real, twin, ratios=[0.3, 0.3]),
        "frequency mix": steps.freq_blend_mix(real, twin, ratios=[0.3, 0.3], patch=-1),
        "compressed": steps.JPEG_Compression(real, 90),
        "smaller": steps.apply_resize(real, 0.73, Image.HAMMING),
        "larger": steps.apply_resize(real, 1.41, Image.LANCZOS),
        "motion": steps.MotionBlur(5, angle=30)(real),
        "sharpened": steps.RandomSharpen(p=1.1, factor=(2.0, 2.0))(real),
    }


MAKERS = {maker.__name__: maker for maker in (aligned_forensics, dda)}
