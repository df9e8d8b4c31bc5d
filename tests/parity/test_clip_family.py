"""Methods on CLIP, ConvNeXt and ResNet-50 give the published code's numbers (max abs 1e-4, fp32)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTextModelWithProjection

from bench.detector import Facts, Sample
from bench.errors import UserError
from bench.nets.clip import load_half
from bench.nets.clip_text import from_transformers, load_text_tower
from bench.nets.combiner import Combiner
from bench.nets.resnet import RESNET50, ResNet
from methods import cnnspot, d3, drct, univfd
from methods import rine as rine_method
from methods._shared import rine
from methods._shared.backbones import drct_clip, drct_convnext
from methods._shared.clip import MEAN, STD, ImageEncoder, LinearHead
from methods._shared.discrepancy import Discrepancy, shuffled
from methods._shared.drct import contrastive
from methods._shared.hybrid import Hybrid
from methods._shared.rine import Importance
from methods._shared.spectrum import linear, log_dct, shallow_cnn
from methods._shared.tensors import normalised
from tests.parity import openai
from tests.parity.channels_last import COEFFICIENTS, drawn
from tests.parity.make import convnext_views
from tests.parity.seeded import SIZES, TEXTS, fill, image, tensor
from tests.parity.test_parity import numbers

#: The names and shapes of the small CLIP in OpenAI's layout.
LAYOUT = {
    "visual.class_embedding": (openai.WIDTH,),
    "visual.positional_embedding": ((openai.SIDE // openai.PATCH) ** 2 + 1, openai.WIDTH),
    "visual.proj": (openai.WIDTH, openai.EMBEDDING),
    "visual.conv1.weight": (openai.WIDTH, 3, openai.PATCH, openai.PATCH),
    "positional_embedding": (openai.CONTEXT, openai.TEXT_WIDTH),
    "text_projection": (openai.TEXT_WIDTH, openai.EMBEDDING),
    "token_embedding.weight": (openai.VOCABULARY, openai.TEXT_WIDTH),
    "logit_scale": (),
}


def _layout():
    found = dict(LAYOUT)
    norms = {"visual.ln_pre": openai.WIDTH, "visual.ln_post": openai.WIDTH, "ln_final": openai.TEXT_WIDTH}
    towers = (
        ("visual.transformer", openai.LAYERS, openai.WIDTH),
        ("transformer", openai.TEXT_LAYERS, openai.TEXT_WIDTH),
    )
    dense = {}
    for tower, layers, width in towers:
        for layer in range(layers):
            block = f"{tower}.resblocks.{layer}"
            norms |= {f"{block}.ln_{n}": width for n in (1, 2)}
            dense |= {f"{block}.attn.out_proj": (width, width), f"{block}.mlp.c_fc": (4 * width, width)}
            dense[f"{block}.mlp.c_proj"] = (width, 4 * width)
            found |= {f"{block}.attn.in_proj_weight": (3 * width, width), f"{block}.attn.in_proj_bias": (3 * width,)}
    found |= {f"{name}.{kind}": (width,) for name, width in norms.items() for kind in ("weight", "bias")}
    for name, shape in dense.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    state = {name: tensor(0, name, shape) for name, shape in _layout().items()}
    return openai.save(state, tmp_path_factory.mktemp("clip"))


def view(module, rgb, **params):
    """The test view of a method for one image."""
    sample = Sample(rgb, {}, Facts("png", 0, *rgb.shape[1::-1], 0))
    return module.METHOD(module.Params(**params)).view(sample, "test", np.random.default_rng(0))["image"]


def near(made, wanted):
    return np.asarray(made) == pytest.approx(np.asarray(wanted), abs=1e-4)


@torch.no_grad()
def test_univfd_gives_the_published_logits_and_prepares_images_as_published(clip):
    wanted, head = numbers("univfd"), LinearHead(ImageEncoder(clip), 1).eval()
    fill(head.fc)
    assert near(head(openai.views())[:, 0], wanted["logits"])
    for number, size in enumerate(SIZES):
        assert near(view(univfd, image(number, *size))[:, ::31, ::29], wanted["prepared"][number])


@torch.no_grad()
def test_cnnspot_gives_the_published_logits_and_prepares_images_as_published():
    wanted, model = numbers("cnnspot"), fill(ResNet(RESNET50, classes=1))
    for number, size in enumerate(size for size in SIZES if min(size) >= 224):
        x = view(cnnspot, image(number, *size))
        assert near(x[:, ::31, ::29], wanted["prepared"][number])
        assert model(x[None]).item() == pytest.approx(wanted["logits"][number], abs=1e-4)


@torch.no_grad()
def test_defake_gives_the_published_texts_and_logits(clip):
    wanted, model = numbers("defake"), fill(Hybrid(ImageEncoder(clip)))
    text = load_half(CLIPTextModelWithProjection, clip).eval()(openai.tokens(*TEXTS)).text_embeds
    assert near(text, wanted["text"])
    assert near(model(openai.views(), text), wanted["logits"])


@torch.no_grad()
def test_drct_gives_the_published_logits_and_features_on_clip(clip):
    told, model = numbers("drct")["clip-ViT-L-14"], drct_clip(clip, 96).eval()
    fill(model.model["fc"])
    fill(model.fc, seed=1)
    logits, features = model(openai.views())
    assert near(logits, told["logits"])
    assert near(features[:, ::7], told["features"])


@torch.no_grad()
def test_drct_gives_the_published_logits_and_features_on_convnext():
    told = numbers("drct")["convnext_base_in22k"]
    p = drct.Params()
    model = fill(drct_convnext(None, SimpleNamespace(**{**vars(p), "embedding": 96})))
    logits, features = model(convnext_views())
    assert near(logits, told["logits"])
    assert near(features[:, ::7], told["features"])


def test_drcts_contrastive_loss_is_the_librarys():
    cases = [(tensor(0, f"features {n}", (10, 16)), torch.arange(10) % (n + 1)) for n in (0, 1, 9)]
    found = [contrastive(features, labels).item() for features, labels in cases]
    assert found == pytest.approx(numbers("drct")["contrastive"], abs=1e-5)


def test_drct_prepares_images_as_published():
    for number, size in enumerate(SIZES):
        assert near(view(drct, image(number, *size))[:, ::31, ::29], numbers("drct")["prepared"][number])


def test_fredects_coefficients_are_the_published_ones():
    for number, wanted in enumerate(numbers("fredect")["log_dct"]):
        assert near(log_dct(image(number, 64, 64))[number, ::9, ::7], wanted)


@torch.no_grad()
@pytest.mark.parametrize(("name", "build"), [("cnn", shallow_cnn), ("linear", linear)])
def test_fredects_own_networks_give_the_published_logits(name, build):
    network = build(COEFFICIENTS[-1])
    layers = [layer for layer in network if list(layer.parameters())]
    for number, layer in enumerate(layers):
        weight, bias = drawn(number, tuple(layer.weight.shape))
        layer.load_state_dict({"weight": weight, "bias": bias})
    found = network(tensor(0, "coefficients", COEFFICIENTS, like_normal=True))[:, 0]
    assert near(found, numbers("fredect")[name])


@torch.no_grad()
@pytest.mark.parametrize("widths", [(64, 96, 128), (640, 2560, 5120)])
def test_the_combiner_gives_the_published_mixture(widths):
    wanted, model = numbers("combiner")[f"{widths}"], fill(Combiner(*widths))
    assert sorted(model.state_dict()) == wanted["keys"]
    pair = [tensor(0, f"{kind} {widths}", (2, widths[0])) for kind in ("image", "text")]
    assert near(model(*pair)[:, ::5], wanted["made"])
    assert sorted(Combiner(64).state_dict()) == wanted["keys"]


@torch.no_grad()
def test_the_text_tower_in_openais_layout_gives_the_published_embeddings(tmp_path):
    state = {name: tensor(0, name, shape) for name, shape in _layout().items()}
    save_file(state, tmp_path / "open_clip_model.safetensors")
    end = openai.VOCABULARY - 1
    assert near(load_text_tower(tmp_path)(openai.tokens(*TEXTS), end), numbers("defake")["text"])
    back = from_transformers(CLIPTextModelWithProjection.from_pretrained(openai.save(state, tmp_path)).state_dict())
    assert all(torch.equal(back[name], state[name]) for name in back)
    assert set(back) == {name for name in state if not name.startswith("visual.")} - {"logit_scale"}


def test_a_clip_without_a_text_half_is_told(tmp_path):
    save_file({"visual.proj": torch.zeros(2, 2)}, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(UserError, match="no text half"):
        load_text_tower(tmp_path)


@torch.no_grad()
def test_rine_gives_the_published_logits_and_has_the_published_keys(clip):
    wanted = numbers("rine")
    model = Importance(ImageEncoder(clip), 2, 96)
    assert sorted(model.state_dict()) == wanted["keys"]
    logits, features = fill(model)(openai.views())
    assert near(logits, wanted["logits"])
    assert near(features[:, ::7], wanted["features"])


def test_rines_contrastive_loss_is_the_published_one_and_leaves_out_what_is_alone():
    drawn, labels = tensor(0, "features", (10, 16)), torch.arange(10) % 2
    assert float(rine.contrastive(drawn, labels)) == pytest.approx(numbers("rine")["contrastive"], abs=1e-5)
    alone = rine.contrastive(torch.cat([drawn[::2], drawn[1:2]]), torch.tensor([0] * 5 + [1]))
    assert torch.isfinite(alone)
    assert float(rine.contrastive(drawn[:2], torch.tensor([0, 1]))) == 0


def test_rine_draws_the_official_qualities_and_never_resizes():
    """A list of two where a range was meant: mever-team/rine@9b7fd58:src/utils.py."""
    method = rine_method.METHOD
    assert method.Params().qualities == (30, 100)
    rgb = image(0, 300, 260)
    made = view(rine_method, rgb)
    assert made.shape == (3, 224, 224)
    assert torch.allclose(made, normalised(np.ascontiguousarray(rgb[18:242, 38:262]), MEAN, STD))


@torch.no_grad()
def test_d3_gives_the_published_logits_and_has_the_published_keys(clip):
    wanted = numbers("d3")
    model = Discrepancy(ImageEncoder(clip), openai.PATCH)
    fill(model.attention_head)
    assert sorted(model.attention_head.state_dict()) == wanted["keys"]
    order = torch.tensor([wanted["order"]] * 2)
    assert near(model.eval()(openai.views(), order), wanted["logits"])
    released = {name: torch.zeros(1) for name in wanted["keys"]}
    assert sorted(d3.METHOD(d3.Params()).official(released)) == sorted(model.state_dict())


def test_d3_shuffles_whole_patches_and_every_test_image_in_one_order():
    rgb = image(0, 56, 56)
    sample = Sample(rgb, {}, Facts("png", 0, 56, 56, 1))
    method = d3.METHOD(d3.Params(crop_size=56, patch=8))
    views = [method.view(sample, "test", np.random.default_rng(seed)) for seed in (0, 1)]
    assert torch.equal(views[0]["order"], views[1]["order"])
    assert sorted(views[0]["order"].tolist()) == list(range(49))
    x, order = views[0]["image"][None], views[0]["order"][None]
    made = shuffled(x, order, 8)
    first = int(order[0, 0])
    row, column = first // 7 * 8, first % 7 * 8
    assert torch.equal(made[0, :, :8, :8], x[0, :, row : row + 8, column : column + 8])
    trained = [method.view(sample, "train", np.random.default_rng(seed))["order"] for seed in (0, 1)]
    assert not torch.equal(*trained)
