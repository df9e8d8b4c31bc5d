from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from PIL import Image

from bench.artefacts.batching import Batcher, make_chunk, noise, produce
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


@pytest.mark.parametrize(("exact", "sizes"), [(True, [4, 4, 4, 4]), (False, [4, 4, 2, 1, 2, 1])])
def test_batches_have_one_shape_and_the_rest_is_padded_or_cut_into_powers_of_two(exact, sizes):
    requests = [Request(str(i), picture(i, 32 if i % 2 else 64, 32), {}) for i in range(14)]
    engine = Negative()
    made = Batcher(engine, exact).make(partial(lambda r: r, request) for request in requests)
    assert all(len(set(batch)) == 1 for batch in engine.batches)
    assert [len(batch) for batch in engine.batches] == sizes
    assert all((decode(made[r.image_id]).rgb == 255 - r.rgb).all() for r in requests)


def job_of(tmp_path, count):
    items = []
    for number in range(count):
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture(number, 32, 32)).save(path)
        items.append(item(number, number % 2, 32, 32, path=path, image_id=image_id(picture(number, 32, 32))))
    return Job(Recipe("negative", 1, inputs={"image": SOURCE}), Slice("genimage", "sdv14", "test", tuple(items)))


@pytest.mark.parametrize(
    ("exact", "pixels", "sizes"),
    [
        (False, 0, [4] * 10),
        (True, 10**9, [64]),
        (True, 0, [4] * 10),
        (False, 3 * 4 * 4, [4] * 10),
        (False, 21 * 4 * 4, [16, 16, 8]),
        (False, 10**9, [32, 8]),
    ],
)
def test_small_images_may_fill_larger_batches(exact, pixels, sizes):
    engine = Negative()
    requests = [Request(f"{i:032x}", picture(i, 4, 4), {}) for i in range(40)]
    made = Batcher(engine, exact, pixels=pixels).make(partial(lambda r: r, request) for request in requests)
    assert (len(made), [len(batch) for batch in engine.batches]) == (40, sizes)


def test_threads_that_read_and_encode_change_nothing(tmp_path):
    job, reader = job_of(tmp_path, 30), Reader(Store(tmp_path / "store"))
    alone = produce(job, job.slice.items, Batcher(Negative()), reader)
    with ThreadPoolExecutor(3) as threads:
        assert produce(job, job.slice.items, Batcher(Negative(), threads=threads), reader) == alone
    assert list(alone) == sorted(i.image_id for i in job.slice.items)


def test_images_are_read_while_the_network_computes(tmp_path):
    """Two batches ahead, and no more: memory stays bounded."""
    read, seen = [], []

    class Watching(Negative):
        def run(self, requests, views):
            seen.append(len(read))
            return super().run(requests, views)

    def request(number):
        read.append(number)
        return Request(f"{number:032x}", picture(number, 32, 32), {})

    with ThreadPoolExecutor(1) as threads:
        Batcher(Watching(), threads=threads).make(partial(request, number) for number in range(40))
    assert len(read) == 40
    assert all(count <= 4 * (batch + 1) + 2 * 4 + 1 for batch, count in enumerate(seen))


class Small(Negative):
    """Cannot hold more than a few images at once, as on a GPU with little memory."""

    batch = 8

    def __init__(self, most):
        super().__init__()
        self.most = most

    def run(self, requests, views):
        if len(views) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().run(requests, views)


@pytest.mark.parametrize("exact", [True, False])
def test_a_batch_that_does_not_fit_is_halved_and_what_is_done_is_kept(exact):
    requests = [Request(f"{i:032x}", picture(i, 32 if i < 20 else 64, 32), {}) for i in range(30)]
    engine, notes = Small(3), []
    batcher = Batcher(engine, exact, note=notes.append)
    made = batcher.make(partial(lambda r: r, request) for request in requests)
    assert {r.image_id: (decode(made[r.image_id]).rgb == 255 - r.rgb).all() for r in requests} == {
        r.image_id: True for r in requests
    }
    assert sum(len(batch) for batch in engine.batches) == 30  # Nothing is computed twice.
    assert {len(batch) for batch in engine.batches} == {2}
    assert batcher.largest == {(32, 32, 3): 2, (32, 64, 3): 2}
    assert len(notes) == 4
    assert "8 images of 32 x 32 do not fit into memory for negative: 4 at a time" in notes


def test_an_image_that_does_not_fit_alone_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        make_chunk(Small(0), [Request(str(i), picture(i, 32, 32), {}) for i in range(4)])
