"""Several processes at one run: the same numbers, and one that dies costs a second try at most."""

import json
import os
import signal
from pathlib import Path

from tests.e2e.conftest import METHODS, Call, bench, wait_for


def children(pid):
    """The worker processes of a process: those that Python's spawn has started, not its resource tracker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"spawn_main" in command:
            found.append(int(entry.name))
    return found


def begin(world, name):
    return Call("run", *METHODS, "--processes", "2", *world.options(name))


def both_workers(run):
    """The two worker processes of a run, as soon as they are there."""

    def there():
        assert run.poll() is None, run.finish().stderr
        return len(children(run.pid)) == 2 and children(run.pid)

    return wait_for(there)


def test_two_processes_give_the_numbers_of_one(world, alone):
    two = world.run(*METHODS, "--processes", "2", name="two-processes")
    assert two.returncode == 0, two.stderr
    assert world.rows("two-processes") == alone
    again = world.run(*METHODS, "--processes", "2", name="two-processes")
    assert "computed: 0 artefacts, 0 fits, 0 forwards" in again.stdout


def test_a_process_that_is_killed_costs_a_second_try_at_most(world, alone):
    run = begin(world, "killed-worker")
    workers = both_workers(run)
    wait_for(lambda: list((world.root / "killed-worker" / "store" / "artefacts").glob("*/shard-*")))
    os.kill(workers[0], signal.SIGKILL)
    done = run.finish()
    assert done.returncode == 0, done.stderr
    assert world.rows("killed-worker") == alone


def test_processes_end_with_the_one_that_started_them(world):
    run = begin(world, "orphaned-workers")
    workers = both_workers(run)
    run.kill()
    run.finish()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=20)


def test_an_interruption_is_one_line_and_leaves_no_process(world):
    run = begin(world, "interrupted-workers")
    workers = both_workers(run)
    run.kill(signal.SIGINT)
    done = run.finish(timeout=60)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in done.stderr
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=20)


def test_runs_that_share_a_store_do_everything_once_between_them(world, alone):
    words = ("run", *METHODS, "--processes", "1", "--json")
    places = [world.options("shared", world.root / "shared" / name) for name in ("one", "other")]
    runs = [Call(*words, *options) for options in places]
    done = [run.finish() for run in runs]
    assert [run.returncode for run in done] == [0, 0], done
    assert [(world.root / "shared" / name / "rows.csv").read_bytes() for name in ("one", "other")] == [alone, alone]
    made = [json.loads(run.stdout) for run in done]
    once = json.loads((world.root / "one-process" / "results" / "run.json").read_text())
    for name in ("artefacts_made", "fits_trained"):
        assert sum(run[name] for run in made) == once[name] > 0
    left = [path for kind in ("*.lock", "*.part") for path in (world.root / "shared" / "store").rglob(kind)]
    assert left == []


def test_a_wrong_number_of_processes_is_told(world):
    done = bench("plan", "--processes", "0", *world.options())
    assert done.returncode == 2
    assert "--processes 0 is too small." in done.stderr


def test_parts_of_a_run_share_the_work_and_the_whole_computes_nothing_more(world, alone):
    """As a job array: every part makes its share of the images, then trains its share of the fits."""
    for verb in ("prepare", "run"):
        words = (verb, *METHODS, "--processes", "1", "--json", *world.options("parts"))
        runs = [Call(*words, "--shard", f"{part}/2") for part in (1, 2)]
        done = [run.finish() for run in runs]
        assert [run.returncode for run in done] == [0, 0], done
        made = [json.loads(run.stdout) for run in done]
        assert all(part["artefacts_made"] > 0 for part in made) == (verb == "prepare")
    assert sum(part["fits"] for part in made) == sum(part["fits_trained"] for part in made) == 6
    whole = world.run(*METHODS, "--processes", "1", name="parts")
    assert "computed: 0 artefacts, 0 fits, 0 forwards" in whole.stdout
    assert world.rows("parts") == alone
    assert bench("run", "--shard", "3/2", *world.options("parts")).returncode == 2
