"""Weights and images that anyone can draw again: functions of a seed and a name."""

import hashlib
import math

import numpy as np
import torch
from PIL import Image

#: Width and height of three test images.
SIZES = ((300, 260), (224, 224), (180, 400))
#: Token numbers of two texts.
TEXTS = ((3, 7, 9), (4, 4, 21, 30, 8))


def generator(*words):
    return np.random.default_rng(np.frombuffer(hashlib.sha256(repr(words).encode()).digest(), np.uint32))


def tensor(seed, key, shape, like_normal=False):
    """A tensor for a state-dict entry, of a size that keeps activations near one; or standard normal but for biases."""
    if key.endswith((".kernel", "lod")):
        return None
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    drawn = generator(seed, key).standard_normal(shape, dtype=np.float32)
    if key.endswith("running_var"):
        drawn = 1 + 0.2 * np.abs(drawn)
    elif like_normal and len(shape) > 1:
        pass
    elif len(shape) > 1:
        drawn = drawn * math.sqrt(1.6 / np.prod(shape[1:]))
    elif key.endswith("weight"):
        drawn = 1 + 0.1 * drawn
    else:
        drawn = 0.1 * drawn
    return torch.from_numpy(np.asarray(drawn, np.float32).reshape(shape))


def fill(module, seed=0, like_normal=False, gain=1.0):
    """Load seeded weights into every entry of a module's state; returns the module in evaluation mode.

    Constants (blur kernels, levels of detail) stay; ``like_normal`` is for equalised learning rates, which scale later;
    ``gain`` below one keeps a deep residual network from growing.
    """
    state = module.state_dict()
    drawn = {key: tensor(seed, key, tuple(value.shape), like_normal) for key, value in state.items()}
    drawn = {key: t * gain if t is not None and t.dim() > 1 else t for key, t in drawn.items()}
    module.load_state_dict({key: state[key] if t is None else t.to(state[key].dtype) for key, t in drawn.items()})
    return module.eval()


def image(number, width, height):
    """A picture uint8 [height, width, 3] with structure at every scale."""
    rng, planes = generator("image", number), []
    for side in (3, 9, 30):
        small = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        planes.append(np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC), np.float32))
    mixed = 0.5 * planes[0] + 0.3 * planes[1] + 0.2 * planes[2] + rng.normal(0, 6, (height, width, 3))
    return np.clip(mixed.round(), 0, 255).astype(np.uint8)
