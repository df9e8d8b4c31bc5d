"""Official layouts, strict loading, and what each adapter makes of its authors' files."""

import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench import discover
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.nets.clip import to_openai, to_transformers
from bench.training import checkpoint


def tensors():
    return OrderedDict(weight=torch.ones(1, 3), bias=torch.zeros(1))


@pytest.mark.parametrize(
    "saved",
    [
        tensors(),
        {"model": tensors(), "optimizer": {"lr": 1}, "total_steps": 7},
        {"netC": tensors()},
        {"state_dict": {f"module.{k}": v for k, v in tensors().items()}, "epoch": 3},
        {f"module.{k}": v for k, v in tensors().items()},
        {"model": {"state_dict": tensors()}, "epoch": 3},
    ],
    ids=["bare", "model", "netC", "state_dict and module.", "module.", "state_dict in model"],
)
def test_every_published_layout_is_read(tmp_path, saved):
    torch.save(saved, tmp_path / "c.pth")
    found = checkpoint.read(tmp_path / "c.pth")
    assert set(found) == {"weight", "bias"}
    assert torch.equal(found["weight"], torch.ones(1, 3))


def test_safetensors_are_read(tmp_path):
    save_file(dict(tensors()), tmp_path / "c.safetensors")
    assert set(checkpoint.read(tmp_path / "c.safetensors")) == {"weight", "bias"}


def test_a_pickled_module_is_refused_unless_trusted(tmp_path):
    torch.save(nn.Linear(3, 1), tmp_path / "c.pth")
    with pytest.raises(UserError, match="pickled object") as caught:
        checkpoint.read(tmp_path / "c.pth")
    assert "--trust-pickle" in caught.value.fix
    assert set(checkpoint.read(tmp_path / "c.pth", trust_pickle=True)) == {"weight", "bias"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_module_of_a_script_that_is_not_here_gives_its_weights(tmp_path, wrapped):
    script = tmp_path / "train.py"
    kept = '{"model": NeuralNet()}' if wrapped else "NeuralNet()"
    script.write_text(
        "import torch\nclass NeuralNet(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc1 = torch.nn.Linear(3, 2)\ntorch.save({kept}, {str(tmp_path / 'c.pt')!r})\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)
    found = checkpoint.read(tmp_path / "c.pt", trust_pickle=True)
    assert {name: tuple(t.shape) for name, t in found.items()} == {"fc1.weight": (2, 3), "fc1.bias": (2,)}


@pytest.mark.parametrize("trust", [False, True])
def test_a_web_page_is_no_pickle(tmp_path, trust):
    (tmp_path / "c.pth").write_bytes(b"<!DOCTYPE html><html>Quota exceeded</html>")
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        checkpoint.read(tmp_path / "c.pth", trust_pickle=trust)


@pytest.mark.parametrize("name", ["c.pth", "c.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"hello\n", b"\x80\x04junk", b"{}" * 40])
def test_a_file_that_is_none_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} (cannot be read as a checkpoint|is a pickled object)"):
        checkpoint.read(tmp_path / name)


def test_a_file_without_weights_tells_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "c.pth")
    with pytest.raises(UserError, match="no weights by name") as caught:
        checkpoint.read(tmp_path / "c.pth")
    assert "epoch, lr" in caught.value.context


def detector(name, **params):
    kind = discover.method(name)
    return kind(kind.Params(**params))


def test_missing_extra_and_misshapen_tensors_are_named():
    given = {"weight": torch.ones(2, 3), "other": torch.ones(1)}
    with pytest.raises(UserError, match="does not fit CNNSpot") as caught:
        checkpoint.fill(detector("cnnspot"), nn.Linear(3, 1), given, "c.pth")
    assert "Missing: bias" in caught.value.context
    assert "unexpected: other" in caught.value.context
    assert "wrong shape: weight [2, 3], not [1, 3]" in caught.value.context


def test_the_univfd_head_is_taken_alone_and_out_of_a_training_file():
    method = detector("univfd")
    head = {"weight": torch.ones(1, 768), "bias": torch.zeros(1)}
    assert set(method.official(head)) == {"fc.weight", "fc.bias"}
    whole = {"fc.weight": head["weight"], "fc.bias": head["bias"], "model.visual.proj": torch.zeros(2)}
    assert set(method.official(whole)) == {"fc.weight", "fc.bias"}


def test_drcts_copy_of_clip_is_left_out():
    given = {name: torch.zeros(1) for name in ("model.model.visual.proj", "model.fc.weight", "fc.bias")}
    assert set(detector("drct").official(given)) == {"model.fc.weight", "fc.bias"}


def test_gramnets_labels_are_turned_and_a_ports_single_logit_becomes_two():
    method = detector("gramnet")
    turned = method.official(
        {"fcnewr.3.weight": torch.tensor([[1.0], [2.0]]), "fcnewr.3.bias": torch.tensor([3.0, 4.0])}
    )
    assert turned["fcnewr.3.weight"].tolist() == [[2.0], [1.0]]
    assert turned["fcnewr.3.bias"].tolist() == [4.0, 3.0]
    single = {"fcnewr.3.weight": torch.tensor([[5.0]]), "fcnewr.3.bias": torch.tensor([6.0])}
    assert method.official(single)["fcnewr.3.weight"].shape == (1, 1), "to be told as misshapen"
    two = {"fcnewr.3.weight": torch.ones(2, 1), "fcnewr.3.bias": torch.ones(2)}
    kept = detector("gramnet", port=True).official(two)
    assert kept["fcnewr.3.weight"].shape == (2, 1), "not made three, which no file has"
    port = detector("gramnet", port=True).official(single)
    assert port["fcnewr.3.weight"].tolist() == [[0.0], [5.0]]
    assert port["fcnewr.3.bias"].tolist() == [0.0, 6.0]
    state = {"fcnewr.3.weight": torch.tensor([[1.0], [2.0]])}
    assert detector("gramnet", recipe="drct").official(state)["fcnewr.3.weight"].tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(("name", "prefix"), [("drct", "model.model."), ("univfd", "model.")])
def test_strangers_below_clips_prefix_are_kept_to_be_told(name, prefix):
    names = ("visual.conv1.weight", "transformer.resblocks.0.ln_1.weight", "logit_scale", "garbage")
    found = detector(name).official({f"{prefix}{n}": torch.zeros(1) for n in names})
    assert set(found) == {f"{prefix}garbage"}


def test_a_clip_that_was_trained_on_is_told():
    """Every tensor of the copy counts, not its class embedding alone."""
    method, folder = detector("univfd"), Zoo("mini").folder("clip_vit_l14")
    model = method.build({"clip_vit_l14": folder})
    copy = {f"model.{name}": t.detach().clone() for name, t in to_openai(model.encoder.clip.state_dict()).items()}
    assert method.foreign(model, copy) == ""
    assert method.foreign(model, {name: t.half() for name, t in copy.items()}) == ""
    assert method.foreign(model, {}) == ""
    deep = "model.visual.transformer.resblocks.2.mlp.c_fc.weight"
    told = method.foreign(model, {**copy, deep: copy[deep] + 0.5})
    assert f"1 of {len(copy)} tensors differ by up to 0.5: {deep.removeprefix('model.')}." in told
    name = "model.visual.class_embedding"
    assert "Wrong shape" in method.foreign(model, {name: copy[name][:-1]})


def test_openais_names_and_transformers_are_each_others_inverse():
    state = detector("univfd").build({"clip_vit_l14": Zoo("mini").folder("clip_vit_l14")}).encoder.clip.state_dict()
    back = to_transformers(to_openai(state))
    assert set(back) == {name for name in state if "position_ids" not in name}
    assert all(torch.equal(back[name], state[name]) for name in back)


@pytest.mark.parametrize(
    "saved",
    [
        {"model_state_dict": tensors()},
        {"net": tensors(), "acc": 0.9},
        {f"_orig_mod.{k}": v for k, v in tensors().items()},
        {"state_dict": {f"module._orig_mod.{k}": v for k, v in tensors().items()}},
    ],
    ids=["model_state_dict", "net", "_orig_mod.", "module._orig_mod."],
)
def test_the_wrappers_of_training_scripts_are_taken_off(tmp_path, saved):
    torch.save(saved, tmp_path / "c.pth")
    assert set(checkpoint.read(tmp_path / "c.pth")) == {"weight", "bias"}


@pytest.mark.parametrize("prefix", ["", "model.", "net.", "model.net.", "model._orig_mod.", "_orig_mod.module."])
def test_lightnings_prefix_is_taken_off_where_the_network_has_none(tmp_path, prefix):
    model = nn.Linear(3, 1)
    given = {f"{prefix}{name}": torch.full_like(t, 2.0) for name, t in model.state_dict().items()}
    checkpoint.fill(detector("cnnspot"), model, given, "c.ckpt")
    assert model.weight.tolist() == [[2.0, 2.0, 2.0]]


def test_a_stranger_beside_a_prefix_is_all_that_is_told():
    """Lightning keeps a loss's weight beside the network."""
    given = {f"model.{name}": t for name, t in nn.Linear(3, 1).state_dict().items()} | {"loss.weight": torch.ones(1)}
    with pytest.raises(UserError) as caught:
        checkpoint.fill(detector("cnnspot"), nn.Linear(3, 1), given, "c.ckpt")
    assert caught.value.context == "Unexpected: loss.weight."


def test_a_flipped_byte_in_a_checkpoint_is_noticed(tmp_path):
    torch.save({"weight": torch.ones(64, 64)}, tmp_path / "c.pth")
    data = bytearray((tmp_path / "c.pth").read_bytes())
    data[data.index(b"\x00\x00\x80\x3f" * 8) + 5] ^= 0x20
    (tmp_path / "c.pth").write_bytes(data)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.read(tmp_path / "c.pth")


@pytest.mark.parametrize("content", [b'{"error": "gone"}', b"plain text\n"])
def test_torchs_advice_to_run_a_file_is_not_passed_on(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(UserError) as caught:
        checkpoint.read(tmp_path / "c.pth")
    assert "weights_only" not in str(caught.value)
    assert "arbitrary code" not in str(caught.value)


def test_a_prefix_of_the_networks_own_stays():
    """DRCT's file has model.fc and fc: nothing is taken off."""
    method = detector("drct", embedding=64)
    model = method.build({"clip_vit_l14": Zoo("mini").folder("clip_vit_l14")})
    given = {name: torch.full_like(t, 3.0) for name, t in model.state_dict().items()}
    assert any(name.startswith("model.") for name in given)
    checkpoint.fill(method, model, given, "c.pth")
    assert all(bool((t == 3).all()) for t in model.state_dict().values())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"<html><title>Quota exceeded</title></html>", "web page"),
        (b"", "empty"),
        (b"PK\x03\x04 cut off", "not a complete"),
    ],
)
@pytest.mark.parametrize("name", ["c.pth", "c.safetensors"])
def test_the_usual_mistakes_are_named_in_one_line(tmp_path, content, told, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a checkpoint") as caught:
        checkpoint.read(tmp_path / name)
    assert told in caught.value.context
    assert "\n" not in caught.value.context


def test_a_torchscript_archive_gives_its_tensors(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(3, 1)), tmp_path / "ViT.pt")
    assert set(checkpoint.read(tmp_path / "ViT.pt")) == {"weight", "bias"}


#: Detectors whose whole network is in their authors' file, at the paper's size.
WHOLE = [n for n in discover.methods() if hasattr(discover.method(n), "companions") and not detector(n).companions()]


@pytest.mark.parametrize("name", WHOLE)
def test_the_papers_network_is_built_without_any_weights_and_takes_its_own_state(name):
    method = detector(name, **({"pretrained": False} if hasattr(detector(name).params, "pretrained") else {}))
    with torch.device("meta"):
        model = method.build({})
    state = {k: t for k, t in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert state
    sizes = {k: tuple(t.shape) for k, t in state.items()}
    taken = method.official({k: torch.zeros(shape) for k, shape in sizes.items()})
    assert {k: tuple(t.shape) for k, t in taken.items()} == sizes


def test_fredects_statistics_come_from_beside_the_checkpoint(tmp_path):
    torch.save(torch.full((3, 8, 8), 2.0), tmp_path / "dct_mean")
    torch.save(torch.full((3, 8, 8), 9.0), tmp_path / "dct_var")
    method = detector("fredect", head="linear", crop_size=8)
    model = method.build({"dct_statistics": tmp_path})
    given = {"1.weight": torch.ones(1, 192), "1.bias": torch.zeros(1)}
    checkpoint.fill(method, model, given, "c.pth")
    x = np.full((1, 3, 8, 8), 5.0, np.float32)
    assert model.eval()(torch.from_numpy(x)).item() == pytest.approx(192.0)


def test_fredects_statistics_of_another_crop_are_refused(tmp_path):
    for name in ("dct_mean", "dct_var"):
        torch.save(torch.ones(3, 9, 9), tmp_path / name)
    with pytest.raises(UserError, match="another crop") as caught:
        detector("fredect", head="linear", crop_size=8).build({"dct_statistics": tmp_path})
    assert "[3, 9, 9]" in caught.value.context


def test_a_checkpoint_with_values_that_are_not_finite_is_refused():
    method = detector("fredect", head="linear", crop_size=8)
    given = {"1.weight": torch.full((1, 192), float("nan")), "1.bias": torch.zeros(1)}
    with pytest.raises(UserError, match="not finite"):
        checkpoint.fill(method, method.build({}), given, "c.pth")
