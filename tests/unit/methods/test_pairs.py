import pytest
import torch

from bench.nets.clip_resnet import ClipResNet, Shape
from bench.nets.combiner import Combiner
from methods._shared.pairs import Conditioned, Pair

SHAPE = Shape((1, 1, 1, 1), 8, 4, 32, 16, (2, 1, 1, 1, 2, 2))


def pair(frozen=False, single=False):
    torch.manual_seed(0)
    return Pair(ClipResNet(SHAPE), frozen, single)


def test_one_encoder_reads_both_and_the_classifier_tells_them_apart():
    model, x, y = pair().eval(), torch.randn(3, 3, 32, 32), torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        apart = torch.cat([model.encoder(x), model.encoder(y)], 1)
        assert torch.allclose(model(x, y), model.classifier(apart), atol=1e-6)
        assert not torch.equal(model(x, y), model(y, x))
    assert [layer.in_features for layer in model.classifier if hasattr(layer, "in_features")] == [32, 16]


def test_batch_norms_keep_their_statistics_in_training():
    model = pair().train()
    before = {name: t.clone() for name, t in model.named_buffers()}
    model(torch.randn(4, 3, 32, 32), torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(torch.equal(t, before[name]) for name, t in model.named_buffers())
    assert all(p.grad is not None for p in model.encoder.parameters())


def test_a_frozen_encoder_does_not_learn_and_a_single_one_sees_no_regeneration():
    assert not any(p.requires_grad for p in pair(frozen=True).encoder.parameters())
    alone, x = pair(single=True).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(alone(x, x), alone(x, torch.randn_like(x)))


def test_attribution_compares_the_mixture_with_the_regeneration_at_unit_length():
    torch.manual_seed(0)
    model = Conditioned(ClipResNet(SHAPE), False, Combiner(16)).eval()
    x, y, text = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32), torch.randn(2, 16)
    with torch.no_grad():
        mixed, other = model.combiner(model.encoder(x), text), model.encoder(y)
        wanted = model.classifier(torch.cat([mixed, other / other.norm(dim=1, keepdim=True)], 1))
        assert torch.allclose(model(x, y, text), wanted, atol=1e-6)
    with pytest.raises(TypeError, match="captions"):
        model(x, y)
