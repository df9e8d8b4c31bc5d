"""Run the published code once and keep its outputs: ``python -m tests.parity.make fusing CHECKOUT…``.

CHECKOUT is a folder with the method's public repository at the commit that its card names. Beside it, ``d3``,
``defake``, ``drct``, ``lasted``, ``rine`` and ``spai`` need UniversalFakeDetect's for OpenAI's CLIP; ``dda`` and
``rigid`` facebookresearch/dinov2's; ``drct``, ``lare`` and ``augmentation`` albumentations 1.3.1; ``drct``
pytorch-metric-learning; ``fatformer`` pytorch_wavelets; ``lnp`` scikit-image; ``fredect`` TensorFlow with Keras 2.
Only numbers are written, into ``tests/parity/numbers/<name>.json``.
"""

import ast
import importlib
import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from bench.artefacts.geometry import crop, resize_short_side
from methods._shared.tensors import imagenet
from tests.parity import openai
from tests.parity.augmentation import augmentation
from tests.parity.channels_last import COEFFICIENTS, logits
from tests.parity.maps import lgrad, lnp
from tests.parity.seeded import SIZES, TEXTS, fill, image, tensor

NUMBERS = Path(__file__).parent / "numbers"


def fusing():
    """Logits of the whole network, and the windows it chose."""
    resnet = importlib.import_module("networks.resnet")
    resnet.model_zoo.load_url = lambda *_, **__: {}
    resnet.ResNet.load_state_dict = lambda self, state, **_: None
    trainer = importlib.import_module("networks.trainer")
    model = trainer.Patch5Model()
    del resnet.ResNet.load_state_dict
    fill(model)
    found = {}
    with torch.no_grad():
        for number, size in enumerate(SIZES):
            rgb = image(number, *size)
            small = imagenet(crop(resize_short_side(rgb, 224), 224, None))[None]
            full, scale = imagenet(rgb)[None], torch.tensor([[float(rgb.shape[0]), float(rgb.shape[1])]])
            places = model.COOI.get_coordinates(model.resnet(small)[0], scale)
            found[f"{size}"] = {"logit": model(full, small, scale).item(), "windows": places[0].tolist()}
    sys.modules["scipy.ndimage.filters"] = types.SimpleNamespace(gaussian_filter=None)
    sys.path.insert(0, str(Path(trainer.__file__).parents[1] / "data"))
    data = importlib.import_module("dataset_train")
    opt = types.SimpleNamespace(blur_prob=0, jpg_prob=0, isTrain=False, cropSize=224)
    classes = [c for c in vars(data).values() if isinstance(c, type) and c.__module__ == data.__name__]
    (kind,) = (c for c in classes if "__getitem__" in vars(c))
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{n}.png") for n in range(len(SIZES))]
        for number, path in enumerate(paths):
            Image.fromarray(image(number, *SIZES[number])).save(path)
        item = kind.__new__(kind)
        item.img, item.label, item.opt = paths, [0] * len(paths), opt
        found["prepared"] = [[_corners(x) for x in item[n][:2]] for n in range(len(paths))]
    return found


def gramnet():
    """Log-probabilities (fake, real) at two input sizes."""
    module = importlib.import_module("resnet18_gram")
    model = fill(module.resnet18(pretrained=False))
    found = {}
    with torch.no_grad():
        for number, side in enumerate((64, 128)):
            bgr = torch.from_numpy(image(number, side, side)[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
            found[f"{side}"] = model(bgr)[0].tolist()
    import cv2  # The test scripts resize 8-bit images: one line between long loops, repeated here.

    squashed = [cv2.resize(image(n, *size)[:, :, ::-1].copy(), (512, 512)) for n, size in enumerate(SIZES)]
    found["prepared"] = [_corners(torch.from_numpy(x).permute(2, 0, 1).float(), 71, 67) for x in squashed]
    return found


def lare():
    """Logits of the classifier on CLIP RN50's shape, two images at once; its keys without the text half."""
    sys.modules["clip"] = types.SimpleNamespace()
    base = importlib.import_module("model_base")

    class Clip(torch.nn.Module):
        dtype = torch.float32

        def __init__(self):
            super().__init__()
            self.visual = base.ModifiedResNet((3, 4, 6, 3), 1024, 32, 224, 64)

    sys.modules["clip"].load = lambda *_, **__: (Clip(), None)
    model = fill(importlib.import_module("model").CLipClassifierWMapV6(clip_type="RN50"))
    images = torch.stack([imagenet(image(n, 224, 224)) for n in (0, 1)])
    errors = torch.stack([tensor(0, f"error {n}", (4, 32, 32)).square() for n in (0, 1)])
    with torch.no_grad():
        logits = model(images, errors)
    with tempfile.TemporaryDirectory() as folder:
        lists = {"train_file": Path(folder) / "a.txt", "map_file": Path(folder) / "b.txt"}
        lists["train_file"].write_text("a.png 0\n")
        lists["map_file"].write_text("maps/a.pt\t0\n")
        sys.modules["torch.utils.tensorboard"] = types.SimpleNamespace(SummaryWriter=None)
        data = importlib.import_module("test").ImageDataset("", data_size=224, split_anchor=False, **lists)
    data.isVal = True
    prepared = [_corners(data.transform(image(n, *size))) for n, size in enumerate(SIZES)]
    return {"logits": logits.tolist(), "keys": sorted(model.state_dict()), "prepared": prepared}


def dire():
    """Latents and reconstructions of the respaced sampler with a toy model, clipped and not."""
    spaced = importlib.import_module("guided_diffusion.respace")
    gaussian = importlib.import_module("guided_diffusion.gaussian_diffusion")
    diffusion = spaced.SpacedDiffusion(
        use_timesteps=spaced.space_timesteps(1000, "ddim20"),
        betas=gaussian.get_named_beta_schedule("linear", 1000),
        model_mean_type=gaussian.ModelMeanType.EPSILON,
        model_var_type=gaussian.ModelVarType.LEARNED_RANGE,
        loss_type=gaussian.LossType.MSE,
    )
    found = {}
    for clip in (True, False):
        x = torch.from_numpy(image(0, 16, 16)).permute(2, 0, 1)[None].float() / 127.5 - 1
        kept = {"clip_denoised": clip, "device": "cpu"}
        latent = diffusion.ddim_reverse_sample_loop(toy, x.shape, noise=x, **kept)
        made = diffusion.ddim_sample_loop(toy, x.shape, noise=latent, **kept)
        found[f"{clip}"] = {"latent": latent[0, :, ::5, ::5].tolist(), "made": made[0, :, ::5, ::5].tolist()}
    return found


def toy(x, t, **_):
    """A noise predictor that depends on image and time: six channels, of which the first three are the noise."""
    kernel = tensor(0, "toy.weight", (6, 3, 3, 3)) * 0.5
    return torch.nn.functional.conv2d(x, kernel, padding=1) + 0.1 * torch.cos(t / 300.0).view(-1, 1, 1, 1)


def _corners(x, rows=31, columns=29):
    """A few values of a prepared image, its padding included."""
    return x[:, ::rows, ::columns].tolist()


def univfd():
    """Logits on CLIP's features; the prepared tensors of images larger and smaller than the crop."""
    clip = openai.published()
    package = types.SimpleNamespace(load=lambda *_, **__: (clip, None))
    sys.modules["models.clip"] = types.SimpleNamespace(clip=package)
    module = importlib.import_module("models.clip_models")
    module.clip, module.CHANNELS["ViT-L/14"] = package, openai.EMBEDDING
    model = module.CLIPModel("ViT-L/14")
    fill(model.fc)
    sys.modules["scipy.ndimage.filters"] = types.SimpleNamespace(gaussian_filter=None)
    validate = importlib.import_module("validate")
    prepare = validate.RealFakeDataset([], [], "ours", None, "CLIP:ViT-L/14").transform
    with torch.no_grad():
        logits = model(openai.views())
    prepared = [_corners(prepare(Image.fromarray(image(n, *size)))) for n, size in enumerate(SIZES)]
    return {"logits": logits[:, 0].tolist(), "prepared": prepared}


def cnnspot():
    """Logits of the published ResNet-50, and the tensors that its demo prepares with a crop of 224."""
    model = fill(importlib.import_module("networks.resnet").resnet50(num_classes=1))
    source = Path(importlib.import_module("networks").__path__[0]).parent / "demo.py"
    tree = ast.parse(source.read_text())
    names = {"transforms": transforms, "opt": types.SimpleNamespace(crop=224), "print": lambda *_: None}
    wanted = [node for node in tree.body if "trans" in ast.unparse(node)[:6] or "opt.crop" in ast.unparse(node)[:12]]
    exec(compile(ast.Module([n for n in wanted if not isinstance(n, ast.Import)], []), "demo", "exec"), names)
    sizes = [size for size in SIZES if min(size) >= 224]
    prepared = [names["trans"](Image.fromarray(image(n, *size))) for n, size in enumerate(sizes)]
    with torch.no_grad():
        logits = [model(x[None]).item() for x in prepared]
    return {"logits": logits, "prepared": [_corners(x) for x in prepared]}


def defake():
    """Logits of the published head on the embeddings of two images and two texts by OpenAI's CLIP."""
    folder = next(path for path in map(Path, sys.path) if (path / "clipdatasets.py").exists())
    tree = ast.parse((folder / "test.py").read_text())
    names = {"nn": torch.nn, "F": torch.nn.functional}
    exec(compile(ast.Module([n for n in tree.body if isinstance(n, ast.ClassDef)], []), "test", "exec"), names)
    clip, head = openai.published(), fill(names["NeuralNet"](2 * openai.EMBEDDING, [512, 256], 2))
    clip.transformer = clip.transformer.resblocks  # Here it returns a pair, which the text half does not expect.
    with torch.no_grad():
        text = clip.encode_text(openai.tokens(*TEXTS))
        logits = head(torch.cat([clip.encode_image(openai.views()), text], 1))
    return {"logits": logits.tolist(), "text": text.tolist()}


def drct():
    """Logits and features on both backbones; the contrastive loss; the tensors of the validation transform."""
    clip = openai.published()
    sys.modules["clip"] = types.SimpleNamespace(load=lambda *_, **__: (clip, None))
    sys.modules["f3net"] = types.SimpleNamespace(F3Net=None)
    sys.modules["resnet_gram"] = types.SimpleNamespace(get_GramNet=None)
    models = importlib.import_module("network.models")
    models.CLIPModelV2.CHANNELS["ViT-L/14"] = openai.EMBEDDING
    found = {}
    with torch.no_grad():
        for name, views in (("clip-ViT-L-14", openai.views()), ("convnext_base_in22k", convnext_views())):
            model = models.get_models(name, pretrained=False, num_classes=2, embedding_size=96)
            if name.startswith("clip"):
                fill(model.model.fc)
                fill(model.fc, seed=1)
            else:
                fill(model)
            logits, features = model(views, return_feature=True)
            found[name] = {"logits": logits.tolist(), "features": features[:, ::7].tolist()}
    loss = importlib.import_module("utils.losses").CombinedLoss(embedding_size=16)
    cases = [(tensor(0, f"features {n}", (10, 16)), torch.arange(10) % (n + 1)) for n in (0, 1, 9)]
    found["contrastive"] = [float(loss(features, labels)) for features, labels in cases]
    prepare = importlib.import_module("data.transform").create_val_transforms(size=224, is_crop=True)
    found["prepared"] = [_corners(prepare(image=image(n, *size))["image"]) for n, size in enumerate(SIZES)]
    return found


def convnext_views():
    return torch.stack([imagenet(image(n, 96, 96)) for n in (0, 1)])


def fredect():
    """Log-scaled DCT coefficients of single channels; logits of the paper's CNN and regression in TensorFlow."""
    transform = importlib.import_module("src.image_np").dct2
    scale = importlib.import_module("src.math").log_scale
    pictures = [image(n, 64, 64)[:, :, n] for n in (0, 1)]
    found = {"log_dct": [scale(transform(x.astype(np.float64)))[::9, ::7].tolist() for x in pictures]}
    models, x = importlib.import_module("src.models"), tensor(0, "coefficients", COEFFICIENTS, like_normal=True)
    for name, build in (("cnn", models.build_simple_cnn), ("linear", models.build_multinomial_regression)):
        found[name] = logits(build((COEFFICIENTS[-1], COEFFICIENTS[-1], 3), 1), x)
    return found


def combiner():
    """GeneCIS's combiner on two pairs of embeddings, small and at RN50x4's widths; its keys."""
    module = importlib.import_module("models.combiner_model")
    found = {}
    with torch.no_grad():
        for widths in ((64, 96, 128), (640, 2560, 5120)):
            model = fill(module.Combiner(*widths))
            pair = [tensor(0, f"{kind} {widths}", (2, widths[0])) for kind in ("image", "text")]
            found[f"{widths}"] = {"made": model(*pair)[:, ::5].tolist(), "keys": sorted(model.state_dict())}
    return found


#: Modules of this folder that have more makers.
MODULES = ("free", "free_embedded", "frozen", "pairs", "pixels", "reconstructed", "texture", "towers", "tuned", "twins")
MODULES += ("vits",)
OWN = (augmentation, combiner, cnnspot, defake, dire, drct, fredect, fusing, gramnet, lare, lgrad, lnp, univfd)
MAKERS = {maker.__name__: maker for maker in OWN}
for module in MODULES:
    MAKERS |= importlib.import_module(f"tests.parity.{module}").MAKERS


def short(found):
    """Numbers with seven digits, as many as a float32 has; everything else as it is."""
    if isinstance(found, dict):
        return {key: short(value) for key, value in found.items()}
    if isinstance(found, list):
        return [short(value) for value in found]
    return float(f"{found:.7g}") if isinstance(found, float) else found


def main():
    name, *checkouts = sys.argv[1:]
    sys.path[:0] = checkouts
    NUMBERS.mkdir(exist_ok=True)
    lines = (
        f"{json.dumps(key)}: {json.dumps(found, sort_keys=True)}"
        for key, found in sorted(short(MAKERS[name]()).items())
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"  # A line for each: a list of pixels takes a third of the space.
    (NUMBERS / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
