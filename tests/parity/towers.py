"""Numbers of detectors that change or read the blocks of a vision transformer, for :mod:`tests.parity.make`.

``fatformer`` needs ``pytorch_wavelets``. Its network is fixed at a width of 1024; the small CLIP here has two blocks of
it, one adapter, and a text half 192 wide.
"""

import io
import sys
import types
from pathlib import Path

import torch

from tests.parity.seeded import image, tensor

#: FatFormer's small CLIP: side, patch, blocks, width, embedding; width, blocks and heads of the text half.
SIDE, PATCH, BLOCKS, WIDTH, EMBEDDING = 56, 14, 2, 1024, 192
TEXT_WIDTH, TEXT_BLOCKS, TEXT_HEADS = 192, 2, 3
CONTEXT, VOCABULARY = 77, 49408
#: What the names of the small FatFormer's adapter begin with; kept as a star.
BLOCK = "clip_model.visual.transformer.resblocks.1.forgery_aware_adapter."
#: FatFormer's second names of CLIP's tensors, and the first ones.
NAMES = {"image_encoder.": "clip_model.visual.", "text_encoder.": "clip_model."}


def first_name(name):
    """The first name of a tensor of FatFormer, by which its values are drawn."""
    if name == "logit_scale":
        return "clip_model.logit_scale"
    old = next((old for old in NAMES if name.startswith(old)), "")
    return NAMES.get(old, "") + name.removeprefix(old)


def released(shapes):
    """Seeded tensors of FatFormer's file by name, with CLIP's own scale and without the wavelet's constant filters."""
    names = [name for name in shapes if "dwt_transform" not in name]
    scales = {name: torch.tensor(100.0).log() for name in names if name.endswith("logit_scale")}
    return {name: tensor(0, first_name(name), tuple(shapes[name])) for name in names} | scales


def views(side):
    """Two images, float [2, 3, side, side] in 0…1."""
    return torch.stack([torch.from_numpy(image(n, side, side)).permute(2, 0, 1).float() / 255 for n in (0, 1)])


def fatformer():
    """Logits of two images, one embedding of a text, the prompts' tokens, and the names and shapes beside CLIP's."""
    packaging = types.SimpleNamespace(version=types.SimpleNamespace(parse=lambda words: words))
    opened = {
        "resource_stream": lambda package, name: io.BytesIO(Path(sys.modules[package].__path__[0], name).read_bytes())
    }
    sys.modules["pkg_resources"] = types.SimpleNamespace(packaging=packaging, **opened)
    sys.modules["ftfy"] = types.SimpleNamespace(fix_text=lambda words: words)
    import models.clip.clip as official
    from models import clip_models
    from models.clip.model import CLIP

    given = types.SimpleNamespace(num_vit_adapter=1, num_context_embedding=8, init_context_embedding="", num_classes=2)
    text = (CONTEXT, VOCABULARY, TEXT_WIDTH, TEXT_HEADS, TEXT_BLOCKS)
    clip = CLIP(EMBEDDING, SIDE, BLOCKS, WIDTH, PATCH, *text, args=given)
    official.load = lambda *_, **__: (clip, None)
    model = clip_models.CLIPModel("small", given).eval()
    state = model.state_dict()
    model.load_state_dict(released({name: t.shape for name, t in state.items()}), strict=False)
    x = views(SIDE)
    with torch.no_grad():
        tokens = model.image_encoder(x, return_full=True)
        texts = model.text_encoder(model.language_guided_alignment(tokens)[0], model.tokenized_prompts)
        logits = model(x)
    beside = {n: list(t.shape) for n, t in state.items() if first_name(n) == n}
    beside = {n: shape for n, shape in beside.items() if not n.startswith("clip_model.") or "adapter" in n}
    shapes = {name.replace(BLOCK, "*."): shape for name, shape in beside.items()}
    found = {"logits": logits.tolist(), "tokens": tokens[0, ::5, ::31].tolist(), "texts": texts[:, ::19].tolist()}
    return found | {"prompts": model.tokenized_prompts[:, :13].tolist(), "shapes": shapes, "count": len(state)}


MAKERS = {maker.__name__: maker for maker in (fatformer,)}
