"""Writers that die at random moments, and two writers of one recipe."""

import multiprocessing
import os
import random
import signal
import time

from bench.artefacts import store as stores
from bench.artefacts.store import Store
from bench.recipe import SOURCE, Recipe, content_key

RECIPE = Recipe("ddim_inversion", 1, {"steps": 2}, inputs={"image": SOURCE})
KILLS = 200
NAMES = sorted(content_key([number]) for number in range(4000))


def content(name):
    return name.encode() * (1 + int(name, 16) % 40)


def write(root, told):
    """Put chunks of missing records for ever, telling which are finished; small shards are sealed on the way."""
    stores.SHARD_BYTES = 100_000
    store, rng = Store(root), random.Random(os.getpid())
    with store.writer(RECIPE, "png") as writer:
        while True:
            part = rng.sample(NAMES, 8)
            writer.put({name: content(name) for name in part})
            told.send(part)


def test_two_hundred_kills_lose_no_finished_record(tmp_path):
    """What a writer has finished, a reader finds, whatever a later one was killed at."""
    context, rng, finished = multiprocessing.get_context("fork"), random.Random(0), set()
    for _ in range(KILLS):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=write, args=(tmp_path, sending))
        process.start()
        sending.close()
        time.sleep(rng.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while receiving.poll():
            try:
                finished |= set(receiving.recv())
            except EOFError:
                break
    assert len(finished) > 200
    store = Store(tmp_path)
    assert store.missing(RECIPE, finished) == []
    assert all(store.get(RECIPE, name) == content(name) for name in finished)
    there = {name for name, _ in store.index(RECIPE.key).records()}
    assert all(store.get(RECIPE, name) == content(name) for name in there)


def fill(root, names):
    store = Store(root)
    with store.writer(RECIPE, "png") as writer:
        for start in range(0, len(names), 10):
            part = names[start : start + 10]
            writer.put({name: content(name) for name in store.missing(RECIPE, part, refresh=True)})


def test_two_processes_that_fill_one_recipe_end_with_one_whole_set(tmp_path):
    context, names = multiprocessing.get_context("fork"), NAMES[:1000]
    both = [context.Process(target=fill, args=(tmp_path, order)) for order in (names, names[::-1])]
    for process in both:
        process.start()
    for process in both:
        process.join()
    store = Store(tmp_path)
    assert [name for name, _ in store.index(RECIPE.key).records()] == names
    assert all(store.get(RECIPE, name) == content(name) for name in names)
