# Needs make and Python 3.11 or newer; everything else comes from the hashed lock. Another Python: make PYTHON=python3.12
PYTHON ?= python3
# Other versions than the lock's: make test RESOLUTION=lowest-direct, or highest.
RESOLUTION ?=
# More options of every run of make board, on a GPU for example: make board RUN_OPTIONS="--processes 10 --precision fp32 --deterministic"
RUN_OPTIONS ?=
RUN := .venv/bin/python

.PHONY: help venv bench bench-gpu board findings submissions regress test test-base test-slow fuzz mutants check world
help:             ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'
venv:             ## .venv from requirements.lock
	@RESOLUTION=$(RESOLUTION) $(PYTHON) tools/environment.py
bench: venv       ## the main job on the embedded suite
	$(RUN) run_bench.py --methods all --train sdv14
board: venv       ## the committed board: full miniature sizes, three seeds (hours; resumes where it stopped)
	$(RUN) run_bench.py plan --suite board
	$(RUN) run_bench.py --suite board $(RUN_OPTIONS) > /dev/null
	$(RUN) run_bench.py verify --suite board
	$(RUN) run_bench.py --suite own --no-probes $(RUN_OPTIONS) > /dev/null
	$(RUN) run_bench.py --suite parts --no-probes $(RUN_OPTIONS) > /dev/null
	$(RUN) run_bench.py --suite plateau --no-probes $(RUN_OPTIONS) > /dev/null
	for kind in border codec framing history jpeg_fakes same; do \
		$(RUN) run_bench.py --suite nulls --no-probes --null $$kind $(RUN_OPTIONS) > /dev/null || exit 1; done
	$(RUN) -m bench.report.publish
findings: venv    ## every experiment on the miniature, and docs/findings.md from them and the board (an hour)
	$(RUN) run_bench.py reproduce all --results results/runs/experiments $(RUN_OPTIONS) > /dev/null
	$(RUN) -m tools.findings_page results/runs/experiments
submissions: venv ## verify the results folders submissions/NAME/ and add them to the board; link.txt there is an address
	for folder in submissions/*/; do test -d "$$folder" || continue; \
		$(RUN) run_bench.py board add "$$folder" --name "$$(basename "$$folder")" --link "$$(cat "$$folder/link.txt")" || exit 1; \
	done
regress: venv     ## every method on a small draw, compared with committed numbers (minutes)
	$(RUN) -m tools.regress
# Keeping freed memory spares the kernel a tenth of the time.
test: venv        ## the test suite
	MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=4000000000 OMP_NUM_THREADS=1 \
		$(RUN) -m pytest -q -n auto --no-loadscope-reorder
test-base: venv   ## the wheel in a fresh environment: the base without torch, then the extra
	$(RUN) -m pytest -q --slow tests/e2e/test_wheel.py
test-slow: venv   ## detectors at real sizes, benchmarks, Ray, the whole board (a quarter of an hour, up to 20 GiB)
	$(RUN) -m pytest -q --slow tests/slow
	$(RUN) -m pytest -q --slow -m slow tests/e2e tests/house
bench-gpu: venv   ## matrix products, networks, engines, training on one GPU, into gpu.json (8 minutes)
	$(RUN) -m benchmarks.gpu
fuzz: venv        ## the image reader over many more mutated files (minutes; FUZZ_MUTANTS of each container)
	FUZZ_MUTANTS=$${FUZZ_MUTANTS:-20000} $(RUN) -m pytest -q tests/unit/data/test_decode_fuzz.py
mutants: venv     ## do the tests notice small changes to the code? a seeded sample (quarter of an hour)
	$(RUN) -m tools.mutants
check: venv       ## format, lint, types, house tests
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/house
world: venv       ## make the embedded world again (hours on a CPU; resumes)
	MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 $(RUN) -m tools.miniature.build all
