"""What a card's switches build: which weights learn, and which tensors a checkpoint has."""

import pytest

from bench import discover
from bench.models.zoo import Zoo
from bench.suites import suite as suites

SUITE, ZOO = suites.load("mini"), Zoo("mini")


def built(name, variant=""):
    method = suites.instantiate(SUITE, name, variant, discover.method(name))
    return method, method.build({role: ZOO.folder(role) for role in method.roles()})


@pytest.mark.parametrize(("variant", "learns"), [("", True), ("frozen", False)])
def test_semgirs_encoder_learns_unless_it_is_frozen(variant, learns):
    _, model = built("semgir", variant)
    assert {p.requires_grad for p in model.encoder.parameters()} == {learns}
    assert all(p.requires_grad for p in model.classifier.parameters())


@pytest.mark.parametrize(("variant", "inputs"), [("", 2), ("image_only", 1)])
def test_semgirs_classifier_reads_two_embeddings_or_one(variant, inputs):
    _, model = built("semgir", variant)
    assert model.classifier[0].in_features == inputs * model.encoder.shape.output


def test_sares_checkpoint_has_no_head_of_the_resnet_and_no_clip():
    _, model = built("drct_sare")
    names = set(model.state_dict())
    assert {name.split(".")[0] for name in names} == {"sem", "attn", "norm", "head"}
    assert not any(name.startswith("sem.fc") for name in names)


@pytest.mark.parametrize("name", ["univfd", "drct", "defake", "drct_sare"])
def test_a_frozen_clip_is_neither_trained_nor_saved(name):
    _, model = built(name)
    assert not any(p.requires_grad for p in model.encoder.parameters())
    assert not any("vision_model" in key for key in model.state_dict())
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(("variant", "logits"), [("", 2), ("conv_b", 2)])
def test_drct_has_two_logits_on_an_embedding(variant, logits):
    method, model = built("drct", variant)
    assert model.fc.out_features == logits
    assert model.fc.in_features == method.params.embedding


@pytest.mark.parametrize("name", ["cnnspot", "dire", "lgrad", "univfd"])
def test_one_logit_heads(name):
    _, model = built(name)
    assert model.fc.out_features == 1


@pytest.mark.parametrize("name", ["cnnspot", "dire", "lgrad", "lnp"])
def test_new_heads_are_drawn_narrowly(name):
    """CNNDetection's N(0, 0.02)."""
    _, model = built(name)
    assert 0.012 < float(model.fc.weight.detach().std()) < 0.028
