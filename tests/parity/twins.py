"""Numbers of detectors trained on photographs and their twins by an autoencoder, for :mod:`tests.parity.make`."""

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

from tests.parity import free
from tests.parity.seeded import fill, image

#: Even and odd pictures, width and height; the photographs of the autoencoder.
SIDES = ((48, 32), (51, 37))
#: What keeps the activations of 50 layers from growing.
GAIN = 0.9


def _below(name):
    """Import from a folder of the checkout from now on, without packages of the same names from another folder."""
    folder = next(path for root in list(sys.path) if (path := Path(root) / name).is_dir())
    for loaded in [n for n in sys.modules if n.partition(".")[0] in ("networks", "utils", "models", "data")]:
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


MAKERS = {"aligned_forensics": aligned_forensics}
