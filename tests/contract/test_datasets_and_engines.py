"""What every dataset and every engine must do."""

import numpy as np
import pytest

from bench import discover
from bench.artefacts import encoding
from bench.artefacts.batching import make_chunk
from bench.artefacts.engine import Engine, Request
from bench.artefacts.engines import (
    adm_inversion,
    autoencoder,
    blip,
    class_prompt,
    clip_image,
    clip_text,
    cosine,
    ddim_inversion,
    discriminator_gradient,
    latent_error,
    llava,
    lpips,
    lpips_layer,
    manifold_criterion,
    map_mean,
    noise_residual,
    noise_shift,
    pixel_error,
    sd_img2img,
    sd_inpaint,
    shuffled_caption,
    text_inversion,
    txt2img,
)
from bench.data.dataset import Dataset
from bench.errors import UserError
from bench.miniature.unpack import packs, unpack
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recipe import IMAGE, SOURCE
from tests.conftest import picture

_CAPTION = blip.recipe()
_IMG2IMG = sd_img2img.recipe(_CAPTION, steps=6, long_side=64)
#: A cheap recipe of each engine; an engine without one fails here.
RECIPES = {
    "ddim_inversion": ddim_inversion.recipe(steps=3, size=64),
    "blip": _CAPTION,
    "class_prompt": class_prompt.recipe(),
    "shuffled_caption": shuffled_caption.recipe(blip.recipe()),
    "llava": llava.recipe(max_new_tokens=4),
    "sd_img2img": _IMG2IMG,
    "sd_inpaint": sd_inpaint.recipe(steps=3, max_size=64),
    "noise_residual": noise_residual.recipe(),
    "discriminator_gradient": discriminator_gradient.recipe(),
    "clip_image": clip_image.recipe(),
    "clip_text": clip_text.recipe(_CAPTION),
    "latent_error": latent_error.recipe(size=64, ensemble=2),
    "txt2img": txt2img.recipe(_CAPTION, steps=3, size=64),
    "text_inversion": text_inversion.recipe(_CAPTION, steps=3, size=64),
    "adm_inversion": adm_inversion.recipe(steps=3, size=32),
    "lpips": lpips.recipe(_IMG2IMG),
    "autoencoder": autoencoder.recipe("sd1_vae"),
    "lpips_layer": lpips_layer.recipe(autoencoder.recipe("sd1_vae")),
    "noise_shift": noise_shift.recipe(size=56),
    "pixel_error": pixel_error.recipe(_IMG2IMG),
    "manifold_criterion": manifold_criterion.recipe(_CAPTION, size=64, draws=2),
    "map_mean": map_mean.recipe(latent_error.recipe(size=64)),
    "cosine": cosine.recipe(clip_text.recipe(_CAPTION), clip_image.recipe()),
}


@pytest.mark.parametrize("name", discover.datasets())
def test_a_corpus_names_its_subsets_once(name):
    dataset = discover.dataset(name)
    assert isinstance(dataset, Dataset)
    assert dataset.name == name
    names = [s.name for s in dataset.subsets]
    aliases = [a for s in dataset.subsets for a in s.aliases]
    assert len(set(names)) == len(names)
    assert len(set(aliases)) == len(aliases)
    assert all(a == a.lower() for a in aliases)
    assert dataset.layout()


@pytest.mark.parametrize("name", sorted({path.stem.split("-")[0] for path in packs()}))
def test_a_corpus_finds_its_part_of_the_embedded_world(name, tmp_path):
    home = unpack(tmp_path, Progress())
    packed = {path.stem.split("-")[1] for path in packs() if path.stem.startswith(f"{name}-")}
    assert set(discover.dataset(name).find(home / name)) == packed


def test_an_empty_folder_holds_no_subset(tmp_path):
    assert all(discover.dataset(name).find(tmp_path) == {} for name in discover.datasets())


def inputs(recipe, number):
    """What a recipe's inputs might have made: a caption, an image of their size, or an array."""
    made = {"caption": "a red disc on grass", "reconstruction": picture(100 + number, 64, 48)}
    array = np.random.default_rng(number).standard_normal(24)
    made |= {"values": array.reshape(4, 3, 2), "one": array, "other": array[::-1]}
    return {name: made[name] for name in recipe.inputs if name != "image"}


def loaded(name):
    recipe = RECIPES[name].bind("source")
    zoo, meter = Zoo("mini"), Meter()
    engine = discover.engine(name)()
    try:
        hashes = {role: zoo.hash(role) for role in recipe.roles()}
    except UserError as error:
        pytest.skip(f"the miniature cannot run {name} yet: {error.problem}")
    engine.load(recipe.resolve(hashes), zoo, "cpu", meter)
    return engine, recipe, meter


@pytest.mark.parametrize("name", discover.engines())
def test_an_engine_declares_itself(name):
    engine = discover.engine(name)
    assert issubclass(engine, Engine)
    assert engine.name == name
    assert engine.version >= 1
    assert RECIPES[name].engine == name
    assert {IMAGE, SOURCE} & set(RECIPES[name].inputs.values())


@pytest.mark.parametrize("name", discover.engines())
def test_an_artefact_is_a_function_of_its_image_alone(name):
    engine, recipe, meter = loaded(name)
    requests = [Request(f"{i:032x}", picture(i, 80 if i % 2 else 64, 64), inputs(recipe, i), f"{i}") for i in range(5)]
    together = make_chunk(engine, requests)
    each = engine.forwards(recipe)
    assert meter.forwards >= 5 * each
    assert each == 0 or meter.forwards % each == 0
    assert set(together) == {r.image_id for r in requests}
    assert make_chunk(engine, requests[::-1]) == together
    assert make_chunk(engine, requests[2:3])[requests[2].image_id] == together[requests[2].image_id]


@pytest.mark.parametrize("name", discover.engines())
@pytest.mark.parametrize("size", [(32, 32), (160, 128), (75, 50)])
def test_an_engine_takes_every_image_size(name, size):
    engine, recipe, _ = loaded(name)
    (data,) = make_chunk(engine, [Request("0" * 32, picture(1, *size), inputs(recipe, 1), "cat")]).values()
    sizes = {"image": size[::-1], "reconstruction": (48, 64)}
    known = engine.shape(recipe, {name: sizes.get(name, (0, 0)) for name in recipe.inputs})
    shown = engine.view(Request("0" * 32, picture(1, *size), inputs(recipe, 1), "cat")).shape[:2]
    assert known in ((0, 0), shown) or name == "sd_inpaint", "an engine promises another shape than its views have"
    made = encoding.from_bytes(engine.payload, data)
    wanted = {"png": np.ndarray, "txt": str, "json": float, "safetensors": np.ndarray}[engine.payload]
    assert isinstance(made, wanted)
    assert encoding.to_bytes(engine.payload, made) == data
    assert np.size(made) > 0
