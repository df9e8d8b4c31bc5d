"""No network computes with weights that did not load: each file of each role is broken in turn."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench import discover
from bench.detector import Detector
from bench.errors import UserError
from bench.models.catalogue import MODELS
from bench.models.zoo import Zoo, files_of
from bench.progress import Meter
from bench.suites import suite as suites
from tests.contract.test_datasets_and_engines import RECIPES

SUITE = suites.load("mini")


def users():
    """(role, user) of every engine, and of every method that builds with a role which no engine loads."""
    found = {}
    for name, recipe in RECIPES.items():
        for role in recipe.weights:
            found.setdefault((role, name), ("engine", name))
    for name in discover.methods():
        if issubclass(discover.method(name), Detector):
            for role in suites.instantiate(SUITE, name, "", discover.method(name)).roles():
                found.setdefault((role, name), ("method", name))
    named = [(role, *user) for (role, _), user in found.items() if MODELS[role].mini]
    return [pytest.param(*user, id=f"{user[0]} of {user[2]}") for user in named]


def load(role, kind, name, zoo):
    if kind == "engine":
        recipe = RECIPES[name].bind("source")
        discover.engine(name)().load(recipe, zoo, "cpu", Meter())
    else:
        method = suites.instantiate(SUITE, name, "", discover.method(name))
        method.build({role: zoo.folder(role) for role in method.roles()})


def files(folder, role):
    """Those of the role: a stand-in may hold others."""
    return [path for path in files_of(folder, MODELS[role].files) if path.suffix == ".safetensors"]


#: A tensor that every user of a role loads: not of the half of a CLIP that it leaves out.
OTHER_HALF = {
    "clip_text": ("vision_model.", "visual.", "visual_projection"),
    "clip_image": ("text_model.", "text_projection", "logit_scale", "transformer.", "token_embedding", "positional_"),
}


def broken(state, fault, name):
    """(state with one fault, what the error must name)."""
    skip = OTHER_HALF["clip_text" if name == "clip_text" else "clip_image"]
    own = [key for key in sorted(state) if state[key].dim() > 1 and not key.startswith((*skip, "fc.", "head.fc."))]
    key = own[len(own) // 2]
    if fault == "missing":
        return {k: t for k, t in state.items() if k != key}, key
    if fault == "misshapen":
        return {**state, key: torch.cat([state[key], state[key]])}, key
    if fault == "not finite":
        return {**state, key: torch.full_like(state[key], float("nan"))}, key
    return {**state, f"{key}_stranger": state[key].clone()}, f"{key}_stranger"


@pytest.mark.parametrize("fault", ["missing", "misshapen", "not finite", "not wanted"])
@pytest.mark.parametrize(("role", "kind", "name"), users())
def test_a_broken_tensor_is_named_before_anything_is_computed(role, kind, name, fault, tmp_path):
    sound = Zoo("mini").folder(role)
    for number, file in enumerate(files(sound, role)):
        folder = tmp_path / str(number)
        shutil.copytree(sound, folder)
        state, told = broken(load_file(file), fault, name)
        save_file(state, folder / file.relative_to(sound), {"format": "pt"})
        with pytest.raises(UserError) as caught:
            load(role, kind, name, Zoo("mini", {role: folder}))
        message = str(caught.value)
        # The text half of a folder is renamed on its way in; the tensor's own name stays at the end. A vision
        # transformer's is replaced by timm's, unless transformers loads it.
        layer = told.split(".")[-2]
        assert layer in message or {"o_proj": "attn.proj"}.get(layer, layer) in message, message
        assert str(folder) in message


@pytest.mark.parametrize(("role", "kind", "name"), users())
def test_a_sound_folder_loads(role, kind, name, tmp_path):
    load(role, kind, name, Zoo("mini"))
