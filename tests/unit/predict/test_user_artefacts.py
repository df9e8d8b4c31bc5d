import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.artefacts.encoding import from_bytes
from bench.artefacts.store import Store
from bench.errors import UserError
from bench.predict import user_artefacts
from bench.progress import Progress
from bench.types import Slice
from methods import defake, drct_sare, hf_energy, lare2, lnp, semgir
from tests.conftest import item


@pytest.fixture
def part():
    return Slice("own", "images", "test", (item(1, 0), item(2, 1)))


def stems(part):
    return [thing.path.stem for thing in part.items]


def test_a_method_names_what_may_be_given_with_what_it_stands_on():
    assert user_artefacts.names(lare2.METHOD(lare2.Params())) == {"error": "an array"}
    assert user_artefacts.names(defake.METHOD(defake.Params())) == {"text": "an array", "caption": "a text"}
    assert user_artefacts.names(drct_sare.METHOD(drct_sare.Params()))["caption"] == "a text"
    assert user_artefacts.names(semgir.METHOD(semgir.Params())) == {"regenerated": "an image", "caption": "a text"}
    assert user_artefacts.names(hf_energy.METHOD(hf_energy.Params())) == {}


def test_noise_of_another_size_than_the_image_is_refused(part, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    for thing in part.items:
        Image.fromarray(np.zeros((64, 32, 3), np.uint8)).save(folder / f"{thing.path.stem}.png")
    with pytest.raises(UserError, match="does not fit the image") as caught:
        user_artefacts.keep(lnp.METHOD(lnp.Params()), {"noise": folder}, part, Store(tmp_path), Progress())
    assert "32 x 64 pixels, the image 64 x 64" in caught.value.context


def test_captions_of_a_json_file_take_the_engines_place(part, tmp_path):
    (tmp_path / "captions.json").write_text(json.dumps({f"{stem}.png": f"a {stem}" for stem in stems(part)}))
    method, store = semgir.METHOD(semgir.Params()), Store(tmp_path)
    ready = user_artefacts.keep(method, {"caption": tmp_path / "captions.json"}, part, store, Progress())
    inner = method.needs("test")["regenerated"].given(ready).inputs["caption"]
    assert inner.engine == user_artefacts.GIVEN
    assert [store.get(inner, i.image_id).decode() for i in part.items] == [f"a {stem}" for stem in stems(part)]


def test_published_error_maps_are_read(part, tmp_path):
    (tmp_path / "maps").mkdir()
    for number, stem in enumerate(stems(part)):
        torch.save(torch.full((4, 8, 8), float(number)), tmp_path / "maps" / f"{stem}.pt")
    store = Store(tmp_path)
    recipe = user_artefacts.keep(lare2.METHOD(lare2.Params()), {"error": tmp_path / "maps"}, part, store, Progress())[
        "error"
    ]
    values = [from_bytes(*store.read(recipe, i.image_id)) for i in part.items]
    assert [float(np.mean(v)) for v in values] == [0, 1]


@pytest.mark.parametrize(
    ("files", "told"),
    [({}, "has nothing for"), ({"README.md": "1"}, "has nothing for"), ({".pt": "no tensor"}, "is not an array")],
)
def test_what_cannot_be_used_is_told(part, tmp_path, files, told):
    (tmp_path / "maps").mkdir()
    for name, text in files.items():
        (tmp_path / "maps" / (f"{stems(part)[0]}{name}" if name.startswith(".") else name)).write_text(text)
    with pytest.raises(UserError, match=told):
        user_artefacts.keep(
            lare2.METHOD(lare2.Params()), {"error": tmp_path / "maps"}, part, Store(tmp_path), Progress()
        )


@pytest.mark.parametrize("value", [None, ["a"], 3, {"a": 1}])
def test_a_caption_must_be_a_text(part, tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps(dict.fromkeys(stems(part), value)))
    with pytest.raises(UserError, match="is not a text"):
        user_artefacts.keep(
            semgir.METHOD(semgir.Params()), {"caption": tmp_path / "a.json"}, part, Store(tmp_path), Progress()
        )


def test_two_artefacts_or_two_images_of_one_stem_are_refused(part, tmp_path):
    method = semgir.METHOD(semgir.Params())
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for stem in stems(part):
            (tmp_path / folder / f"{stem}.txt").write_text(folder)
    with pytest.raises(UserError, match="has two for"):
        user_artefacts.keep(method, {"caption": tmp_path}, part, Store(tmp_path), Progress())
    first = part.items[0]
    twin = replace(part.items[1], path=first.path.parent / "other" / first.path.name)
    with pytest.raises(UserError, match="same stem"):
        user_artefacts.keep(
            method, {"caption": tmp_path / "a"}, replace(part, items=(first, twin)), Store(tmp_path), Progress()
        )


def test_the_key_tells_apart_what_belongs_to_which_image(part, tmp_path):
    keys = set()
    for texts in (("a cat", "s sit"), ("a cats", " sit"), ("s sit", "a cat")):
        (tmp_path / "a.json").write_text(json.dumps(dict(zip(stems(part), texts, strict=True))))
        ready = user_artefacts.keep(
            semgir.METHOD(semgir.Params()), {"caption": tmp_path / "a.json"}, part, Store(tmp_path), Progress()
        )
        keys.add(ready["caption"].key)
    assert len(keys) == 3


def test_one_of_two_reconstructions_has_every_difference():
    from methods import dire

    method = dire.METHOD(dire.Params(image_size=16))
    rng = np.random.default_rng(0)
    x, made = (rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(2))
    difference = np.abs(x.astype(int) - made).astype(np.uint8)
    assert (np.abs(x.astype(int) - method.from_form(difference, x)) == difference).all()
    with pytest.raises(ValueError, match="map is"):
        method.from_form(difference[:8], x)
    with pytest.raises(ValueError, match="no 8-bit"):
        method.from_form(np.full_like(x, 200), np.full_like(x, 100))


def test_json_that_is_no_object_is_refused(part, tmp_path):
    for text in ("[1]", "{"):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UserError, match="JSON"):
            user_artefacts.keep(
                SimpleNamespace(needs=semgir.METHOD(semgir.Params()).needs, forms={}),
                {"caption": tmp_path / "a.json"},
                part,
                Store(tmp_path),
                Progress(),
            )


class Told(Progress):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.mark.parametrize(
    ("suffixes", "told"), [((".png", ".png"), ""), ((".jpg", ".png"), "1 jpeg, 1 png"), ((".jpg", ".jpg"), "2 jpeg")]
)
def test_maps_whose_format_may_tell_the_class_are_warned_of(part, tmp_path, suffixes, told):
    for thing, suffix in zip(part.items, suffixes, strict=True):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / f"{thing.path.stem}{suffix}")
    progress = Told()
    user_artefacts.keep(lnp.METHOD(lnp.Params()), {"noise": tmp_path}, part, Store(tmp_path / "store"), progress)
    assert len(progress.warnings) == bool(told)
    assert all(told in warning and "DIRE's known leak" in warning for warning in progress.warnings)
