import json

import pytest

from bench import discover
from bench.data import splits
from bench.data.classes import FILES, NAMES, Classes
from bench.errors import UserError
from bench.miniature.unpack import unpack
from bench.progress import Progress
from tests.conftest import make_genimage
from tools.miniature.scenes import class_words, sample_scene, scene_class


def test_class_names_come_from_the_file_name_or_the_tables(tmp_path):
    (tmp_path / FILES).write_text(json.dumps({"ILSVRC2012_val_00000007.JPEG": "n00000003"}))
    (tmp_path / NAMES).write_text(json.dumps({"3": "red disc", "n00000003": "red disc"}))
    classes = Classes.beside(tmp_path)
    assert classes.shown("003", "003_sdv4_00001.png") == "red disc"
    assert classes.shown("", "val/ILSVRC2012_val_00000007.JPEG") == "red disc"
    assert classes.shown("", "ILSVRC2012_val_00000008.JPEG") == ""
    assert classes.shown("cat", "x.png") == "cat"


def test_a_table_of_numbers_leaves_synsets_unknown(tmp_path):
    """LaRE's own ``idx_to_clsname.json`` has the numbers that fakes have, and not the synsets that reals have."""
    (tmp_path / NAMES).write_text(json.dumps({"0": "tench, Tinca tinca"}))
    classes = Classes.beside(tmp_path)
    assert classes.shown("000", "000_sdv4_00001.png") == "tench, Tinca tinca"
    assert classes.shown("n01440764", "n01440764_1.JPEG") == ""


def test_a_path_relative_to_the_dataset_takes_precedence_over_a_file_name(tmp_path):
    (tmp_path / FILES).write_text(json.dumps({"crn/0_real/x.png": "a street", "x.png": "a cat"}))
    classes = Classes.beside(tmp_path)
    assert classes.shown("", "crn/0_real/x.png") == "a street"
    assert classes.shown("", "san/0_real/x.png") == "a cat"


def test_without_tables_the_file_name_alone_decides(tmp_path):
    classes = Classes.beside(tmp_path)
    assert classes.shown("007", "007_sdv4_00001.png") == "7"
    assert classes.shown("", "x.png") == ""


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}'])
def test_a_broken_table_says_what_it_should_be(tmp_path, text):
    (tmp_path / FILES).write_text(text)
    with pytest.raises(UserError, match=FILES):
        Classes.beside(tmp_path)


def test_class_words_are_numbered_as_scenes_are():
    for index in range(50):
        scene = sample_scene("detectors", 1, 0, 0, index)
        assert class_words()[scene_class(scene)] in scene.caption


def test_every_image_of_the_embedded_genimage_has_its_class(tmp_path):
    root = unpack(tmp_path, Progress()) / "genimage"
    dataset = discover.dataset("genimage")
    folders = dataset.find(root)["sdv14"]
    pools = [splits.pool(dataset, root, folders, s) for s in ("train", "test")]
    found = [item for pool in pools for item in pool.items]
    assert {item.class_name for item in found} <= set(class_words())
    photograph = next(item for item in found if item.path.name == "ILSVRC2012_val_00010004.JPEG")
    assert photograph.class_name in sample_scene("detectors", 1, 1, 0, 4).caption


def test_photographs_of_the_real_one_need_the_table(tmp_path):
    root = make_genimage(tmp_path / "data", count=2)
    home = root / "stable_diffusion_v_1_4" / "imagenet_ai_0419_sdv4" / "val" / "nature"
    first, second = sorted(home.iterdir())
    first.rename(home / "ILSVRC2012_val_00000001.JPEG")
    second.rename(home / "ILSVRC2012_val_00000002.JPEG")
    (root / FILES).write_text(json.dumps({"ILSVRC2012_val_00000001.JPEG": "n01440764"}))
    dataset = discover.dataset("genimage")
    found = splits.pool(dataset, root, dataset.find(root)["sdv14"], "test").items
    class_names = {item.path.name: item.class_name for item in found if item.label == 0}
    assert class_names == {"ILSVRC2012_val_00000001.JPEG": "n01440764", "ILSVRC2012_val_00000002.JPEG": ""}
