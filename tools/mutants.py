"""Mutation tests: make a seeded sample of small changes to the code, and run the tests that should fail on each.

    make mutants                                     the sample of docs/testing.md
    python -m tools.mutants --count 20 --only store  fewer mutants, of one part

Mutants are made by cosmic-ray (numbers, comparisons, arithmetic, conditions, loops, keywords). Those that change no
executed code, such as annotations, are left out. The tests run on copies; the working tree is not changed. Exits with
code 1 if fewer than ``--least`` per cent are killed. Survivors are printed with their reason from tools/mutants.toml.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import cosmic_ray.ast  # Must be first: its plugins have circular imports.
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from tabulate import tabulate

from bench import discover

ROOT = Path(__file__).parents[1]
KNOWN = ROOT / "tools" / "mutants.toml"
#: Time limit for the tests of one mutant, in seconds; it also kills endless loops.
PATIENCE = 300
#: Part → (patterns of its modules, their tests).
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "methods": (
        ("methods/*.py", "methods/_shared/*.py"),
        ("tests/unit/methods", "tests/parity", "tests/contract/test_methods.py"),
    ),
    "metrics": (("bench/metrics/*.py",), ("tests/unit/metrics", "tests/unit/results", "tests/golden/test_report.py")),
    "protocols": (
        ("bench/data/protocols.py", "bench/data/perturb.py", "bench/data/jpeg.py"),
        ("tests/unit/data/test_protocols.py", "tests/unit/data/test_perturb.py", "tests/unit/data/test_decode.py"),
    ),
    "store": (
        ("bench/artefacts/store.py", "bench/artefacts/batching.py"),
        (
            "tests/unit/artefacts/test_store.py",
            "tests/unit/artefacts/test_batching.py",
            "tests/unit/execution/test_one_bad_image.py",
        ),
    ),
}
#: Operators that are not informative: decorators of dataclasses, and keywords of calls that are type-checked.
_LEFT_OUT = ("core/RemoveDecorator", "core/VariableInserter", "core/VariableReplacer")

#: Lines of a card or an engine with a year or a version, which no code computes with.
_FACTS = ("year=", "version=", "version =", "year =")


@dataclass(frozen=True)
class Mutant:
    """One change: part, file and operator; number and text of the first changed line; the whole changed file."""

    part: str
    path: str
    operator: str
    line: int
    before: str
    after: str
    text: str


class _Bare(ast.NodeTransformer):
    """Removes annotations, which change nothing at run time."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        node.annotation = ast.Constant(value=None)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node


def _meaning(source: str) -> str:
    try:
        return ast.dump(_Bare().visit(ast.parse(source)))
    except SyntaxError:
        return ""


def _changed(before: str, after: str) -> tuple[int, str, str]:
    """Number and text of the first line that differs, before and after."""
    lines = zip(before.splitlines(), after.splitlines(), strict=False)
    return next((n, a.strip(), b.strip()) for n, (a, b) in enumerate(lines, 1) if a != b)


def candidates(part: str, path: Path, rng: random.Random, wanted: int) -> list[Mutant]:
    """Up to ``wanted`` random mutants of a file that change executed code."""
    source, mutants = path.read_text(encoding="utf-8"), list[Mutant]()
    plain, tree = _meaning(source), cosmic_ray.ast.get_ast(source)
    nodes = list(cosmic_ray.ast.ast_nodes(tree))
    positions = []
    for name in operator_names():
        operator = get_operator(name)
        if name.startswith(_LEFT_OUT) or operator.arguments():
            continue
        count = sum(len(list(operator().mutation_positions(node))) for node in nodes)
        positions += [(name, number) for number in range(count)]
    rng.shuffle(positions)
    for name, number in positions:
        changed = mutate_code(source, get_operator(name)(), number)
        if changed is None or _meaning(changed) in ("", plain):
            continue
        line, before, after = _changed(source, changed)
        if before.startswith(_FACTS):
            continue
        mutants.append(Mutant(part, path.relative_to(ROOT).as_posix(), name, line, before, after, changed))
        if len(mutants) == wanted:
            break
    return mutants


def draw(parts: list[str], count: int, seed: int) -> list[Mutant]:
    """A seeded sample with equally many mutants per part, distributed over its files by size."""
    rng, chosen = random.Random(seed), list[Mutant]()
    for part in parts:
        patterns, _ = PARTS[part]
        files = sorted(f for pattern in patterns for f in ROOT.glob(pattern) if f.name != "__init__.py")
        weights = [len(f.read_text(encoding="utf-8").splitlines()) for f in files]
        share = -(-count // len(parts))
        picked = rng.choices(files, weights, k=share)
        for path in sorted(set(picked)):
            chosen += candidates(part, path, rng, picked.count(path))
    return chosen


def copied(home: Path) -> Path:
    """A copy of the source tree; large folders are symbolic links."""
    for name in ("bench", "methods", "tests", "tools", "docs", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__", "weights", "images")
        shutil.copytree(ROOT / name, home / name, ignore=ignored, symlinks=True)
    for name in ("weights", "images"):
        (home / "bench" / "miniature" / name).symlink_to(ROOT / "bench" / "miniature" / name)
    for name in ("run_bench.py", "pyproject.toml", "README.md", "Makefile", "results"):
        (home / name).symlink_to(ROOT / name)
    return home


def survives(mutant: Mutant, home: Path) -> bool:
    """Whether all tests of its part pass on a mutant. The copy is restored afterwards.

    Raises RuntimeError if no test ran.
    """
    target, tests = home / mutant.path, PARTS[mutant.part][1]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    if mutant.part == "methods" and not mutant.path.startswith("methods/_shared"):
        others = " and ".join(f"not {name}" for name in discover.methods() if name != target.stem)
        command += ["-k", f"{target.stem} or not contract or ({others})"]  # Only this method's contract tests.
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=home, capture_output=True, timeout=PATIENCE, check=False, env=environment
        ).returncode
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_text(original, encoding="utf-8")
    if done in (4, 5):  # pytest's exit codes if a path does not exist or no test was selected.
        raise RuntimeError(f"no test ran: {' '.join(command)}")
    return done == 0


def reasons() -> dict[tuple[str, str, str], str]:
    """Why a mutant is known to survive, by (file, line before, line after)."""
    listed = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("survivor", [])
    return {(entry["path"], entry["before"], entry["after"]): entry["why"] for entry in listed}


def main() -> None:
    """Draw and run the mutants; print what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=48, help="number of mutants, over all parts")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="only this part; can be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of parallel test runs")
    parser.add_argument("--least", type=float, default=85.0, help="percentage that must be killed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every outcome")
    arguments = parser.parse_args()
    mutants = draw(arguments.only or sorted(PARTS), arguments.count, arguments.seed)
    outcomes: list[tuple[Mutant, bool]] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        homes: Queue[Path] = Queue()
        for number in range(arguments.jobs):
            (home := Path(folder) / str(number)).mkdir()
            homes.put(copied(home))

        def tried(mutant: Mutant) -> tuple[Mutant, bool]:
            home = homes.get()
            try:
                return mutant, survives(mutant, home)
            finally:
                homes.put(home)

        for done, outcome in enumerate(pool.map(tried, mutants), 1):
            outcomes.append(outcome)
            word = "survived" if outcome[1] else "killed"
            sys.stderr.write(f"{done} of {len(mutants)} {word}: {outcome[0].path}:{outcome[0].line}\n")
    sys.exit(report(outcomes, arguments.least, arguments.json))


def report(outcomes: list[tuple[Mutant, bool]], least: float, file: Path | None) -> int:
    """Print the share of killed mutants by part, and every survivor; returns the exit code."""
    known, table = reasons(), []
    for part in dict.fromkeys(mutant.part for mutant, _ in outcomes):
        alive = [survived for mutant, survived in outcomes if mutant.part == part]
        table.append([part, len(alive), len(alive) - sum(alive), f"{100 - 100 * sum(alive) / len(alive):.0f} %"])
    killed = sum(not survived for _, survived in outcomes)
    share = 100 * killed / len(outcomes)
    head = ["part", "changes", "killed", ""]
    sys.stdout.write(f"{tabulate([*table, ['all', len(outcomes), killed, f'{share:.0f} %']], head)}\n")
    for mutant in (mutant for mutant, survived in outcomes if survived):
        why = known.get((mutant.path, mutant.before, mutant.after), "not explained")
        message = f"survived: {mutant.path}:{mutant.line} ({why})\n  - {mutant.before}\n  + {mutant.after}"
        sys.stdout.write(f"\n{message}\n")
    if file is not None:
        lines = [{**vars(mutant), "text": "", "survived": survived} for mutant, survived in outcomes]
        file.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    return int(share < least)


if __name__ == "__main__":
    main()
