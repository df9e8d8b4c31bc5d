import itertools
from collections import Counter

import pytest

from bench.artefacts.engines import blip, lpips, sd_img2img, sd_inpaint
from bench.artefacts.store import Store
from bench.operations import Operation
from bench.planning.chunks import CHUNK, chunks, missing_chunks
from bench.recipe import SOURCE, Recipe
from bench.types import Job, Slice
from tests.conftest import item

IMG2IMG = sd_img2img.recipe(blip.recipe()).bind(SOURCE)


def job_of(recipe, items, **changes):
    return Job(recipe, Slice("genimage", "sdv14", "test", tuple(items), **changes))


@pytest.mark.parametrize("recipe", [IMG2IMG, blip.recipe().bind(SOURCE), Recipe("aligned", 1)], ids=str)
def test_chunks_depend_on_the_images_and_not_on_their_order(recipe):
    items = [item(i, i % 2, width=32 + 32 * (i % 3)) for i in range(150)]
    there, back = chunks(job_of(recipe, items)), chunks(job_of(recipe, items[::-1]))
    assert [[i.image_id for i in c] for c in there] == [[i.image_id for i in c] for c in back]
    assert sorted(i.image_id for chunk in there for i in chunk) == sorted(i.image_id for i in items)
    assert max(len(chunk) for chunk in there) <= CHUNK


def incomplete(job, batch, shape):
    """Images beyond the full batches, if every chunk is run by itself."""
    left = 0
    for chunk in chunks(job):
        left += sum(count % batch for count in Counter(shape(i) for i in chunk).values())
    return left


def test_images_whose_views_have_one_shape_share_batches():
    """At 512 px on the longer side, three sizes of file have one shape, and chunks end where batches do."""
    sizes = [(500, 375), (1000, 750), (2000, 1500), (375, 500)]
    items = [item(i, 0, *sizes[i % 4]) for i in range(200)]
    job = job_of(IMG2IMG, items)
    flat = [i for chunk in chunks(job) for i in chunk]
    upright = [i.height > i.width for i in flat]
    assert upright == sorted(upright)
    assert incomplete(job, 16, lambda i: i.height > i.width) == 150 % 16 + 50 % 16


@pytest.mark.parametrize(
    ("recipe", "alike", "different"),
    [
        (sd_inpaint.recipe(), [(500, 375), (497, 369)], (500, 385)),
        (sd_inpaint.recipe(), [(2000, 1500), (1024, 1024)], (1000, 1024)),
        (sd_img2img.recipe(None, image=sd_inpaint.recipe()), [(2000, 1500), (300, 300)], (1024, 500)),
        (lpips.recipe(IMG2IMG), [(500, 375), (2000, 1500)], (375, 500)),
    ],
)
def test_shapes_are_known_before_an_image_is_read(recipe, alike, different):
    items = [item(i, 0, *size) for i, size in enumerate([*alike, different] * 30)]
    flat = [i for chunk in chunks(job_of(recipe.bind(SOURCE), items)) for i in chunk]
    kinds = [(i.width, i.height) == different for i in flat]
    assert sum(a != b for a, b in itertools.pairwise(kinds)) == 1


def test_under_a_protocol_all_windows_have_one_shape():
    items = [item(i, 0, 100 + i, 200 - i) for i in range(50)]
    operations = {i.row_id: Operation(0, 0, 64) for i in items}
    window = Recipe("aligned", 1, {"size": 64}, inputs={"image": SOURCE})
    job = job_of(IMG2IMG.bind(window), items, protocol="aligned", image=window, operations=operations)
    assert [len(chunk) for chunk in chunks(job)] == [50]


def test_images_that_another_unit_makes_are_not_missing(tmp_path):
    recipe, items = blip.recipe().bind(SOURCE), [item(i, i % 2) for i in range(CHUNK + 6)]
    job, part, claimed = job_of(recipe, items), job_of(recipe, items[:10]), set()
    store = Store(tmp_path)
    assert missing_chunks(chunks(part), recipe, store, claimed) == [(0, frozenset())]
    assert missing_chunks(chunks(part), recipe, store, claimed) == []
    found = missing_chunks(chunks(job), recipe, store, claimed)
    assert frozenset().union(*(there for _, there in found)) == {i.image_id for i in items[:10]}
    assert claimed == {i.image_id for i in items}
    with store.writer(recipe, "txt") as writer:
        writer.put({i.image_id: b"a" for i in items})
    assert missing_chunks(chunks(job), recipe, Store(tmp_path), set()) == []
