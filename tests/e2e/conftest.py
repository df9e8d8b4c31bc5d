"""The command line as a user calls it: a subprocess, a folder of images, a suite small enough to train in seconds."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT, make_genimage

SUITE = """
name = "tiny"
label = "tiny suite of the tests"
models = "mini"
data = "mini"
datasets = ["genimage"]
protocols = ["raw", "aligned"]
controls = ["permuted"]
all = ["gramnet", "dire", "container", "jpeg_quality", "image_size", "bytes_per_pixel", "hf_energy"]

[methods.gramnet]
image_size = 32
resize_from = [24, 32]
width = 16
pretrained = false
lr = 1e-3
epochs = 2
batch_size = 8

[methods.dire]
image_size = 32
load_size = 32
crop_size = 28
steps = 2
pretrained = false
stride = 8
width = 8
depths = [1, 1, 1, 1]
batch_size = 8
epochs = 3
"""


#: What runs by several processes are compared on.
METHODS = ("--methods", "gramnet,dire,hf_energy")


@cache
def zygote():
    """The process that calls are forked from; see :mod:`tests.e2e.zygote`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "tests.e2e.zygote"], cwd=ROOT, **pipes)


class Call:
    """A running call of the command line."""

    def __init__(self, *words, cwd=ROOT, script="run_bench.py"):
        self.args = [sys.executable, script, *map(str, words)]
        self._folder = tempfile.TemporaryDirectory()
        self._files = {name: str(Path(self._folder.name, name)) for name in ("stdout", "stderr")}
        self.pid = self._ask({"arguments": self.args[2:], "folder": str(cwd), "script": script, **self._files})
        self.returncode = None

    def _ask(self, request):
        server = zygote()
        print(json.dumps(request), file=server.stdin, flush=True)
        return json.loads(server.stdout.readline())

    def poll(self, seconds=0):
        """The exit code, or None if it has not ended after a number of seconds; None waits for the end."""
        if self.returncode is None:
            self.returncode = self._ask({"wait": self.pid, "seconds": seconds})
        return self.returncode

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def finish(self, timeout=None):
        """Wait for its end; returns the finished process."""
        if self.poll(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        told = {name: Path(file).read_text() for name, file in self._files.items()}
        return subprocess.CompletedProcess(self.args, self.returncode, **told)


def bench(*words, **where):
    """Call the command line; returns the finished process."""
    return Call(*words, **where).finish()


class World:
    """A folder with images and a suite, and the options that name them."""

    def __init__(self, root):
        self.root, self.data, self.suite = root, root / "data", root / "tiny.toml"
        make_genimage(self.data, count=12)
        make_genimage(self.data, "BigGAN", "imagenet_ai_0419_biggan", count=6, side=32, seed=50_000)
        self.suite.write_text(SUITE)

    def options(self, name="a", results=None):
        """Options of a run with a store and a results folder of its own."""
        home = self.root / name
        places = ("--store", home / "store", "--results", results or home / "results")
        return ("--suite", self.suite, "--data", self.data, *places, "--device", "cpu")

    def run(self, *words, name="a", verb="run"):
        """A verb on this world. Only the main job's own folder gets figures: they take seconds."""
        quick = ("--no-figures",) if verb == "run" and name != "a" else ()
        return bench(verb, *words, *quick, *self.options(name))

    def rows(self, name="a"):
        """The bytes of a run's rows."""
        return Path(self.root / name / "results" / "rows.csv").read_bytes()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """One world for all end-to-end tests."""
    return World(tmp_path_factory.mktemp("world"))


def counts(world, name="a"):
    """Forwards, fits and artefacts of the latest run."""
    run = json.loads((world.root / name / "results" / "run.json").read_text())
    return [run[k] for k in ("forwards", "fits_trained", "artefacts_made")]


@pytest.fixture(scope="session")
def first(world):
    """The main job, run once, undisturbed."""
    done = world.run()
    assert done.returncode == 0, done.stderr
    done.counts = counts(world)  # Now: any later run in the same folder writes its own.
    return done


@pytest.fixture(scope="session")
def alone(world):
    """The rows of a run of :data:`METHODS` by one process."""
    done = world.run(*METHODS, "--processes", "1", name="one-process")
    assert done.returncode == 0, done.stderr
    return world.rows("one-process")


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("It did not come to that.")
