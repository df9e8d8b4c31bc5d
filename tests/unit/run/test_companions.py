"""Weights named by role on the command line: folders as they are, single files put into one."""

import pytest
import torch
from safetensors.torch import load_file

from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.run.companions import own_weights


def test_a_published_file_with_shared_tensors_becomes_a_folder_that_is_made_once(tmp_path):
    state = load_file(Zoo("mini").folder("cycleisp") / "model.safetensors")
    shared = next(iter(state.values()))
    torch.save({"state_dict": {f"module.{k}": t for k, t in {**state, "again": shared}.items()}}, tmp_path / "s.pth")
    folder = own_weights([f"cycleisp={tmp_path / 's.pth'}"], tmp_path / "store")["cycleisp"]
    kept = load_file(folder / "model.safetensors")
    assert set(kept) == {*state, "again"}
    assert all(torch.equal(kept[name], tensor) for name, tensor in state.items())
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert own_weights([f"cycleisp={tmp_path / 's.pth'}"], tmp_path / "store")["cycleisp"] == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert own_weights([f"lpips={tmp_path}"], tmp_path / "store") == {"lpips": tmp_path}


def test_a_broken_file_in_a_folder_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"lpips: .*model\.safetensors is no file of tensors"):
        own_weights([f"lpips={tmp_path}"], tmp_path / "store")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("lpips", "names no folder"),
        ("lpisp=.", "no model role 'lpisp'"),
        ("lpips=/nowhere/at/all", "does not exist"),
        ("blip={file}", "is one file"),
        ("lpips={file}", "cannot be read as a checkpoint"),
    ],
)
def test_mistakes_are_told(tmp_path, word, told):
    (tmp_path / "x.pth").write_text("hello")
    with pytest.raises(UserError, match=told):
        own_weights([word.format(file=tmp_path / "x.pth")], tmp_path / "store")
