"""Numbers of detectors that change or read the blocks of a vision transformer, for :mod:`tests.parity.make`.

``fatformer`` needs ``pytorch_wavelets``. Its network is fixed at a width of 1024; the small CLIP here has two blocks of
it, one adapter, and a text half 192 wide.
"""

import importlib
import io
import re
import sys
import types
from functools import partial
from pathlib import Path

import torch

from tests.parity import openai
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


#: SPAI's small network: side and patch of its transformer, width, depth and heads of that; radius of low frequencies;
#: widths of the projection and of the attention over patches.
SPAI = {"side": 32, "patch": 8, "width": 48, "depth": 3, "heads": 3, "radius": 5, "projection": 40, "attention": 48}
#: Images in four patches with a rest, in five crops of an odd image, and in five crops that are one.
CANVASES = ((70, 67), (41, 53), (32, 32))


def canvas(number):
    """An image, float [3, height, width] in 0…1."""
    width, height = CANVASES[number]
    return torch.from_numpy(image(number, width, height)).permute(2, 0, 1).float() / 255


def _cut(x, pattern, h=0):
    """``einops.rearrange`` in the two patterns that SPAI uses: heads out of the last axis, and back into it."""
    if pattern == "b n (h d) -> b h n d":
        return x.unflatten(2, (h, -1)).transpose(1, 2)
    assert pattern == "b h n d -> b n (h d)"
    return x.transpose(1, 2).flatten(2)


def _spai(sid, tower, side):
    """The published network on a tower."""
    s, depth = SPAI, len(tower.blocks) if hasattr(tower, "blocks") else openai.LAYERS
    width = s["width"] if hasattr(tower, "blocks") else openai.WIDTH
    estimator = sid.FrequencyRestorationEstimator(
        depth, width, s["projection"], 2, True, True, None, original_image_features_branch=True
    )
    features = 6 * depth + s["projection"]
    head = sid.ClassificationHead(features, 1, 3)
    words = (features, 4, s["attention"])
    chosen = {"minimum_patches": 4, "initialization_scope": "local"}  # The other scope would draw CLIP's weights anew.
    return sid.PatchBasedMFViT(tower, estimator, head, s["radius"], side, side, *words, **chosen).eval()


def spai():
    """Logits on MFM's transformer and on CLIP, what a patch gives, its low frequencies, and the names and shapes."""
    sys.modules["einops"] = types.SimpleNamespace(rearrange=_cut)
    clip = openai.published()
    sys.modules["clip"] = types.SimpleNamespace(load=lambda *_, **__: (clip, None))
    sys.modules["spai.utils"] = types.SimpleNamespace(save_image_with_attention_overlay=None)
    sid = importlib.import_module("spai.models.sid")
    s = SPAI
    sizes = {"img_size": s["side"], "patch_size": s["patch"], "embed_dim": s["width"], "num_heads": s["heads"]}
    tower = sid.vision_transformer.VisionTransformer(
        **sizes,
        depth=s["depth"],
        num_classes=2,
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_intermediate_layers=True,
        intermediate_layers=tuple(range(s["depth"])),
        return_features=True,
    )
    model = _spai(sid, tower, s["side"])
    other = _spai(sid, sid.backbones.CLIPBackbone(), openai.SIDE)
    for network in (model, other):
        own = {n: t for n, t in network.state_dict().items() if t.is_floating_point() and ".clip." not in n}
        network.load_state_dict({n: tensor(0, n, tuple(t.shape)) for n, t in own.items()}, strict=False)
    images = [canvas(n)[None] for n in range(len(CANVASES))]
    with torch.no_grad():
        found = {"logits": [model([x], 8).item() for x in images]}
        found["clip"] = [other([x.repeat(1, 1, 2, 2)], 8).item() for x in images]
        x = images[0][:, :, :32, :32]
        found["features"] = model.mfvit(x)[0, ::5].tolist()
        mask = model.mfvit.frequencies_mask
        found["low"] = sid.filters.filter_image_frequencies(x, mask)[0][0, :, ::9, ::7].tolist()
    found |= {"mask": [int(n) for n in mask.sum(1)], "count": len(model.state_dict())}
    shapes = {n: list(t.shape) for n, t in model.state_dict().items()}
    found["shapes"] = {
        n: shape for n, shape in shapes.items() if not re.search(r"(?<!cls_)(blocks|ors|norm)\.[1-9]\.", n)
    }
    return found


MAKERS = {maker.__name__: maker for maker in (fatformer, spai)}
