"""The main job on Ray: the numbers of one process, also if a node or the driver dies on the way."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import bench, wait_for

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")


METHODS = ("--methods", "dire", "--protocols", "raw")


@pytest.fixture(scope="module")
def alone(world):
    """The rows of one process."""
    done = world.run(*METHODS, "--processes", "1", name="without-ray")
    assert done.returncode == 0, done.stderr
    return world.rows("without-ray")


@pytest.fixture(scope="module")
def cluster():
    """A simulated cluster of three nodes with one core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


def begin(world, name, *words):
    command = [sys.executable, "run_bench.py", "run", *METHODS, "--executor", "ray", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *map(str, world.options(name))], cwd=ROOT, text=True, **pipes)


def has_records(world, name):
    return lambda: list((world.root / name / "store" / "artefacts").glob("*/shard-*.idx*"))


def test_a_node_that_is_lost_changes_no_number_and_what_it_did_is_begun_again(world, alone, cluster):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    run = begin(world, "lost-node", "--ray-address", cluster.address)
    wait_for(has_records(world, "lost-node"))
    cluster.remove_node(nodes[0], allow_graceful=False)
    out, stderr = run.communicate(timeout=600)
    assert run.returncode == 0, stderr
    assert world.rows("lost-node") == alone
    told = json.loads((world.root / "lost-node" / "results" / "run.json").read_text())
    once = json.loads((world.root / "without-ray" / "results" / "run.json").read_text())
    # The node may have been between two units; then there is nothing to begin again.
    assert told["units_retried"] == stderr.count("retrying")
    assert f"begun again after a death: {told['units_retried']}" in out or not told["units_retried"]
    assert told["fits_trained"] == once["fits_trained"]


def test_a_killed_driver_continues_from_the_store(world, alone, cluster):
    run = begin(world, "killed-driver", "--ray-address", cluster.address)
    wait_for(has_records(world, "killed-driver"))
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    again = begin(world, "killed-driver", "--processes", "2")  # Ray on this machine, started for this run.
    _, stderr = again.communicate(timeout=600)
    assert again.returncode == 0, stderr
    assert world.rows("killed-driver") == alone


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--executor", "slurm"), "no executor 'slurm'"),
        (("--ray-address", "auto"), "--ray-address needs --executor ray"),
        (("--executor", "ray", "--ray-address", "127.0.0.1:1"), "no Ray cluster"),
    ],
)
def test_an_executor_that_cannot_be_used_is_told(world, words, told):
    done = bench("run", *METHODS, *words, *world.options("no-cluster"))
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
