import pytest

from bench.errors import UserError, unknown
from bench.recipe import IMAGE, SOURCE, Recipe, content_key


def recipe(**changes):
    return Recipe(**{"engine": "e", "version": 1, "params": {"steps": 10}, "weights": {"sdv1": "abc"}} | changes)


@pytest.mark.parametrize(
    "changes",
    [{"engine": "f"}, {"version": 2}, {"params": {"steps": 11}}, {"weights": {"sdv1": "abd"}}, {"seed": 1}],
)
def test_every_field_changes_the_key(changes):
    assert recipe(**changes).key != recipe().key


def test_an_input_recipe_changes_the_key_and_order_of_names_does_not():
    inner = recipe(params={"steps": 3})
    assert recipe(inputs={"image": inner}).key != recipe().key
    assert recipe(params={"a": 1, "b": 2}).key == recipe(params={"b": 2, "a": 1}).key


def test_bind_reaches_inputs_of_inputs():
    caption = Recipe("caption", 1)
    outer = Recipe("img2img", 1, inputs={"image": IMAGE, "caption": caption})
    bound = outer.bind(SOURCE)
    assert bound.inputs["image"] == SOURCE
    assert bound.inputs["caption"].inputs["image"] == SOURCE


def test_closure_puts_what_a_recipe_stands_on_first():
    first = Recipe("aligned", 1, inputs={"image": SOURCE})
    second = Recipe("caption", 1, inputs={"image": first})
    third = Recipe("img2img", 1, inputs={"image": first, "caption": second})
    assert [r.engine for r in third.closure()] == ["aligned", "caption", "img2img"]


def test_resolve_fills_hashes_everywhere():
    inner = Recipe("caption", 1, weights={"blip": ""})
    outer = Recipe("img2img", 1, weights={"sdv1": ""}, inputs={"image": IMAGE, "caption": inner})
    resolved = outer.resolve({"sdv1": "s", "blip": "b"})
    assert resolved.weights == {"sdv1": "s"}
    assert resolved.inputs["caption"].weights == {"blip": "b"}
    assert outer.roles() == {"sdv1", "blip"}


def test_content_key_is_stable():
    assert content_key({"a": [1, "x"]}) == "5e49f471d8b615a8ae0ecf0a53dbe2f5"
    with pytest.raises(ValueError, match="Out of range"):
        content_key(float("nan"))


def test_unknown_names_the_nearest_and_lists_all():
    error = unknown("method", "grammnet", ["gramnet", "dire"])
    assert isinstance(error, UserError)
    assert error.exit_code == 2
    assert "'grammnet'" in error.problem
    assert error.context == "Known: dire, gramnet."
    assert "Did you mean 'gramnet'?" in error.fix
