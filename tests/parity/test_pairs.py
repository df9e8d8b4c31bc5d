"""Detectors that consist of two networks: the published logits, losses and layouts."""

import numpy as np
import pytest
import torch

from bench.detector import Facts, Sample
from bench.nets.clip_resnet import ClipResNet, Shape
from bench.nets.clip_text import TextTower
from bench.training import checkpoint
from methods import lasted
from methods._shared.lasted import LASTED, loss, tokens
from tests.parity import openai
from tests.parity.pairs import BATCHES, BLOCKS, EMBEDDING, HEADS, PROMPTS, SIDE, WIDTH, layout, pictures
from tests.parity.seeded import image, tensor
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
