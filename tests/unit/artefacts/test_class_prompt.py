import pytest

from bench.artefacts.batching import make_chunk
from bench.artefacts.engine import Request
from bench.artefacts.engines import class_prompt
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture


def prompts(*classes, **changes):
    engine = class_prompt.ClassPrompt()
    engine.load(class_prompt.recipe(**changes), Zoo("mini"), "cpu", Meter())
    requests = [Request(f"{i:032x}", picture(i), {}, class_name) for i, class_name in enumerate(classes)]
    return [data.decode() for data in make_chunk(engine, requests).values()]


def test_imagenets_classes_are_named_by_number_and_by_synset_as_the_official_tables_name_them():
    """Numbers of luo3300612/LaRE@f8b2966:anns/idx_to_clsname.json and idx_to_folder.txt, first synonyms."""
    assert prompts("0", "n01440764", "2", "999", "n15075141") == [
        "a photo of a tench",
        "a photo of a tench",
        "a photo of a great white shark",
        "a photo of a toilet tissue",
        "a photo of a toilet tissue",
    ]


def test_a_class_name_is_used_unchanged():
    assert prompts("red disc on grass", template="a [CLS]") == ["a red disc on grass"]


@pytest.mark.parametrize("class_name", ["", "1234", "n99999999"])
def test_an_image_without_an_imagenet_class_is_an_error(class_name):
    with pytest.raises(UserError, match="no class for the prompt"):
        prompts("cat", class_name)
