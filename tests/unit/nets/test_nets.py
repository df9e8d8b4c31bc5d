import numpy as np
import pytest
import torch
import torchvision
from diffusers import DDIMScheduler
from safetensors.torch import save_file

from bench.errors import UserError
from bench.nets import ddim
from bench.nets.gram import GramNet, gram_matrix
from bench.nets.resnet import RESNET18, RESNET50, ResNet, Shape, load_imagenet, mini_strides


@pytest.mark.parametrize(
    ("shape", "reference"), [(RESNET50, torchvision.models.resnet50), (RESNET18, torchvision.models.resnet18)]
)
def test_a_full_resnet_is_torchvisions(shape, reference):
    torch.manual_seed(0)
    theirs = reference(num_classes=1).eval()
    ours = ResNet(shape, 1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert (ours(images) - theirs(images)).abs().max() <= 1e-5


def test_small_strides_keep_the_real_grids():
    small = ResNet(Shape(True, (1, 1, 1, 1), 16, tuple(mini_strides(8))), 1).eval()
    with torch.no_grad():
        taps = small.taps(torch.zeros(1, 3, 56, 56))
    assert taps["layer3"].shape[-2:] == (14, 14)
    assert taps["layer4"].shape[-2:] == (7, 7)


def test_imagenet_weights_must_fit(tmp_path):
    network = ResNet(RESNET18, 1)
    state = torchvision.models.resnet18().state_dict()
    save_file(state, tmp_path / "model.safetensors")
    head = network.fc.weight.detach().clone()
    load_imagenet(network, tmp_path)
    assert (network.conv1.weight == state["conv1.weight"]).all()
    assert (network.fc.weight == head).all()
    wide = ResNet(RESNET18, 1)
    wide.conv1 = torch.nn.Conv2d(5, 64, 7, 2, 3, bias=False)
    own = wide.conv1.weight.detach().clone()
    load_imagenet(wide, tmp_path)
    assert (wide.conv1.weight == own).all()
    del state["layer1.0.conv1.weight"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError) as caught:
        load_imagenet(network, tmp_path)
    assert "Missing: layer1.0.conv1.weight" in caught.value.context


def test_an_instance_normed_resnet_of_two_images_is_torchvisions(tmp_path):
    """It has no norms in its state; its first convolution is ImageNet's, times a share, for each image."""
    theirs = torchvision.models.resnet50(norm_layer=torch.nn.InstanceNorm2d, num_classes=1).eval()
    theirs.conv1 = torch.nn.Conv2d(6, 64, 7, 2, 3, bias=False)
    ours = ResNet(Shape(inside=6, norm="instance"), 1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 6, 96, 96)
    with torch.no_grad():
        assert (ours(images) - theirs(images)).abs().max() <= 1e-5
    state = torchvision.models.resnet50().state_dict()
    save_file(state, tmp_path / "model.safetensors")
    load_imagenet(ours, tmp_path, 0.25)
    assert torch.equal(ours.conv1.weight, torch.cat([state["conv1.weight"] / 4] * 2, 1))
    assert torch.equal(ours.layer2[0].conv2.weight, state["layer2.0.conv2.weight"])


def test_gram_matrix_is_the_inner_products_of_channels():
    features = torch.randn(3, 5, 4, 6)
    expected = np.einsum("bchw,bdhw->bcd", features.numpy(), features.numpy()) / (5 * 4 * 6)
    assert np.abs(gram_matrix(features).numpy() - expected).max() <= 1e-6


def test_gramnet_has_the_official_size_and_keys():
    network = GramNet(RESNET18)
    keys = network.state_dict()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(11.73, abs=0.02)
    assert keys["fcnewr.0.weight"].shape == (512, 704)
    assert keys["conv_interi_0.0.weight"].shape == (32, 3, 3, 3)
    assert keys["g_fc1r.0.weight"].shape == (16, 1, 3, 3)
    assert keys["scale.scale"].shape == (1,)
    assert network.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 2)


ALPHAS = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod.double()


def gaussian_noise(variance):
    """The exact noise predictor of data drawn from N(0, variance)."""

    def predict(x, t):
        alpha = float(ALPHAS[t])
        return (1 - alpha) ** 0.5 * x / (alpha * variance + 1 - alpha)

    return predict


def test_the_round_trip_is_exact_where_noise_depends_on_time_alone():
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    fixed = {t: torch.randn(2, 4, 8, 8, dtype=torch.float64) for t in range(1000)}
    schedule = (ddim.timesteps(20, 1000, 1), ALPHAS.tolist(), float(ALPHAS[0]))
    latent = ddim.invert(x, lambda _, t: fixed[t], *schedule)
    assert (ddim.sample(latent, lambda _, t: fixed[t], *schedule) - x).abs().max() <= 1e-10


def test_the_round_trip_of_an_analytic_model_closes_with_the_steps():
    x = torch.randn(64, 8, dtype=torch.float64) * 0.7
    errors = []
    for steps in (10, 20, 50, 100):
        schedule = (ddim.timesteps(steps, 1000, 1), ALPHAS.tolist(), float(ALPHAS[0]))
        latent = ddim.invert(x, gaussian_noise(0.49), *schedule)
        back = ddim.sample(latent, gaussian_noise(0.49), *schedule)
        errors.append(float((back - x).abs().mean() / x.abs().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05


def test_an_inverted_gaussian_has_the_variance_of_the_forward_process():
    x = torch.randn(20_000, dtype=torch.float64) * 0.7
    times = ddim.timesteps(200, 1000, 1)
    latent = ddim.invert(x, gaussian_noise(0.49), times, ALPHAS.tolist(), float(ALPHAS[0]))
    alpha = float(ALPHAS[times[-1]])
    assert float(latent.var()) == pytest.approx(alpha * 0.49 + 1 - alpha, rel=0.05)


def test_sampling_is_diffusers_ddim():
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
    scheduler = DDIMScheduler(**config, set_alpha_to_one=False, steps_offset=1)
    scheduler.set_timesteps(25)
    x = latent = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    for t in scheduler.timesteps:
        x = scheduler.step(gaussian_noise(0.3)(x, int(t)), t, x).prev_sample
    times = ddim.timesteps(25, 1000, 1)
    assert times == scheduler.timesteps.tolist()[::-1]
    ours = ddim.sample(latent, gaussian_noise(0.3), times, ALPHAS.tolist(), float(scheduler.final_alpha_cumprod))
    assert (ours - x).abs().max() <= 1e-4
