"""Numbers of detectors that consist of two networks, for :mod:`tests.parity.make`.

``lasted`` needs UniversalFakeDetect's checkout too, for OpenAI's CLIP and its tokenizer.
"""

import ast
import hashlib
import importlib
import importlib.util
import sys
import types
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image

from bench.nets import siglip
from methods._shared.tensors import chw, imagenet
from tests.parity import openai
from tests.parity.seeded import fill, image, tensor

#: Side, blocks, width, heads and embedding of the small image half; width and layers of the text half are openai's.
SIDE, BLOCKS, WIDTH, HEADS, EMBEDDING = 64, (1, 2, 1, 1), 16, 8, 64
#: Token numbers of four prompts of the small vocabulary.
PROMPTS = ((3, 5), (4, 5), (3, 6), (4, 6))
#: Labels of batches with two classes, with four, and with one of two absent.
BATCHES = {"two": (2, [0, 1, 1, 0, 1]), "four": (4, [0, 1, 2, 3, 3, 1]), "absent": (2, [1, 1, 1])}


def pictures():
    return torch.stack([imagenet(image(n, SIDE, SIDE)) for n in (0, 1)])


def layout(state):
    """The digest of all names and shapes."""
    lines = sorted(f"{name} {list(t.shape)}" for name, t in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tokens(texts):
    """CLIP's own tokens of the texts, marks of start and end included."""
    sys.modules["ftfy"] = types.SimpleNamespace(fix_text=lambda text: text)
    file = next(path for name in sys.path if (path := Path(name) / "models/clip/simple_tokenizer.py").exists())
    spec = importlib.util.spec_from_file_location("simple_tokenizer", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = module.SimpleTokenizer()
    return [[own.encoder["<|startoftext|>"], *own.encode(text), own.encoder["<|endoftext|>"]] for text in texts]


def _losses(folder):
    """What the training loop logs as the loss of a batch of logits."""
    tree = ast.parse((folder / "main.py").read_text())
    (loop,) = (n for n in tree.body if getattr(n, "name", "") == "train_one_epoch")
    names = {"torch": torch, "logger": types.SimpleNamespace(info=lambda *_: None), "get_lr": lambda _: 0.0}
    exec(compile(ast.Module([loop], []), "main", "exec"), names)
    torch.Tensor.cuda = lambda self, *_, **__: self
    still, found = types.SimpleNamespace(zero_grad=lambda: None, step=lambda: None), {}
    for name, (classes, labels) in BATCHES.items():
        logits = (tensor(0, f"logits {name}", (len(labels), 4)) * 3).requires_grad_(True)
        seen = []
        meter = types.SimpleNamespace(
            reset=lambda: None, avg=0.0, update=lambda value, _, seen=seen: seen.append(value)
        )
        args = types.SimpleNamespace(criterion_ce=torch.nn.CrossEntropyLoss(), num_class=classes)
        batches = [(logits, torch.tensor(labels)[:, None])] * 52
        names["train_one_epoch"](batches, lambda x: (None, x), still, 0, meter, args)
        found[name] = seen[0]
    return found


def lasted():
    """Logits on a small CLIP, losses, the tokens of the prompts, and the layout at both sizes."""
    file = next(path for name in sys.path if (path := Path(name) / "models/clip/model.py").exists())
    spec = importlib.util.spec_from_file_location("openai_clip", file)
    clip = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(clip)
    said = []

    def tokenize(texts):
        said.append(_tokens(texts))
        return openai.tokens(*PROMPTS)

    text = (openai.CONTEXT, openai.VOCABULARY, openai.TEXT_WIDTH, 1, openai.TEXT_LAYERS)
    sizes = [(EMBEDDING, SIDE, BLOCKS, WIDTH, None, *text)]
    sizes.append((1024, 448, (3, 15, 36, 10), 128, None, 77, 49408, 1024, 16, 12))

    def load(*_, **__):
        made = clip.CLIP(*sizes[0])
        made.transformer = _First(made.transformer)
        return made, None

    sys.modules["clip"] = types.SimpleNamespace(load=load, tokenize=tokenize)
    module = importlib.import_module("model")
    model = module.LASTED(4)
    model.clip_model.transformer = model.clip_model.transformer.own
    fill(model)
    found = {"layout": layout(model.state_dict()), "prompts": said[0]}
    model.clip_model.transformer = _First(model.clip_model.transformer)
    with torch.no_grad():
        found["logits"] = model(pictures())[1].tolist()
        found["features"] = model(pictures(), isTrain=False)[1][:, ::5].tolist()
    sizes.pop(0)
    with torch.device("meta"):
        large = module.LASTED(4)
        large.clip_model.transformer = large.clip_model.transformer.own
        found["full"] = layout(large.state_dict())
    return found | {"losses": _losses(Path(module.__file__).parent)}


class _First(torch.nn.Module):
    """UniversalFakeDetect's transformer returns a pair, which the text half does not expect."""

    def __init__(self, own):
        super().__init__()
        self.own = own

    def forward(self, x):
        return self.own.resblocks(x)


#: A small VAE and a small SigLIP, in the libraries' own parameters.
VAE = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
}
SIGLIP = siglip.Shape(42, 14, 48, 2, 3, 3.7362)
#: Sides of the two views of one image.
VIEWS = (42, 40)


def small_vae():
    return fill(AutoencoderKL(**VAE), gain=0.8)


def small_siglip():
    network = siglip.SigLIP(SIGLIP)
    fill(network.trunk)
    return network.eval()


def views(semantic=VIEWS[0], artifact=VIEWS[1]):
    """Two images, as the semantic and as the artefact branch see them."""
    return [torch.stack([chw(image(n, side, side)) for n in (0, 1)]) for side in (semantic, artifact)]


def _detectors(family):
    """The authors' module of a family, with networks that are given instead of loaded."""
    encoder, clip, vae = small_siglip(), openai.small(), small_vae()

    class Encoder(torch.nn.Module):
        def encode_image(self, x):
            return encoder.trunk(x)

    class Clip(torch.nn.Module):
        def get_image_features(self, x):
            return clip(pixel_values=x).image_embeds

    sys.modules["open_clip"] = types.SimpleNamespace(create_model_and_transforms=lambda *_, **__: (Encoder(), 0, 0))
    pipeline = types.SimpleNamespace(from_pretrained=lambda *_, **__: types.SimpleNamespace(vae=vae))
    sys.modules["diffusers"] = types.SimpleNamespace(StableDiffusionPipeline=pipeline)
    model = types.SimpleNamespace(from_pretrained=lambda *_, **__: Clip())
    sys.modules["transformers"] = types.SimpleNamespace(CLIPModel=model)
    sys.modules["scipy.ndimage.filters"] = types.SimpleNamespace(gaussian_filter=None)
    sys.modules["loguru"] = types.SimpleNamespace(logger=types.SimpleNamespace(info=lambda *_: None))
    return importlib.import_module(f"detectors.{family}")


def _fusion(family, width):
    """The authors' fusion network with seeded branches."""
    module = _detectors(family)
    semantic, artifact = module.SemanticDetector(width), module.ArtifactDetector()
    kept = {name: t.clone() for name, t in artifact.state_dict().items() if ".vae." in name}
    fill(semantic.fc, seed=1)
    fill(artifact, gain=0.7)
    artifact.load_state_dict(kept, strict=False)
    module.fusion.SemanticDetector, module.fusion.ArtifactDetector = lambda: semantic, lambda: artifact
    semantic.load_weights = artifact.load_weights = lambda _: None
    fusion = module.CoSpyFusionDetector("", "")
    fill(fusion.fc, seed=2)
    return fusion.eval()


def cospy():
    """Logits of both families' branches and fusion, the names of their tensors, and the losses of the fusion."""
    found = {}
    for family, width, sizes in (("sd-v1_4", SIGLIP.width, VIEWS), ("progan", openai.EMBEDDING, (openai.SIDE,) * 2)):
        model = _fusion(family, width)
        semantic, artifact = views(*sizes)
        with torch.no_grad():
            semantic, artifact = model.sem_transform(semantic), model.art_transform.transforms[-1](artifact)
            both = torch.cat([model.sem(semantic), model.art(artifact)], 1)
            found[family] = {"branches": both.tolist(), "logits": model.fc(both).tolist()}
        names = sorted(name for name in model.state_dict() if ".clip." not in name)
        found[family]["names"] = hashlib.sha256("\n".join(names).encode()).hexdigest()
        if family == "sd-v1_4":
            rgb = image(0, 300, 260)
            prepared = model.art_transform(model.test_transform(Image.fromarray(rgb)))
            found["prepared"] = prepared[:, ::41, ::37].tolist()
    return found


MAKERS = {maker.__name__: maker for maker in (cospy, lasted)}
