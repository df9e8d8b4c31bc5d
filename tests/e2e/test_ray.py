"""The main job on Ray: the numbers of one process, also if a node or the driver dies on the way."""

import json

import pytest

from tests.e2e.conftest import Call, bench, wait_for

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")


pytestmark = pytest.mark.slow

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
    return Call("run", *METHODS, "--executor", "ray", *words, *world.options(name))


def has_records(world, name):
    return lambda: list((world.root / name / "store" / "artefacts").glob("*/shard-*.idx*"))


def test_a_node_that_is_lost_changes_no_number_and_what_it_did_is_begun_again(world, alone, cluster):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    run = begin(world, "lost-node", "--ray-address", cluster.address)
    wait_for(has_records(world, "lost-node"))
    cluster.remove_node(nodes[0], allow_graceful=False)
    done = run.finish(timeout=600)
    assert done.returncode == 0, done.stderr
    assert world.rows("lost-node") == alone
    told = json.loads((world.root / "lost-node" / "results" / "run.json").read_text())
    once = json.loads((world.root / "without-ray" / "results" / "run.json").read_text())
    # The node may have been between two units; then there is nothing to begin again.
    assert told["units_retried"] == done.stderr.count("retrying")
    assert f"begun again after a death: {told['units_retried']}" in done.stdout or not told["units_retried"]
    assert told["fits_trained"] == once["fits_trained"]


def test_a_killed_driver_continues_from_the_store(world, alone, cluster):
    run = begin(world, "killed-driver", "--ray-address", cluster.address)
    wait_for(has_records(world, "killed-driver"))
    run.kill()
    run.finish()
    again = begin(world, "killed-driver", "--processes", "1").finish(timeout=600)  # Ray started for this run.
    assert again.returncode == 0, again.stderr
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
