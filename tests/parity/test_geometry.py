"""Every detector's test view against its official transform, at even, odd, small, portrait and landscape sizes."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from torchvision import transforms
from torchvision.transforms import InterpolationMode as Mode
from torchvision.utils import make_grid
from transformers import BitImageProcessorPil, CLIPImageProcessorPil, DINOv3ViTImageProcessor

from bench import discover
from bench.artefacts.geometry import fit_long_side, limit_sides
from bench.detector import Detector, Facts, Sample
from methods._shared import augment
from methods._shared.spectrum import log_dct
from tests.parity.augmentation import ODD_SIZES
from tests.parity.reconstructed import inverted
from tests.parity.seeded import image, tensor
from tests.parity.test_parity import numbers

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CASES = list(enumerate(ODD_SIZES))


def normalised(picture, mean=IMAGENET):
    return transforms.Normalize(*mean)(transforms.ToTensor()(picture))


def cropped(resize=None, interpolation=Mode.BILINEAR, mean=IMAGENET, side=224):
    """torchvision's transform of a PIL image, as the CNNDetection family and CLIP have it."""
    steps = [transforms.Resize(resize, interpolation)] if resize else []
    prepare = transforms.Compose([*steps, transforms.CenterCrop(side)])
    return lambda rgb: normalised(prepare(Image.fromarray(rgb)), mean)


def albumentations(border, side=224):
    """PadIfNeeded and CenterCrop by their definition; held to albumentations' own numbers below."""

    def prepare(rgb):
        gaps = [max(0, side - length) for length in rgb.shape[:2]]
        (top, left), (low, right) = [gap // 2 for gap in gaps], [gap - gap // 2 for gap in gaps]
        rgb = cv2.copyMakeBorder(rgb, top, low, left, right, border, value=0)
        y, x = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        return rgb[y : y + side, x : x + side]

    return prepare


def drct(rgb):
    return normalised(albumentations(cv2.BORDER_CONSTANT)(rgb).copy())


def gramnet(rgb):
    bgr = cv2.resize(np.ascontiguousarray(rgb[:, :, ::-1]), (512, 512))
    return torch.from_numpy(bgr).permute(2, 0, 1).float()


def fredect(rgb):
    prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    return log_dct(np.asarray(prepare(Image.fromarray(rgb))))


def squashed(side, resample):
    return lambda rgb: np.asarray(Image.fromarray(rgb).resize((side, side), resample))


def safe(rgb):
    return transforms.ToTensor()(transforms.CenterCrop(256)(Image.fromarray(rgb)))


def repeated(rgb):
    """NPR's README for GenImage: an image that is too small is pasted beside and below itself, then cropped."""
    picture = Image.fromarray(rgb)
    if min(picture.size) < 224:
        across, down = (-(-224 // side) for side in picture.size)
        whole = Image.new("RGB", (picture.width * across, picture.height * down))
        for x in range(across):
            for y in range(down):
                whole.paste(picture, (x * picture.width, y * picture.height))
        picture = whole
    return normalised(transforms.CenterCrop(224)(picture))


def resized(side, mean=IMAGENET):
    """torchvision's resize of a PIL image to a square."""
    return lambda rgb: normalised(transforms.Resize((side, side))(Image.fromarray(rgb)), mean)


def effort(rgb):
    """Images whose shorter side is below 256 are repeated until both sides have it, then the centre is cropped."""
    if min(rgb.shape[:2]) < 256:
        rgb = np.concatenate([rgb] * -(-256 // rgb.shape[1]), 1)
        rgb = np.concatenate([rgb] * -(-256 // rgb.shape[0]), 0)
    return cropped(mean=CLIP)(rgb)


def opencv(interpolation):
    return lambda rgb: normalised(cv2.resize(rgb, (224, 224), interpolation=interpolation), CLIP)


def shrunk(rgb):
    """CO-SPY's fusion: the artefact branch sees a smaller tensor, resized without antialiasing."""
    picture = transforms.CenterCrop(384)(transforms.Resize(384)(Image.fromarray(rgb)))
    return transforms.Resize(224, antialias=False)(transforms.ToTensor()(picture))


def texture(p):
    """PatchCraft's: the differences of neighbouring pixels below, beside, and on both diagonals."""
    pairs = (p[:, 1:], p[:, :-1]), (p[..., 1:], p[..., :-1])
    pairs += (p[:, 1:, 1:], p[:, :-1, :-1]), (p[:, 1:, :-1], p[:, :-1, 1:])
    return sum((one - other).abs().sum().item() for one, other in pairs)


def patchcraft(rgb):
    """192 times RandomCrop from one seed; 64 of each end make a grid, the least texture and the most texture first."""
    x, draw = transforms.ToTensor()(Image.fromarray(rgb)), transforms.RandomCrop(32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(42)
        patches = sorted((draw(x) for _ in range(192)), key=texture)
    return torch.stack([make_grid(chosen[:64], 8, 0) for chosen in (patches, patches[::-1])])


def aide(rgb):
    """Windows by the logarithms of their DCT, and the image, resized as tensors by the authors' torchvision."""
    x = transforms.ToTensor()(Image.fromarray(rgb))
    windows = [
        x[:, top : top + 32, left : left + 32]
        for top in range(0, x.shape[1] - 31, 16)
        for left in range(0, x.shape[2] - 31, 16)
    ]
    diagonals, edge = np.add.outer(np.arange(32), np.arange(32)), 64 / 6
    bands = [(diagonals >= edge * n) & (diagonals <= edge * (n + 1)) for n in range(6)]
    weights = sum(2**n * band / band.sum() for n, band in enumerate(bands))
    logs = [np.log1p(np.abs(dctn(w.double().numpy(), axes=(1, 2), norm="ortho"))) for w in windows]
    order = np.argsort([(log * weights).sum() for log in logs])
    resize = transforms.Resize([256, 256], antialias=False)
    return torch.stack(
        [transforms.Normalize(*IMAGENET)(resize(p)) for p in (*(windows[order[n]] for n in (0, -1, 1, -2)), x)]
    )


def mirrored(rgb):
    """PadIfNeeded(224) of albumentations, which mirrors by default, and a division by 255."""
    gaps = [max(0, 224 - side) for side in rgb.shape[:2]]
    (top, left), (low, right) = [gap // 2 for gap in gaps], [gap - gap // 2 for gap in gaps]
    return transforms.ToTensor()(cv2.copyMakeBorder(rgb, top, low, left, right, cv2.BORDER_REFLECT_101))


def processed(processor):
    """What a processor of transformers makes of an image."""
    return lambda rgb: torch.as_tensor(processor(Image.fromarray(rgb), return_tensors="pt")["pixel_values"][0])


#: Detector (with a variant where that has a geometry of its own) → tensor → official transform.
OFFICIAL = {
    "cnnspot": {"image": cropped()},
    "univfd": {"image": cropped(mean=CLIP)},
    "conv_b": {"image": drct},
    "drct": {"image": drct},
    "drct_sare": {"image": drct},
    "gramnet": {"image": gramnet},
    "gramnet[aigc]": {"image": cropped(256)},
    "lare2": {"image": lambda rgb: normalised(albumentations(cv2.BORDER_REFLECT_101)(rgb).copy())},
    "defake": {"image": lambda rgb: normalised(squashed(224, Image.Resampling.BICUBIC)(rgb).copy(), CLIP)},
    "semgir": {"image": cropped(288, Mode.BICUBIC, CLIP, 288)},
    "semgir_a": {"image": cropped(288, Mode.BICUBIC, CLIP, 288)},
    "fredect": {"image": fredect},
    "fusing": {"image": cropped(224), "full": normalised},
    "npr": {"image": repeated},
    "npr[resize]": {"image": resized(256)},
    "freqnet": {"image": resized(256)},
    "freqnet[tile]": {"image": repeated},
    "ladeda": {"image": resized(256)},
    "safe": {"image": safe},
    "patchcraft": {"image": patchcraft},
    "aide": {"image": aide},
    "fakeinversion": {"image": lambda rgb: torch.cat([resized(224)(shown) for shown in inverted(rgb)])},
    "fire": {"image": safe},
    "fire[resize]": {"image": lambda rgb: safe(np.asarray(transforms.Resize(256)(Image.fromarray(rgb))))},
    "rine": {"image": cropped(mean=CLIP)},
    "community_forensics": {"image": cropped(440, side=384)},
    "community_forensics[224]": {"image": cropped(256)},
    "linear_probe": {"image": processed(DINOv3ViTImageProcessor())},
    "linear_probe[dinov2]": {
        "image": processed(
            BitImageProcessorPil(size={"shortest_edge": 256}, image_mean=IMAGENET[0], image_std=IMAGENET[1])
        )
    },
    "linear_probe[clip]": {"image": processed(CLIPImageProcessorPil())},
    "b_free": {"full": normalised},
    "aligned_forensics": {"full": normalised},
    "dda": {"image": cropped(mean=CLIP, side=336)},
    "d3": {"image": resized(224, CLIP)},
    "c2p_clip": {"image": cropped(224, mean=CLIP)},
    "effort": {"image": effort},
    "effort[deepfakebench]": {"image": opencv(cv2.INTER_CUBIC)},
    "effort[demo]": {"image": opencv(cv2.INTER_LINEAR)},
    "cospy": {"semantic": cropped(384, mean=HALF, side=384), "artifact": shrunk},
    "cospy[progan]": {"semantic": cropped(256, mean=CLIP), "artifact": cropped(256)},
    "lasted": {"image": lambda rgb: normalised(albumentations(cv2.BORDER_REFLECT_101, 448)(rgb).copy())},
    "fatformer": {"image": cropped((256, 256))},
    "spai": {"full": mirrored},
    **{f"{name}[drct]": {"image": drct} for name in ("cnnspot", "univfd", "gramnet", "defake")},
    "fredect[drct]": {"image": lambda rgb: log_dct(albumentations(cv2.BORDER_CONSTANT)(rgb))},
    # What these see is an artefact, of the size of the image here: the same transforms, after the map's own.
    "lnp": {"image": cropped(256)},
    "lnp[native]": {"image": cropped()},
    "lnp[aigc]": {"image": cropped(256)},
    "lnp[drct]": {"image": drct},
    "lgrad": {"image": lambda rgb: normalised(squashed(256, Image.Resampling.BILINEAR)(rgb).copy())},
    "lgrad[drct]": {"image": drct},
    "dire": {"image": cropped(256)},
    "dire[drct]": {"image": lambda rgb: torch.from_numpy(albumentations(0)(rgb).copy()).permute(2, 0, 1) / 127.5},
}


def shown(name, rgb, number):
    """The test view of a detector whose artefacts are ``rgb`` itself where they are images."""
    base, _, variant = name.partition("[")
    kind = discover.method(base)
    method = kind(kind.Params(**kind.variants[variant[:-1]] if variant else {}))
    given = {"error": np.zeros((4, 32, 32), np.float32), "text": np.zeros(512, np.float32), "regenerated": rgb}
    given |= {"gradient": rgb, "noise": rgb, "image": fit_long_side(rgb, 512, 8)}
    given["inversion"] = np.concatenate(inverted(rgb)[1:]) if base == "fakeinversion" else rgb
    if base == "lnp":
        given["noise"] = (rgb[:, :, ::-1].astype(np.uint16) * 255).astype(np.uint8)  # Wraps back to the image.
    if base == "dire":
        rgb = np.zeros_like(method._preprocessed(rgb))  # A black image: the map is the reconstruction.
        given["reconstruction"] = image(number, *rgb.shape[1::-1])
    sample = Sample(rgb, given, Facts("png", 0, *rgb.shape[1::-1], 0))
    return method.view(sample, "test", np.random.default_rng(0)), given.get("reconstruction")


@pytest.mark.parametrize(("number", "size"), CASES, ids=str)
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_test_view_is_the_official_transform(name, number, size):
    rgb = image(number, *size)
    view, of = shown(name, rgb, number)
    for key, official in OFFICIAL[name].items():
        wanted = official(rgb if of is None else of)
        assert view[key].shape == wanted.shape
        assert float((view[key] - wanted).abs().max()) < 1e-5, key


def test_every_detector_is_compared():
    detectors = {name for name in discover.methods() if issubclass(discover.method(name), Detector)}
    assert {name.partition("[")[0] for name in OFFICIAL} == detectors


@pytest.mark.parametrize(("mode", "border"), [("constant", cv2.BORDER_CONSTANT), ("reflect", cv2.BORDER_REFLECT_101)])
def test_albumentations_by_definition_is_albumentations(mode, border):
    for (number, size), (total, corners) in zip(CASES, numbers("augmentation")[mode], strict=True):
        made = albumentations(border)(image(number, *size))
        assert int(made.sum()) == total
        assert made[::31, ::29].tolist() == corners


@pytest.mark.parametrize(("number", "size"), CASES, ids=str)
def test_the_long_side_is_drcts(number, size):
    """resize_long_size of DRCT's data/dataset.py, then our cut to a multiple from the centre."""
    rgb = image(number, *size)
    scale = 300 / max(rgb.shape[:2])
    width, height = int(rgb.shape[1] * scale), int(rgb.shape[0] * scale)
    wanted = cv2.resize(rgb, (width, height))
    y, x = (height % 8) // 2, (width % 8) // 2
    assert (fit_long_side(rgb, 300, 8) == wanted[y : y + height // 8 * 8, x : x + width // 8 * 8]).all()


@pytest.mark.parametrize(("number", "size"), CASES, ids=str)
def test_sides_are_limited_as_drct_does(number, size):
    """center_crop of DRCT's data/diffusion_rec.py."""
    rgb = image(number, *size)
    y, x = (max(0, (side - 240) // 2) for side in rgb.shape[:2])
    assert (limit_sides(rgb, 240) == rgb[y : y + 240, x : x + 240]).all()


def test_augmentations_are_albumentations_own():
    rgb, wanted = image(0, 75, 53), numbers("augmentation")
    noise = tensor(0, "gauss", rgb.shape, like_normal=True).numpy() * 6
    made = {
        "image_compression": augment.opencv_jpeg(rgb, 35),
        "gauss_noise": augment._bytes(rgb.astype(np.float32) + noise),
        "gaussian_blur": cv2.GaussianBlur(rgb, (5, 5), 0),
        "scale": augment.scaled(rgb, 0.73),
        "brightness_contrast": augment.brightness_contrast(rgb, 1.13, -0.11),
        "fancy_pca": augment.fancy_pca(rgb, 0.17),
        "hue_saturation_value": augment.hue_saturation_value(rgb, -17.6, 22.3, -9.9),
        "grey": augment.grey(rgb),
        "warped": augment.warped(rgb, -7.5, 1.15, (0.06, -0.04)),
    }
    for name, x in made.items():
        apart = np.abs(x[::6, ::2].astype(int) - np.asarray(wanted[name]))
        assert apart.max() <= 1, name  # Another build of OpenCV may round a value that lies between two levels.
        assert (apart > 0).mean() < 0.01, name
