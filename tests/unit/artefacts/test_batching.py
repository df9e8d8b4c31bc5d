from collections import Counter

import numpy as np
from PIL import Image

from bench.artefacts.batching import CHUNK, chunks, make_chunk, missing_chunks, noise, produce
from bench.artefacts.engine import Engine, Request
from bench.artefacts.reader import Reader
from bench.artefacts.store import Store
from bench.data.decode import decode, image_id
from bench.recipe import SOURCE, Recipe
from bench.types import Job, Slice
from tests.conftest import item, picture


class Negative(Engine):
    """Gives the negative; records the shape of every batch."""

    name, version, payload, batch, seconds = "negative", 1, "png", 4, 0.0

    def __init__(self):
        self.batches = []

    def forwards(self, recipe):
        return 1

    def load(self, recipe, zoo, device, meter):
        pass

    def view(self, request):
        return request.rgb

    def run(self, requests, views):
        self.batches.append([view.shape for view in views])
        return [255 - view for view in views]


def test_noise_is_a_function_of_image_and_seed_alone():
    first = noise("a", 0, (4, 16, 16))
    assert (first == noise("a", 0, (4, 16, 16))).all()
    assert (first != noise("b", 0, (4, 16, 16))).any()
    assert (first != noise("a", 1, (4, 16, 16))).any()
    assert abs(float(noise("a", 0, (100, 100)).std()) - 1) < 0.02


def test_chunks_depend_on_the_images_and_not_on_their_order():
    items = [item(i, i % 2, width=32 + 32 * (i % 3)) for i in range(150)]
    there = chunks(Job(Recipe("e", 1), Slice("genimage", "sdv14", "test", tuple(items))))
    back = chunks(Job(Recipe("e", 1), Slice("genimage", "sdv14", "test", tuple(items[::-1]))))
    assert [[i.image_id for i in c] for c in there] == [[i.image_id for i in c] for c in back]
    assert [len(c) for c in there] == [CHUNK, CHUNK, 150 - 2 * CHUNK]


def test_batches_have_one_shape_and_the_last_is_padded():
    requests = [Request(str(i), picture(i, 32 if i % 3 else 64, 32), {}) for i in range(10)]
    engine = Negative()
    made = make_chunk(engine, requests)
    assert all(len(batch) == 4 and len(set(batch)) == 1 for batch in engine.batches)
    assert all((decode(made[r.image_id]).rgb == 255 - r.rgb).all() for r in requests)


def job_of(tmp_path, count):
    items = []
    for number in range(count):
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture(number, 32, 32)).save(path)
        items.append(item(number, number % 2, 32, 32, path=path, image_id=image_id(picture(number, 32, 32))))
    return Job(Recipe("negative", 1, inputs={"image": SOURCE}), Slice("genimage", "sdv14", "test", tuple(items)))


def test_a_chunk_is_produced_whole_and_what_is_missing_is_known(tmp_path):
    job, store, engine = job_of(tmp_path, CHUNK + 6), Store(tmp_path / "store"), Negative()
    assert missing_chunks(job, store, set()) == [(0, frozenset()), (1, frozenset())]
    with store.writer(job.recipe, "png") as writer:
        for chunk in chunks(job):
            writer.put(produce(job, chunk, engine, Reader(store)))
    assert Counter(len(b) for b in engine.batches) == {4: CHUNK // 4 + 2}
    assert missing_chunks(job, Store(tmp_path / "store"), set()) == []
    some = job.slice.items[3]
    got = decode(Store(tmp_path / "store").get(job.recipe, some.image_id)).rgb
    assert (np.asarray(got) == 255 - picture(3, 32, 32)).all()


def test_images_that_another_unit_makes_are_not_missing(tmp_path):
    job, claimed = job_of(tmp_path, CHUNK + 6), set()
    store = Store(tmp_path / "store")
    part = Job(job.recipe, Slice("genimage", "sdv14", "train", job.slice.items[:10]))
    mine = {item.image_id for item in part.slice.items}
    assert missing_chunks(part, store, claimed) == [(0, frozenset())]
    assert missing_chunks(part, store, claimed) == []
    found = missing_chunks(job, store, claimed)
    assert frozenset().union(*(there for _, there in found)) == mine
    assert claimed == {item.image_id for item in job.slice.items}
