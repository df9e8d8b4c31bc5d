import numpy as np
import pytest
from PIL import Image

from bench.data.decode import decode
from tools.miniature.camera import encode_jpeg, photograph
from tools.miniature.scenes import COLOURS, GROUNDS, OBJECTS, STREAMS, sample_scene
from tools.miniature.shapes import SHAPES


def test_a_scene_and_its_photograph_are_the_same_at_every_call():
    assert sample_scene("heldout", 4) == sample_scene("heldout", 4)
    assert (photograph(sample_scene("heldout", 4), 40, 32) == photograph(sample_scene("heldout", 4), 40, 32)).all()


def test_streams_share_no_scene():
    seeds = {stream: {sample_scene(stream, i).seed for i in range(20)} for stream in STREAMS}
    assert len(set().union(*seeds.values())) == 20 * len(STREAMS)


def test_facts_are_uniform_and_named_in_the_caption():
    scenes = [sample_scene("wide", i) for i in range(2000)]
    for words, fact in ((OBJECTS, "object"), (COLOURS, "colour"), (GROUNDS, "ground")):
        counts = [sum(getattr(s, fact) == w for s in scenes) for w in words]
        assert max(counts) < 1.35 * len(scenes) / len(words)
    assert sample_scene("wide", 0).caption.split()[-1] in GROUNDS
    assert all(len(s.long_caption.split()) <= 18 for s in scenes)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_shape_has_an_inside_and_ends_before_the_frame(name):
    y, x = np.mgrid[-2:2:81j, -2:2:81j].astype(np.float32)
    inside = SHAPES[name](x, y) < 0
    assert 0.02 < inside.mean() < 0.25
    assert not inside[np.hypot(x, y) > 1.45].any()


def test_a_photograph_has_the_size_asked_for_and_its_jpeg_the_quality():
    rgb = photograph(sample_scene("heldout", 1), 80, 64)
    assert rgb.shape == (64, 80, 3)
    qualities = [decode(encode_jpeg(rgb, np.random.default_rng(i))).quality for i in range(60)]
    assert 0.6 < np.mean([q == 96 for q in qualities]) < 0.9
    assert min(qualities) >= 75


def test_the_colour_of_the_object_is_seen_at_its_place():
    scene = next(s for i in range(200) if (s := sample_scene("heldout", i)).object == "disc" and s.colour == "red")
    rgb = np.asarray(Image.fromarray(photograph(scene, 64, 64)), float)
    x, y = (int(32 + 64 * c) for c in scene.centre)
    red, green, blue = rgb[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1))
    assert red > 1.5 * max(green, blue)
