"""Pairs of a gallery: one class, the same images under every protocol."""

from dataclasses import replace

from bench.planning.pairs import choose, picked, same_class
from bench.types import Slice
from tests.conftest import item


def members(classes, start=0):
    """One image for each (label, class)."""
    return [item(start + number, label, class_name=name) for number, (label, name) in enumerate(classes)]


def test_photograph_and_fake_have_one_class_and_no_class_comes_twice():
    items = members([(0, "cat"), (0, "dog"), (0, "dog"), (0, "owl"), (1, "dog"), (1, "cat"), (1, "dog"), (1, "emu")])
    chosen = choose(items, 2)
    assert [i.label for i in chosen] == [0, 1, 0, 1]
    assert [a.class_name for a in chosen[::2]] == [b.class_name for b in chosen[1::2]]
    assert {i.class_name for i in chosen} == {"cat", "dog"}
    assert choose(items[::-1], 2) == chosen


def test_without_shared_classes_pairs_are_of_any_class():
    items = members([(0, ""), (0, "owl"), (1, "emu"), (1, "")])
    chosen = choose(items, 3)
    assert [i.label for i in chosen] == [0, 1, 0, 1]
    assert len({i.row_id for i in chosen}) == 4


def test_synsets_of_photographs_are_the_numbers_of_fakes():
    assert same_class("n01440764") == same_class("000") == "0"
    assert same_class("n02085620") == same_class("151") == "151"
    assert same_class("red disc") == "red disc"
    a, b = members([(0, "n02085620"), (1, "151")])
    assert choose([a, b, *members([(1, "7")], 5)], 1) == [a, b]


def test_the_same_images_are_shown_under_every_protocol():
    raw = Slice("genimage", "sdv14", "test", tuple(members([(0, "a"), (0, "b"), (1, "a"), (1, "b")])))
    other = replace(raw, protocol="aligned", items=tuple(i for i in raw.items if i.class_name == "b"), left_out=2)
    parts = picked({"raw": raw, "aligned": other, "third": "no size"}, 1)
    assert [i.class_name for i in parts["raw"].items] == ["b", "b"]
    assert [i.row_id for i in parts["raw"].items] == [i.row_id for i in parts["aligned"].items]
    assert parts["third"] == "no size"
    assert picked({"raw": "no image"}, 1) == {"raw": "no image"}
