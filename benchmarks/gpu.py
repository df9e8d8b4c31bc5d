"""Measure one GPU in at most eight minutes: matrix products, networks, engines, training, scoring, failures.

    python -m benchmarks.gpu [--sections ABC] [--seconds N] [--out FILE.json] [--tiny]

Weights are random and of the real sizes. Every section has a deadline and its result is written as soon as it is done,
so that a run that is cut off keeps what it has. `mfu`: operations over time, divided by the rate of a large matrix
product in the same precision, measured in section A. `--tiny`: the miniature's sizes, on a CPU if there is no GPU, to
see that the script works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import device as devices
from benchmarks import gpu_engines, gpu_networks

#: Letter → what it measures, its share of the time, and the function.
SECTIONS: dict[str, tuple[str, float, Callable[[gpu_networks.Bench], dict[str, Any]]]] = {
    "A": ("matrix products, and decoding of images by the host", 0.08, gpu_networks.products),
    "B": ("UNet: precision, shapes, batches, compilation", 0.25, gpu_networks.unet),
    "C": ("VAE, and a decode that does not fit", 0.12, gpu_networks.vae),
    "D": ("one chunk of every engine, from files into the store", 0.2, gpu_engines.engines),
    "E": ("are results the same twice, with other neighbours, in other precisions", 0.1, gpu_engines.identity),
    "F": ("training: images per second from memory and from the loader", 0.15, gpu_engines.training),
    "G": ("scoring by CLIP ViT-L/14, captions by BLIP", 0.06, gpu_engines.scoring),
    "H": ("an injected lack of memory", 0.04, gpu_engines.failure),
}


def main() -> None:
    """Run the sections, writing after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default="".join(SECTIONS), help="which sections run")
    parser.add_argument("--seconds", type=float, default=460.0, help="time for all sections")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), metavar="FILE", help="where results are written")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="where random weights are kept for another run")
    parser.add_argument("--tiny", action="store_true", help="the miniature's sizes")
    arguments = parser.parse_args()
    device = devices.pick("auto" if arguments.tiny else "cuda")
    devices.pin()
    document: dict[str, Any] = {"device": devices.describe(device), "tiny": arguments.tiny}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        bench = gpu_networks.Bench(Path(home), device, arguments.tiny, arguments.weights)
        wanted = [letter for letter in SECTIONS if letter in arguments.sections.upper()]
        shares = sum(SECTIONS[letter][1] for letter in wanted)
        for letter in wanted:
            title, share, measure = SECTIONS[letter]
            left = begun + arguments.seconds - time.monotonic()
            bench.deadline = time.monotonic() + max(0.0, left) * share / shares
            shares -= share
            started = time.monotonic()
            print(f"{letter}: {title} …", flush=True)
            try:
                result = measure(bench)
            except Exception as error:  # noqa: BLE001 - the other sections are worth having
                result = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            bench.clear()
            document[letter] = {"title": title, "seconds": round(time.monotonic() - started, 1), **result}
            arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(document[letter], indent=1), flush=True)
    print(f"{time.monotonic() - begun:.0f} s; {arguments.out}")


if __name__ == "__main__":
    main()
