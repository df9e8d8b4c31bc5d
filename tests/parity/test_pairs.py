"""Detectors that consist of two networks: the published logits, losses and layouts."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits

from bench.detector import Facts, Sample
from bench.nets import siglip
from bench.nets.clip_resnet import ClipResNet, Shape
from bench.nets.clip_text import TextTower
from bench.nets.truncated_resnet import Shape as Trunk
from bench.training import checkpoint
from methods import cospy, lasted
from methods._shared.cospy import VAE, CoSpy, mixed, normalised
from methods._shared.cospy import loss as cospy_loss
from methods._shared.lasted import LASTED, loss, tokens
from tests.parity import openai, pairs
from tests.parity.pairs import BATCHES, BLOCKS, EMBEDDING, HEADS, PROMPTS, SIDE, VIEWS, WIDTH, layout, pictures
from tests.parity.seeded import SIZES, image, tensor
from tests.parity.test_parity import numbers


def small_lasted():
    text = TextTower(openai.VOCABULARY, openai.CONTEXT, openai.TEXT_WIDTH, openai.TEXT_LAYERS, 1, EMBEDDING)
    end = openai.VOCABULARY - 1
    return LASTED(ClipResNet(Shape(BLOCKS, WIDTH, HEADS, SIDE, EMBEDDING)), text, [[*row, end] for row in PROMPTS], end)


def released_lasted(model, width):
    """The model's tensors as the released file has them, without ``module.``."""
    state = {f"clip_model.{name.removeprefix('text.')}": t for name, t in model.state_dict().items()}
    unused = {"output_layer.0": (1280, 1024), "output_layer.2": (512, 1280), "fc": (4, 512)}
    for name, shape in unused.items():
        state |= {f"{name}.weight": torch.empty(shape, device="meta"), f"{name}.bias": torch.empty(shape[0])}
    return state


@torch.no_grad()
def test_lasted_gives_the_published_logits_and_has_the_published_layout(tmp_path):
    wanted, model = numbers("lasted"), small_lasted()
    released = released_lasted(model, EMBEDDING)
    assert layout(released) == wanted["layout"]
    drawn = {f"module.{name}": tensor(0, name, tuple(t.shape)) for name, t in released.items()}
    torch.save(drawn, tmp_path / "lasted.pt")
    method = lasted.METHOD(lasted.Params())
    checkpoint.fill(method, model, checkpoint.read(tmp_path / "lasted.pt"), tmp_path / "lasted.pt")
    model.eval()
    logits = model(pictures())
    assert np.asarray(logits) == pytest.approx(np.asarray(wanted["logits"]), abs=1e-4)
    features = torch.nn.functional.normalize(model.visual(pictures()), dim=1)
    assert np.asarray(features[:, ::5]) == pytest.approx(np.asarray(wanted["features"]), abs=1e-5)
    chances = logits.softmax(1)[:, [1, 3]].sum(1)
    assert method.logit(model, {"image": pictures()}).sigmoid().tolist() == pytest.approx(chances.tolist(), abs=1e-6)


def test_lasted_at_full_size_has_the_published_layout_and_prompts():
    with torch.device("meta"):
        model = lasted.METHOD(lasted.Params()).build({})
    assert layout(released_lasted(model, 1024)) == numbers("lasted")["full"]
    assert sum(p.numel() for p in model.parameters()) == 623_258_305
    ids, end = tokens(lasted.Params().prompts, None)
    assert ids == numbers("lasted")["prompts"]
    assert {row[-1] for row in ids} == {end}
    with pytest.raises(ValueError, match="tokens are not known"):
        tokens(["Real Picture"], None)


@pytest.mark.parametrize("name", BATCHES)
def test_lasteds_loss_is_the_published_one(name):
    """Without images of a class, the published text loss is not a number and left out."""
    classes, labels = BATCHES[name]
    logits = tensor(0, f"logits {name}", (len(labels), 4)) * 3
    assert loss(logits, torch.tensor(labels), classes).item() == pytest.approx(numbers("lasted")["losses"][name], 1e-5)


def test_lasted_never_resizes_and_mirrors_what_is_missing():
    rgb = image(0, 40, 30)
    method = lasted.METHOD(lasted.Params(crop_size=36, change_prob=0.0, turn_prob=0.0, flip_prob=0.0))
    sample = Sample(rgb, {}, Facts("png", 0, 40, 30, 0))
    test, train = (method.view(sample, stage, np.random.default_rng(1))["image"] for stage in ("test", "train"))
    assert torch.equal(test[:, 0], test[:, 6])  # Three rows above: 3, 2, 1 and then 0.
    assert not torch.equal(test[:, 2], test[:, 3])
    assert any(torch.equal(train[:, :, 2], test[:, :, column]) for column in range(6))


class Small(torch.nn.Module):
    """The small CLIP as the encoder of a branch."""

    def __init__(self):
        super().__init__()
        self.clip, self.width = openai.small(), openai.EMBEDDING

    def forward(self, x):
        return self.clip(pixel_values=x).image_embeds


def small_cospy(family):
    if family == "progan":
        return CoSpy(Small(), None, Trunk(), *cospy.FUSION[family])
    return CoSpy(pairs.small_siglip(), pairs.small_vae(), Trunk(), *cospy.FUSION[family])


def released_cospy(model, family):
    """The authors' three files in one, with the frozen VAE, seeded as in the published numbers."""
    own = {name: t for name, t in model.art.state_dict().items() if not name.startswith("fc1.")}
    state = {f"artifact_encoder.{name}": t for name, t in own.items()}
    state |= {f"fc.{name}": t for name, t in model.art.fc1.state_dict().items()}
    if family == "progan":
        state |= {"artifact_encoder.fc1.weight": torch.empty(1, 512), "artifact_encoder.fc1.bias": torch.empty(1)}
    drawn = {f"art.{name}": tensor(0, name, tuple(t.shape)) for name, t in state.items()}
    drawn = {name: t * 0.7 if t.dim() > 1 else t for name, t in drawn.items()}
    for seed, (prefix, layer) in enumerate((("sem.fc", model.sem), ("fc", model.fc)), 1):
        drawn |= {f"{prefix}.{name}": tensor(seed, name, tuple(t.shape)) for name, t in layer.state_dict().items()}
    if len(model.frozen) > 1:
        drawn |= {f"{VAE}{name}": t for name, t in model.frozen[1].state_dict().items()}
    return drawn


def cospy_views(family):
    """Both views of two images, normalised as in the test view."""
    method = cospy.METHOD(cospy.Params(**cospy.METHOD.variants.get(family, {})))
    sizes = VIEWS if family == "sd" else (openai.SIDE,) * 2
    method = type(method)(type(method.params)(**{**vars(method.params), "artifact_crop": sizes[1]}))
    made = [normalised(*views, sizes[1], family) for views in zip(*pairs.views(*sizes), strict=True)]
    return method, {key: torch.stack([view[key] for view in made]) for key in ("semantic", "artifact")}


@torch.no_grad()
@pytest.mark.parametrize(("family", "folder"), [("sd", "sd-v1_4"), ("progan", "progan")])
def test_cospy_gives_the_published_logits_and_has_the_published_names(family, folder, tmp_path):
    wanted, model = numbers("cospy")[folder], small_cospy(family)
    released = released_cospy(model, family)
    names = hashlib.sha256("\n".join(sorted(released)).encode()).hexdigest()
    assert names == wanted["names"]
    torch.save(released, tmp_path / "cospy.pth")
    method, views = cospy_views(family)
    checkpoint.fill(method, model, checkpoint.read(tmp_path / "cospy.pth"), tmp_path / "cospy.pth")
    model.eval()
    branches = torch.cat([model.sem(model.embedded(views["semantic"])), model.traces(views["artifact"])], 1)
    assert np.asarray(branches) == pytest.approx(np.asarray(wanted["branches"]), abs=1e-4)
    logits = method.logit(model, views)
    assert logits.tolist() == pytest.approx([row[0] for row in wanted["logits"]], abs=1e-4)


def test_cospy_refuses_a_checkpoint_with_another_vae():
    model = small_cospy("sd")
    state = released_cospy(model, "sd")
    method = cospy.METHOD(cospy.Params())
    assert method.foreign(model, state) == ""
    name = f"{VAE}decoder.conv_in.weight"
    assert "decoder.conv_in.weight" in method.foreign(model, {**state, name: state[name] + 1})
    assert method.foreign(model, {key: t for key, t in state.items() if key != name})


def test_cospys_artefact_view_is_the_published_one():
    rgb = image(0, *SIZES[0])
    sample = Sample(rgb, {}, Facts("png", 0, *SIZES[0], 0))
    view = cospy.METHOD(cospy.Params()).view(sample, "test", np.random.default_rng(0))
    assert np.asarray(view["artifact"][:, ::41, ::37]) == pytest.approx(
        np.asarray(numbers("cospy")["prepared"]), abs=1e-5
    )


def test_cospys_vae_sees_pixels_of_0_to_1_and_its_error_is_amplified():
    model, x = small_cospy("sd"), torch.rand(1, 3, 8, 8)
    vae, seen = model.frozen[1], []
    model.art.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.eval().traces(x)
    with torch.no_grad():
        made = vae.decode(vae.encode(x).latent_dist.mode()).sample
    assert torch.allclose(seen[0], (x - made) / 7 * 100, atol=1e-3)


def test_cospys_losses_do_not_train_the_weights_of_each_other():
    model, labels = small_cospy("sd").eval(), torch.tensor([0, 1])
    x, y = pairs.views()
    model.fc.bias.data.fill_(1.5)
    total = cospy_loss(model, x, y, labels, (0.0, 0.2), 2.0)
    total.backward()
    sem, art = model.sem(model.embedded(x)), model.traces(y)
    bce = [binary_cross_entropy_with_logits(z[:, 0], labels.float()) for z in (sem, art, model(x, y))]
    assert total.item() == pytest.approx(sum(bce).item() + 0.5, rel=1e-5)
    alone = torch.autograd.grad(bce[0], model.sem.weight)[0]
    assert torch.allclose(model.sem.weight.grad, alone, atol=1e-6)
    assert model.frozen[0].trunk.pos_embed.grad is None


def test_cospys_mixture_mixes_labels_as_features():
    features, labels = torch.arange(400.0)[:, None], torch.arange(400.0)
    torch.manual_seed(0)
    made, soft = mixed(features, labels, 0.5, 0.2)
    assert torch.allclose(made[:, 0], soft)
    assert 0.3 < (soft == labels).float().mean() < 0.75
    same, kept = mixed(features, labels, 0.0, 0.2)
    assert torch.equal(same, features)
    assert torch.equal(kept, labels)


def test_siglip_is_read_from_the_file_of_open_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(siglip, "Shape", lambda: pairs.SIGLIP)
    network = pairs.small_siglip()
    state = {f"{siglip.PREFIX}{name}": t for name, t in network.trunk.state_dict().items()}
    save_file({**state, "text.token.weight": torch.zeros(2, 2), "logit_scale": torch.zeros(())}, tmp_path / siglip.FILE)
    x = pairs.views()[0]
    assert torch.equal(siglip.load_siglip(tmp_path)(x), network(x))


def test_siglip_has_the_published_size():
    with torch.device("meta"):
        network = siglip.SigLIP(siglip.Shape())
    assert sum(p.numel() for p in network.parameters()) == 428_225_600
    assert network.trunk.pos_embed.shape == (1, 729, 1152)
    assert network.trunk.blocks[0].mlp.fc1.out_features == 4304
