from dataclasses import replace

import pytest

from bench.errors import UserError
from bench.planning.matrix import detectors
from bench.planning.shards import Shard, part_of_fits, part_of_images, read
from tests.unit.planning.test_matrix import plan, request


def resolve(need):
    return need.resolve({role: f"hash of {role}" for role in need.roles()})


def test_a_shard_is_part_i_of_n():
    assert read("1/8") == Shard(1, 8)
    assert [Shard(2, 3).has(number) for number in range(5)] == [False, True, False, False, True]


@pytest.mark.parametrize("text", ["0/8", "9/8", "8", "a/b", "1/0", "-1/3"])
def test_what_is_no_part_is_told(text):
    with pytest.raises(UserError, match="is not a part"):
        read(text)


def test_images_are_dealt_out_whole_and_each_once():
    made = plan()
    parts = [part_of_images(made, Shard(index, 3)) for index in (1, 2, 3)]
    dealt = [{(job.recipe.key, item.image_id) for job in part.jobs for item in job.slice.usable} for part in parts]
    whole = {(job.recipe.key, item.image_id) for job in made.jobs for item in job.slice.usable}
    assert set().union(*dealt) == whole
    assert sum(map(len, dealt)) == len(whole)
    images = [{image for _, image in pairs} for pairs in dealt]
    assert not images[0] & images[1]
    assert not images[1] & images[2]


def test_fits_are_dealt_out_with_everything_that_they_need():
    made = plan()
    methods = detectors(request())
    parts = [part_of_fits(made, Shard(index, 2), methods, resolve) for index in (1, 2)]
    assert sorted(f.key for part in parts for f in part.fits) == sorted(f.key for f in made.fits)
    assert sorted(c.key for part in parts for c in part.cells) == sorted(c.key for c in made.cells)
    for part in parts:
        here = {job.recipe.key for job in part.jobs}
        assert all(set(fit.recipes) <= here for fit in part.fits)
    alone = part_of_fits(replace(made, fits=()), Shard(1, 1), methods, resolve)
    assert alone.jobs == ()
    everything = part_of_fits(made, Shard(1, 1), methods, resolve)
    assert {(j.recipe.key, j.slice.key) for j in everything.jobs} == {(j.recipe.key, j.slice.key) for j in made.jobs}
