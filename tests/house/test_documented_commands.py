"""Whatever a page tells a reader to run is run by CI or by a test: a command that nobody runs is soon broken."""

import re

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
PAGES += [ROOT / "tools" / "miniature" / "README.md"]
#: What a documented command begins with → the file that runs it, and a word of it that proves so.
RUN_BY = {
    "python -m tests.parity.table": ("tests/parity/test_table.py", "tests.parity.table"),
    "python -m tools.screenshot": ("tests/e2e/test_page.py", "tools.screenshot"),
    "make bench": (".ci/run", "main_job"),  # The same command on a smaller draw.
    "make venv": (".ci/run", "make venv"),
    "make check": (".ci/run", "make check"),
    "make submissions": (".github/workflows/submission.yml", "make submissions"),
    "make test-base": (".github/workflows/test.yml", "make test-base"),
    "make test-slow": (".ci/run", "make test-slow"),
    "make test": (".ci/run", "make test"),
    "make regress": (".ci/run", "make regress"),
    "make board": ("tests/e2e/test_documented.py", '"--suite", "board"'),
    "make world": ("tests/unit/tools/miniature", "build"),
    "make fuzz": ("tests/e2e/test_documented.py", "make fuzz"),
    "make mutants": ("tests/e2e/test_documented.py", "tools.mutants"),
    "python run_bench.py --methods all --train sdv14": (".ci/run", "run_bench.py --limit-train"),
    "python -m bench.report.publish again": ("tests/golden/test_publish.py", "measured_again"),
    "python run_bench.py verify --results results/board/mini": ("tests/house/test_board.py", "inspect.verify"),
    "python run_bench.py check --suite paper": ("tests/e2e/test_documented.py", '"check", "--suite", "paper"'),
    "python run_bench.py plan  --suite paper": ("tests/e2e/test_faults.py", '"plan", "--suite", "paper"'),
    "python run_bench.py       --suite paper": ("tests/e2e/test_faults.py", '"--suite", "paper"'),
    "python run_bench.py --methods mean_colour": ("tests/e2e/test_docs.py", "mean_colour,container"),
    "python run_bench.py --methods blur_distance": ("tests/e2e/test_docs.py", "blur_distance,container"),
    "python run_bench.py --methods dire --data DIR --train flux_dev": (
        "tests/e2e/test_docs.py",
        '"--train", "flux_dev"',
    ),
    "python run_bench.py --methods dire --data DIR": ("tests/e2e/test_faults.py", '"--methods", "dire,container"'),
    "python run_bench.py": ("tests/e2e/test_main_job.py", "bench("),
    "python run_bench.py --null": ("tests/e2e/test_null.py", '"--null"'),
    "python run_bench.py import-scores": ("tests/e2e/test_external.py", '"import-scores"'),
    "python run_bench.py audit": ("tests/e2e/test_audit.py", '"audit", data'),
    "python run_bench.py check --data hf:": ("tests/e2e/test_listed.py", '"check", "--data"'),
    "python run_bench.py --checkpoint": ("tests/e2e/test_released.py", '"--checkpoint"'),
    "python run_bench.py list released": ("tests/e2e/test_fetch.py", '"list", "released"'),
    "python run_bench.py fetch": ("tests/e2e/test_fetch.py", '"fetch"'),
    "python run_bench.py check --data DIR": ("tests/e2e/test_fetch.py", '"check", "--data"'),
    "python run_bench.py --methods all-released": ("tests/e2e/test_fetch.py", '"all-released,-lgrad"'),
    "python run_bench.py --methods all-released,-lgrad": ("tests/e2e/test_fetch.py", '"all-released,-lgrad"'),
    "python run_bench.py list experiments": ("tests/e2e/test_reproduce.py", '"list", "experiments"'),
    "python run_bench.py reproduce": ("tests/slow/test_reproduce.py", '"reproduce", "sare-table6"'),
    "python run_bench.py check-method": ("tests/e2e/test_docs.py", '"check-method"'),
    "python -m pytest tests/contract/test_datasets_and_engines.py": ("tests/e2e/test_docs.py", '"-k", "gaussian_blur"'),
    "python -m tools.licences_page": ("tests/house/test_pages.py", "licences_page"),
    "python -m tools.datasets_page": ("tests/house/test_pages.py", "datasets_page"),
    "python run_bench.py --methods dire,gramnet --data DIR --test": ("tests/e2e/test_datasets.py", '"--test", "ufd"'),
    "python -m tools.findings_page": ("tests/house/test_pages.py", "findings_page"),
    "make findings": ("tests/e2e/test_documented.py", "make -n findings"),
    "python -m tools.published_page": ("tests/house/test_pages.py", "published_page"),
    "python -m tools.methods_page": ("tests/house/test_pages.py", "methods_page"),
    "python -m tools.board_means": ("tests/unit/tools/test_board_means.py", "board_means"),
    "python -m tools.regress": ("tests/unit/tools/test_regress.py", "regress"),
    "python -m tools.tuning": ("tests/slow/test_benchmarks.py", "tools.tuning"),
    "python -m tools.size": ("tests/unit/tools/test_size.py", "size.main"),
    "python -m tools.mutants": ("tests/e2e/test_documented.py", "tools.mutants"),
    "python -m tools.miniature.build": ("tests/unit/tools/miniature", "build"),
    "make bench-gpu": ("tests/slow/test_benchmarks.py", "benchmarks.gpu"),
    "python -m benchmarks.numerics": ("tests/slow/test_benchmarks.py", '"numerics"'),
    "python -m benchmarks.genimage_cost": ("tests/slow/test_benchmarks.py", "genimage_cost"),
    "python -m benchmarks.drift": ("tests/slow/test_benchmarks.py", "benchmarks.drift"),
    "python -m benchmarks.ray_scaling": ("tests/slow/test_benchmarks.py", '"ray_scaling"'),
    "python -m benchmarks.coverage": ("tests/slow/test_benchmarks.py", '"coverage"'),
    "python -m benchmarks.protocols": ("tests/slow/test_benchmarks.py", '"protocols"'),
    "python -m benchmarks.resampling": ("tests/slow/test_benchmarks.py", '"resampling"'),
    "python -m benchmarks.train": ("tests/slow/test_benchmarks.py", '"train"'),
    "python -m benchmarks.gpu": ("tests/slow/test_benchmarks.py", "benchmarks.gpu"),
    "python -m benchmarks.planning": ("tests/slow/test_benchmarks.py", '"planning"'),
    "python -m benchmarks.reconstruct": ("tests/slow/test_benchmarks.py", "reconstruct"),
    "python -m benchmarks.feature_cost": ("tests/slow/test_benchmarks.py", "feature_cost"),
    "python -m benchmarks.store": ("tests/slow/test_benchmarks.py", '"store"'),
    "python run_bench.py store": ("tests/e2e/test_store_verbs.py", 'bench("store"'),
    "python run_bench.py run ": ("tests/e2e/test_processes.py", '"--shard"'),
    "python run_bench.py prepare": ("tests/e2e/test_processes.py", '"prepare"'),
    "python run_bench.py --suite paper": ("tests/e2e/test_ray.py", '"--executor"'),
    "python run_bench.py plan --suite paper": ("tests/slow/test_benchmarks.py", '"planning"'),
    "python -m benchmarks.processes": ("tests/slow/test_benchmarks.py", '"processes"'),
    "python -m benchmarks.container_leak": ("tests/slow/test_benchmarks.py", '"container_leak"'),
    "python -m benchmarks.score": ("tests/slow/test_benchmarks.py", '"score"'),
    "python -m tests.golden.test_report": ("tests/golden/test_report.py", "__main__"),
}
_COMMAND = re.compile(r"(?:make [a-z][a-z-]+|python (?:run_bench\.py|-[mc] )[^`#\n]*)")


def commands():
    """Every command in code, inline or indented, by page."""
    for page in PAGES:
        if page.exists():
            code = re.findall(r"`([^`]+)`", page.read_text()) + re.findall(
                r"^    (.+)$", page.read_text(), re.MULTILINE
            )
            for line in code:
                for found in _COMMAND.findall(line):
                    yield pytest.param(found.strip(), id=f"{page.name}: {found.strip()[:60]}")


@pytest.mark.parametrize("command", list(commands()))
def test_a_documented_command_is_run_somewhere(command):
    known = [prefix for prefix in RUN_BY if command.startswith(prefix)]
    assert known, f"nothing runs: {command}"
    place, word = RUN_BY[max(known, key=len)]
    files = [ROOT / place] if (ROOT / place).is_file() else sorted((ROOT / place).glob("*.py"))
    assert any(word in file.read_text() for file in files), f"{place} does not run {command}"
