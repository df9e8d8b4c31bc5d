import hashlib
import os
import shutil
from pathlib import PurePath

import pytest

from bench.errors import UserError
from bench.models.catalogue import MODELS
from bench.models.zoo import Zoo, files_of


def test_a_copy_of_the_weights_in_ones_own_folder_has_the_same_hash(tmp_path):
    shutil.copytree(Zoo("mini").folder("sdv1"), tmp_path / "sdv1")
    assert Zoo(str(tmp_path)).hash("sdv1") == Zoo("mini").hash("sdv1")


def test_any_changed_byte_changes_the_hash(tmp_path):
    shutil.copytree(Zoo("mini").folder("sdv1"), tmp_path / "sdv1")
    path = tmp_path / "sdv1" / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert Zoo(str(tmp_path)).hash("sdv1") != Zoo("mini").hash("sdv1")


def test_files_that_are_not_loaded_do_not_count(tmp_path):
    shutil.copytree(Zoo("mini").folder("sdv1"), tmp_path / "sdv1")
    (tmp_path / "sdv1" / "README.md").write_text("notes")
    assert Zoo(str(tmp_path)).hash("sdv1") == Zoo("mini").hash("sdv1")


def test_every_file_of_the_embedded_pipeline_is_hashed():
    folder = Zoo("mini").folder("sdv1")
    everything = {path for path in folder.rglob("*") if path.is_file()}
    assert set(files_of(folder, MODELS["sdv1"].files)) == everything


def test_missing_weights_name_both_ways_to_get_them(tmp_path):
    with pytest.raises(UserError, match="weights of sdv1") as caught:
        Zoo(str(tmp_path)).folder("sdv1")
    assert "CompVis/stable-diffusion-v1-4" in caught.value.fix
    with pytest.raises(UserError, match="no model role 'sdv9'"):
        Zoo("mini").folder("sdv9")


def test_the_hub_out_of_reach_is_one_message(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def refuse(*_, **__):
        raise LocalEntryNotFoundError("no network\nsecond line")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(UserError, match="could not be downloaded from CompVis") as caught:
        Zoo("hub").folder("sdv1")
    assert "no network" in caught.value.context
    assert "second line" not in caught.value.context
    assert "unet/diffusion_pytorch_model.safetensors" in caught.value.fix


def test_a_folder_for_one_role_goes_before_the_rest_and_an_empty_one_is_refused(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(UserError, match="holds no weights of lpips") as caught:
        Zoo("mini", {"lpips": own})
    assert "model.safetensors" in caught.value.context
    shutil.copyfile(Zoo("mini").folder("lpips") / "model.safetensors", own / "model.safetensors")
    assert Zoo("mini", {"lpips": own}).folder("lpips") == own
    assert Zoo("mini", {"lpips": own}).folder("resnet50") == Zoo("mini").folder("resnet50")
    with pytest.raises(UserError, match="no model role"):
        Zoo("mini", {"lpipz": own})


@pytest.mark.parametrize(
    ("role", "gone", "told"),
    [
        ("sdv1", "unet/diffusion_pytorch_model.safetensors", "Missing: unet/diffusion_pytorch_model.safetensors."),
        ("sdv1", "scheduler/scheduler_config.json", "Missing: scheduler/scheduler_config.json."),
        ("clip_vit_l14", "model.safetensors", "Missing: model.safetensors. Present: config.json"),
        ("blip", "model.safetensors", "Missing: model.safetensors or pytorch_model.bin."),
        ("clip_rn50", "open_clip_model.safetensors", "Missing: open_clip_model.safetensors."),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(tmp_path, role, gone, told):
    shutil.copytree(Zoo("mini").folder(role), tmp_path / role)
    (tmp_path / role / gone).unlink()
    for zoo in (lambda: Zoo(str(tmp_path)).folder(role), lambda: Zoo("mini", {role: tmp_path / role})):
        with pytest.raises(UserError, match="are incomplete") as caught:
            zoo()
        assert told in caught.value.context


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"", "empty"),
        (b"\x80\0\0\0\0\0\0\0{", "truncated"),
    ],
)
def test_what_lies_in_the_place_of_a_file_is_named(tmp_path, content, told):
    shutil.copytree(Zoo("mini").folder("lpips"), tmp_path / "lpips")
    (tmp_path / "lpips" / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="cannot be used") as caught:
        Zoo(str(tmp_path)).folder("lpips")
    assert told in caught.value.context


def test_a_partial_snapshot_of_the_hub_is_refused(monkeypatch, tmp_path):
    shutil.copytree(Zoo("mini").folder("sdv1"), tmp_path / "snapshot")
    (tmp_path / "snapshot" / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path / "snapshot"))
    with pytest.raises(UserError, match="are incomplete") as caught:
        Zoo("hub").folder("sdv1")
    assert "vae/diffusion_pytorch_model.safetensors" in caught.value.context


def test_every_required_file_is_among_those_that_are_loaded():
    for model in MODELS.values():
        patterns = {name for group in model.required for name in group}
        assert all(any(PurePath(name).match(pattern) for pattern in model.files) for name in patterns), model.role


def test_a_file_is_hashed_once_while_it_stays_the_same(tmp_path, monkeypatch):
    shutil.copytree(Zoo("mini").folder("lpips"), tmp_path / "lpips")
    file = tmp_path / "lpips" / "model.safetensors"
    first = Zoo(str(tmp_path), store=tmp_path / "store")
    digest, whole = first.digest(file), first.hash("lpips")
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))
    again = Zoo(str(tmp_path), store=tmp_path / "store")
    assert (again.digest(file), again.hash("lpips")) == (digest, whole)
    monkeypatch.undo()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(1, 1))
    assert Zoo(str(tmp_path), store=tmp_path / "store").digest(file) != digest


def test_a_model_of_several_downloads_is_one_folder(monkeypatch, tmp_path):
    def download(url, path, progress, *, sha256, md5):
        assert len(sha256) == 64
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(url.encode())

    monkeypatch.setattr("bench.download.from_url", download)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    folder = Zoo("hub", store=tmp_path).folder("dct_statistics")
    assert sorted(path.name for path in folder.iterdir()) == ["dct_mean", "dct_var"]


def test_a_download_out_of_reach_is_one_message(monkeypatch, tmp_path):
    def refuse(url, path, progress, *, sha256, md5):
        raise UserError("not downloaded", "no network", "f")

    monkeypatch.setattr("bench.download.from_url", refuse)
    with pytest.raises(UserError, match="could not be downloaded from https://openaipublic") as caught:
        Zoo("hub", store=tmp_path).folder("adm")
    assert "no network" in caught.value.context
    assert "--weights adm=FILE" in caught.value.fix
