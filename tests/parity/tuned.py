"""Numbers of detectors that train inside CLIP's image tower, for :mod:`tests.parity.make`.

The networks are transformers' CLIP at a small width. ``effort`` has two code bases, of each of which one file is read;
its constant 1024 - 1, the number of singular values that stay fixed, is the small width minus one here.
"""

import importlib.util
import re
import sys
import types
from pathlib import Path

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel

from tests.parity import openai
from tests.parity.seeded import fill, tensor

VISION = {
    "hidden_size": openai.WIDTH,
    "intermediate_size": 4 * openai.WIDTH,
    "num_hidden_layers": openai.LAYERS,
    "num_attention_heads": openai.WIDTH // 64,
    "image_size": openai.SIDE,
    "patch_size": openai.PATCH,
    "projection_dim": openai.EMBEDDING,
}


def _clip():
    text = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    return CLIPModel(CLIPConfig(projection_dim=openai.EMBEDDING, vision_config=VISION, text_config=text))


def _keys(model):
    """The names of a state dict for one block instead of all, without CLIP's text half."""
    names = {re.sub(r"layers\.\d+", "layers.0", name) for name in model.state_dict()}
    return sorted(name for name in names if "text_" not in name)


def _file(name, path, package=None):
    spec = importlib.util.spec_from_file_location(name, next(p for f in sys.path if (p := Path(f) / path).exists()))
    module = importlib.util.module_from_spec(spec)
    module.__package__ = package
    spec.loader.exec_module(module)
    return module


def _packages():
    """What the detector's file of DeepfakeBench imports, none of which its network needs."""
    registry = types.SimpleNamespace(register_module=lambda **_: lambda kind: kind)
    for name, members in {
        "loralib": {},
        "torch.utils.tensorboard": {"SummaryWriter": None},
        "metrics": {},
        "metrics.base_metrics_class": {"calculate_metrics_for_train": None},
        "detectors": {"DETECTOR": registry, "__path__": []},
        "detectors.base_detector": {"AbstractDetector": nn.Module},
        "networks": {"BACKBONE": registry},
        "loss": {"LOSSFUNC": registry},
    }.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)


def effort():
    """Logits of both code bases on the small CLIP, their keys, and the fixed part of a decomposed weight."""
    _packages()
    ufd = _file("clip_models", "UniversalFakeDetect_Benchmark/models/clip_models.py")
    bench = _file("detectors.effort", "DeepfakeBench/training/detectors/effort_detector.py", "detectors")
    one, two = ufd.ClipModel.__new__(ufd.ClipModel), bench.EffortDetector.__new__(bench.EffortDetector)
    for model in (one, two):
        nn.Module.__init__(model)
    one.model, one.fc = _clip(), nn.Linear(openai.WIDTH, 1)
    one.model.vision_model = ufd.apply_svd_residual_to_self_attn(one.model.vision_model, openai.WIDTH - 1)
    two.backbone = bench.apply_svd_residual_to_self_attn(_clip().vision_model, openai.WIDTH - 1)
    two.head = nn.Linear(openai.WIDTH, 2)
    for model in (one, two):
        fill(model)
    layer = nn.Linear(16, 16)
    layer.load_state_dict({"weight": tensor(0, "weight", (16, 16)), "bias": tensor(0, "bias", (16,))})
    main = ufd.replace_with_svd_residual(layer, 15).weight_main
    with torch.no_grad():
        return {
            "ufd": {"logits": one(openai.views()).tolist(), "keys": _keys(one)},
            "deepfakebench": {"logits": two({"image": openai.views()})["cls"].tolist(), "keys": _keys(two)},
            "main": main[::5, ::3].tolist(),
        }


def c2p_clip():
    """Logits of the published network on the small CLIP, whose embedding is narrower than 768, and its keys."""
    module = importlib.import_module("inference")
    clip = _clip()
    clip.config.__dict__["use_return_dict"] = True  # Newer versions of transformers have no such entry.
    module.CLIPModel.from_pretrained = staticmethod(lambda _: clip)
    published, module.nn.Linear = nn.Linear, lambda _, classes: published(openai.EMBEDDING, classes)
    model = module.C2P_CLIP("small")
    module.nn.Linear = published
    with torch.no_grad():
        return {"logits": fill(model)(openai.views()).tolist(), "keys": _keys(model)}


MAKERS = {maker.__name__: maker for maker in (c2p_clip, effort)}
