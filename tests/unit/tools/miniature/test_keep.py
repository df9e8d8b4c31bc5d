"""What is committed small comes back as it was, and rounding is what NumPy makes of it."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from bench.models import embedded
from tools.miniature import keep


def test_rounding_is_to_the_nearest_of_the_short_mantissas():
    values = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)).half()
    made = keep.rounded(values, 5).float()
    # numpy's frexp gives 0.5 <= m < 1: six bits of it are the leading one and five of the mantissa.
    mantissa, exponent = np.frexp(values.float().numpy().astype(np.float64))
    wanted = np.ldexp(np.rint(mantissa * 64) / 64, exponent)
    assert np.array_equal(made.numpy().astype(np.float64), wanted)
    assert torch.equal(keep.rounded(made.half()), made.half())


def test_vectors_and_zeros_are_kept():
    vector = torch.randn(9).half()
    assert torch.equal(keep.rounded(vector.float()), vector)
    assert torch.equal(keep.rounded(torch.tensor([[0.0, -0.0]])), torch.tensor([[0.0, -0.0]]).half())


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A first model and a second that shares one file with it, packed into a weights folder of their own."""
    kept, state = tmp_path / "kept", {"w": keep.rounded(torch.randn(8, 8))}
    for name, other in (("first", 1.0), ("second", 2.0)):
        made = tmp_path / "made" / name
        (made / "vae").mkdir(parents=True)
        save_file(state, made / "vae" / "model.safetensors")
        save_file({"w": torch.full((3, 3), other)}, made / "model.safetensors")
        (made / "config.json").write_text("{}")
        keep.pack(made, kept / name, tmp_path / "made" / "first")
    monkeypatch.setattr(embedded, "WEIGHTS", kept)
    return tmp_path


def test_a_packed_model_unpacks_to_the_same_files(folders):
    home = embedded.unpack_weights(folders / "store")
    for path in sorted(p for p in (folders / "made").rglob("*") if p.is_file()):
        assert (home / path.relative_to(folders / "made")).read_bytes() == path.read_bytes()
    assert load_file(home / "second" / "model.safetensors")["w"][0, 0] == 2.0


def test_what_two_models_share_is_kept_once(folders):
    assert (folders / "kept/second/vae/model.safetensors.same").read_text().startswith("first/vae/model.safetensors ")
    assert not (folders / "kept/second/vae/model.safetensors.xz").exists()
    assert (folders / "kept/second/model.safetensors.xz").exists()


def test_new_weights_get_a_folder_of_their_own_and_old_ones_are_found_again(folders):
    before = embedded.unpack_weights(folders / "store")
    stamp = (before / "first" / "config.json").stat().st_mtime_ns
    assert embedded.unpack_weights(folders / "store") == before
    assert (before / "first" / "config.json").stat().st_mtime_ns == stamp
    (folders / "kept" / "first" / "config.json").write_text('{"changed": 1}')
    after = embedded.unpack_weights(folders / "store")
    assert after != before
    assert not list((folders / "store" / "miniature").glob("part-*"))


def test_a_shared_file_that_has_changed_is_told(folders):
    save_file({"w": torch.ones(2, 2)}, folders / "made/first/vae/model.safetensors")
    keep.pack(folders / "made" / "first", folders / "kept" / "first", folders / "made" / "first")
    with pytest.raises(BenchError, match=r"second/vae/model\.safetensors should be the same as first/vae"):
        embedded.unpack_weights(folders / "store")


def test_a_failed_unpacking_leaves_nothing(folders):
    (folders / "kept" / "first" / "model.safetensors.xz").write_bytes(b"\xfd7zXZ\x00 cut off")
    with pytest.raises(Exception, match=r"[Cc]orrupt|[Cc]ompressed"):
        embedded.unpack_weights(folders / "store")
    assert list((folders / "store" / "miniature").iterdir()) == []
