"""Numbers of detectors on a frozen CLIP, for :mod:`tests.parity.make`; UniversalFakeDetect's checkout has OpenAI's."""

import ast
import importlib
import sys
import types
from pathlib import Path

import torch

from tests.parity import openai
from tests.parity.seeded import fill, tensor


def rine():
    """Logits and features of the network on the small CLIP, and the contrastive loss of features of both classes."""
    clip = openai.published()
    sys.modules["clip"] = types.SimpleNamespace(load=lambda *_, **__: (clip, None))
    network = importlib.import_module("src.models").Model(("small", openai.WIDTH), 2, 96, "cpu")
    own = {key: value for key, value in network.state_dict().items() if "clip" not in key}
    network.load_state_dict({key: tensor(0, key, tuple(t.shape)) for key, t in own.items()}, strict=False)
    with torch.no_grad():
        logits, features = network.eval()(openai.views())
    source = next(path for folder in sys.path if (path := Path(folder) / "src/utils.py").exists())
    classes = [n for n in ast.parse(source.read_text()).body if getattr(n, "name", "") == "SupConLoss"]
    names = {"nn": torch.nn, "torch": torch}
    exec(compile(ast.Module(classes, []), "utils", "exec"), names)
    drawn, labels = torch.nn.functional.normalize(tensor(0, "features", (10, 16)), dim=1), torch.arange(10) % 2
    loss = float(names["SupConLoss"]()(drawn.unsqueeze(1), labels))
    return {"logits": logits.tolist(), "features": features[:, ::7].tolist(), "keys": sorted(own), "contrastive": loss}


def d3():
    """Logits of the network on the small CLIP with one order of patches; features shuffled and not."""
    clip = openai.published()
    folder = next(
        path for name in sys.path if (path := Path(name) / "models").joinpath("transformer_attention.py").exists()
    )
    names = {"nn": torch.nn, "F": torch.nn.functional, "torch": torch}
    names |= {"clip": types.SimpleNamespace(load=lambda *_, **__: (clip, None))}
    names["CHANNELS"] = {"small-penultimate": openai.WIDTH}
    for file in ("transformer_attention.py", "clip_models.py"):  # The package imports networks that are not used here.
        found = [n for n in ast.parse((folder / file).read_text()).body if isinstance(n, ast.ClassDef)]
        exec(compile(ast.Module(found, []), file, "exec"), names)
    model = names["CLIPModelShuffleAttentionPenultimateLayer"]("small", patch_size=[openai.PATCH])
    fill(model.attention_head)
    torch.manual_seed(0)
    order = torch.randperm((openai.SIDE // openai.PATCH) ** 2)
    torch.manual_seed(0)
    with torch.no_grad():
        logits = model.eval()(openai.views())
    return {"logits": logits.tolist(), "order": order.tolist(), "keys": sorted(model.attention_head.state_dict())}


MAKERS = {maker.__name__: maker for maker in (d3, rine)}
