"""Sections D to H of :mod:`benchmarks.gpu`: engines, identity, training, scoring, failures."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench import device as devices
from bench import discover
from bench.artefacts.batching import GPU_PIXELS, Batcher, produce
from bench.artefacts.engine import Engine, Request
from bench.artefacts.engines import adm_inversion, blip, clip_image, ddim_inversion, latent_error, sd_img2img
from bench.artefacts.engines import sd_inpaint as inpaint
from bench.artefacts.reader import Reader
from bench.artefacts.store import Store
from bench.data.decode import decode
from bench.execution import toy
from bench.models.zoo import Zoo
from bench.numerics import autocast
from bench.progress import Meter
from bench.recipe import SOURCE, Recipe
from bench.suites.suite import instantiate, load
from bench.training import network
from bench.training.loader import Views, batches
from bench.types import Job, Slice
from benchmarks.gpu_networks import Bench
from benchmarks.reconstruct import CAPTION


def _recipes(bench: Bench) -> dict[str, Recipe]:
    side = 512 // bench.scale
    steps = 4 if bench.tiny else 50
    return {
        "latent_error": latent_error.recipe(size=side // 2),
        "blip": blip.recipe(),
        "clip_image": clip_image.recipe(),
        "adm_inversion": adm_inversion.recipe(min(steps, 20), side // 2),
        "ddim_inversion": ddim_inversion.recipe(min(steps, 20), side),
        "sd_inpaint": inpaint.recipe(steps=steps, max_size=side),
        "sd_img2img": sd_img2img.recipe(blip.recipe(), steps=steps, long_side=side),
    }


def _loaded(recipe: Recipe, zoo: Zoo, device: str) -> tuple[Engine, Recipe]:
    resolved = zoo.resolve(recipe.bind(SOURCE))
    engine = discover.engine(recipe.engine)()
    engine.load(resolved, zoo, device, Meter())
    return engine, resolved


def _batcher(bench: Bench, engine: Engine, zoo: Zoo, threads: Any = None) -> Batcher:  # noqa: ANN401 - an executor
    half = zoo.numerics.half if engine.half else ""
    return Batcher(
        engine, zoo.numerics.exact, threads, context=partial(autocast, bench.device, half), pixels=GPU_PIXELS
    )


def engines(bench: Bench) -> dict[str, Any]:
    """Section D: networks are not compiled, as in a short job; ``first`` includes what only the first batches cost."""
    zoo, results = bench.zoo(), {}
    devices.pin(zoo.numerics.precision, zoo.numerics.exact, bench.device)
    count = 2 if bench.tiny else 32
    items = bench.items(2 * count, shapes=1)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for name, recipe in _recipes(bench).items():
            if bench.late():
                break
            engine, resolved = _loaded(recipe, zoo, bench.device)
            job, store = Job(resolved, Slice("genimage", "sdv14", "test", tuple(items))), Store(bench.root / name)
            caption = resolved.inputs.get("caption")
            if isinstance(caption, Recipe):
                with store.writer(caption, "txt") as writer:
                    writer.put({item.image_id: CAPTION.encode() for item in items})
            batcher = _batcher(bench, engine, zoo, threads)
            rates = {}
            with store.writer(resolved, engine.payload) as writer:
                for half, part in (("first", items[:count]), ("second", items[count:])):
                    started = time.perf_counter()
                    writer.put(produce(job, part, batcher, Reader(store)))
                    rates[f"{half}_images_per_s"] = count / (time.perf_counter() - started)
            results[name] = {**rates, "peak_gib": bench.peak_gib()}
            print(name, json.dumps(results[name]), flush=True)
            del engine, batcher
            bench.clear()
    return results


def _made(
    bench: Bench, recipe: Recipe, zoo: Zoo, numbers: Sequence[int], batch: int = 0
) -> dict[str, NDArray[np.int16]]:
    engine, _ = _loaded(recipe, zoo, bench.device)
    engine.batch = batch or engine.batch  # type: ignore[misc]
    side = 512 // bench.scale
    made = {}
    requests = []
    for number in numbers:
        rgb = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
        requests.append(partial(Request, f"{number:032x}", rgb, {"caption": CAPTION}))
    for name, data in _batcher(bench, engine, zoo).make(requests).items():
        made[name] = decode(data).rgb.astype(np.int16)
    return made


def identity(bench: Bench) -> dict[str, Any]:
    """Section E."""
    recipe, results = _recipes(bench)["sd_img2img"], {}
    numbers = list(range(4))
    one = _made(bench, recipe, bench.zoo(), numbers)
    cases = {
        "again": (bench.zoo(), numbers, 0),
        "other_neighbours": (bench.zoo(), [2, 3, 8, 9], 0),
        "another_batch": (bench.zoo(), numbers, 2),
        "fixed_batches": (bench.zoo(exact=True), numbers, 0),
        "fp32": (bench.zoo("fp32"), numbers, 0),
        "fp16": (bench.zoo("fp16"), numbers, 0),
    }
    for name, (zoo, some, batch) in cases.items():
        if bench.late():
            break
        devices.pin(zoo.numerics.precision, zoo.numerics.exact, bench.device)
        other = _made(bench, recipe, zoo, some, batch)
        levels = [np.abs(one[key] - other[key]) for key in one.keys() & other.keys()]
        results[name] = {
            "largest": int(max(d.max() for d in levels)),
            "mean": float(np.mean([d.mean() for d in levels])),
        }
    devices.pin()
    return {"levels_of_difference_from_bf16": results}


def _suite_method(bench: Bench, name: str) -> Any:  # noqa: ANN401 - a detector of any kind
    suite = load("mini" if bench.tiny else "paper")
    return instantiate(suite, name, "", discover.method(name))


def training(bench: Bench) -> dict[str, Any]:
    """Section F."""
    results, zoo = {}, bench.zoo()
    for name, size in (("univfd", 256), ("lare2", 48), ("drct_sare", 512)):
        if bench.late():
            break
        devices.pin(zoo.numerics.precision, zoo.numerics.exact, bench.device)
        method = _suite_method(bench, name)
        weights = {role: zoo.folder(role) for role in method.roles()}
        workers = 0 if bench.tiny else min(16, os.cpu_count() or 1)
        runtime = replace(toy.runtime(), device=bench.device, half=zoo.numerics.half, workers=workers)
        fit = network.Training(method, weights, 0, bench.root / f"fit-{name}", runtime)
        refs = toy.toy_references(
            method, 0, 4 * min(size, 8 if bench.tiny else size), "train", 64 if bench.tiny else 500
        )
        views = Views(method, refs, runtime.reader, "train")
        results[name] = _trained(bench, fit, batches(views, range(len(refs)), len(refs) // 4, runtime))
        del fit
        bench.clear()
    devices.pin()
    return results


def _trained(bench: Bench, fit: network.Training, loaded: Any) -> dict[str, float]:  # noqa: ANN401 - an iterator
    started = time.perf_counter()
    first = next(loaded)
    waited = time.perf_counter() - started
    bench.seconds(partial(fit.step.take, first, len(first["label"])), 1)
    trained, started = 0, time.perf_counter()
    for batch in loaded:
        fit.step.take(batch, len(batch["label"]))
        trained += len(batch["label"])
    bench.wait()
    rest = time.perf_counter() - started
    timed = bench.seconds(partial(fit.step.take, first, len(first["label"])))
    return {
        "images_per_s_from_memory": len(first["label"]) / timed["median"],
        "images_per_s_from_loader": trained / rest,
        "seconds_to_first_batch": waited,
        "peak_gib": bench.peak_gib(),
    }


def scoring(bench: Bench) -> dict[str, Any]:
    """Section G."""
    zoo, results = bench.zoo(), {}
    side = 512 // bench.scale
    for recipe in (clip_image.recipe(), blip.recipe()):
        for batch in (2,) if bench.tiny else (32, 256):
            if bench.late():
                break
            engine, _ = _loaded(recipe, zoo, bench.device)
            requests = [Request(f"{i:032x}", np.full((side, side, 3), i % 256, np.uint8), {}) for i in range(batch)]
            views = [engine.view(request) for request in requests]

            def work(engine: Engine = engine, requests: Any = requests, views: Any = views) -> None:  # noqa: ANN401
                with autocast(bench.device, zoo.numerics.half):
                    engine.run(requests, views)

            results[f"{recipe.engine}_{batch}_per_s"] = batch / bench.seconds(work)["median"]
    return results


def failure(bench: Bench) -> dict[str, Any]:
    """Section H."""
    zoo = bench.zoo()
    engine, _ = _loaded(_recipes(bench)["latent_error"], zoo, bench.device)
    run, failed = engine.run, []

    def scarce(requests: Sequence[Request], views: Sequence[Any]) -> Sequence[Any]:
        if len(requests) > 2:
            failed.append(len(requests))
            raise torch.OutOfMemoryError("injected")
        return run(requests, views)

    engine.run = scarce  # type: ignore[method-assign]
    side = 512 // bench.scale
    requests = [Request(f"{i:032x}", np.full((side, side, 3), i, np.uint8), {}) for i in range(20)]
    made = _batcher(bench, engine, zoo).make(partial(_same, request) for request in requests)
    return {"wanted": len(requests), "made": len(made), "batches_that_failed": failed}


def _same(request: Request) -> Request:
    return request
