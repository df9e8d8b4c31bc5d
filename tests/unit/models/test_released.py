"""The table of released weights: every entry is of a method, and says where to go."""

import pytest

from bench.errors import UserError
from bench.models.catalogue import MODELS
from bench.models.released import RELEASED, ReleasedFile, defaults, released_file
from bench.planning.request import choose_methods, roles_of
from bench.progress import Progress
from bench.suites import suite as suites

PAPER = suites.load("mini").model_copy(update={"methods": {}})


@pytest.mark.parametrize("file", RELEASED.values(), ids=list(RELEASED))
def test_every_entry_is_of_a_method_and_its_companions_are_models_that_it_uses(file):
    (chosen,) = choose_methods(file.method, PAPER)
    assert set(file.companions) <= roles_of(chosen, released=True) & set(MODELS)
    assert all(MODELS[role].one_file or role.startswith("clip") for role in file.companions)
    assert file.page.startswith("https://")
    assert file.downloadable == (file.where != file.page)


def test_the_first_entry_of_a_method_is_its_default():
    assert defaults()["dire[adm]"] == released_file("dire[adm]") == RELEASED["dire_adm"]
    assert released_file("dire[adm]", "dire_pndm") == RELEASED["dire_pndm"]
    with pytest.raises(UserError, match="Did you mean 'dire_pndm'"):
        released_file("dire[adm]", "dire_pmdm")
    with pytest.raises(UserError, match="No released weights are known of lare2"):
        released_file("lare2")
    with pytest.raises(UserError, match=r"dire_adm is a file of dire\[adm\], not of dire") as caught:
        released_file("dire", "dire_adm")
    assert "'dire[adm]=hub:dire_adm'" in caught.value.fix


def test_what_a_program_cannot_download_names_its_page_and_the_option():
    with pytest.raises(UserError) as caught:
        RELEASED["drct"].get(Progress())
    assert "modelscope.cn/datasets/BokingChen/DRCT-2M" in caught.value.context
    assert caught.value.fix.endswith("--checkpoint 'drct=FILE'.")
    with pytest.raises(UserError) as caught:
        RELEASED["gramnet"].get(Progress())
    assert "'gramnet[aigc]=hub'" in caught.value.fix


def test_an_entry_is_on_the_hub_or_at_an_address():
    wrong = {"name": "x", "method": "cnnspot", "trained_on": "", "page": "p", "size": "", "licence": ""}
    for places in ({"hub": "a/b"}, {"file": "x.pth"}, {"hub": "a/b", "file": "x", "url": "u"}):
        with pytest.raises(ValueError, match="hub with file, url or neither"):
            ReleasedFile(**wrong, **places)
