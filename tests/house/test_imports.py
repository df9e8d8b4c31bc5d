"""Imports go in one direction; the table of docs/architecture.md is checked against every file's syntax tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.setup import RUN_PACKAGES

ROOT = Path(__file__).parents[2]
BASE = {"base"}
LEVEL_2 = BASE | {"data", "metrics", "nets", "models"}
LEVEL_3 = LEVEL_2 | {"artefacts", "results", "miniature"}
LEVEL_4 = LEVEL_3 | {"training", "suites"}
LEVEL_5 = LEVEL_4 | {"methods"}
LEVEL_6 = LEVEL_5 | {"discover"}
LEVEL_8 = LEVEL_6 | {"planning", "execution"}
#: Room → the rooms it may import, besides itself.
ALLOWED = {
    "base": set(),
    "data": BASE,
    "metrics": BASE,
    "nets": BASE,
    "models": BASE,
    "artefacts": BASE | {"data", "nets", "models"},
    "results": BASE | {"metrics"},
    "miniature": BASE | {"data", "models"},
    "training": LEVEL_3,
    "suites": LEVEL_3,
    "methods": LEVEL_4 - {"data", "store", "metrics", "results"},
    "discover": BASE | {"methods", "artefacts", "data"},
    "planning": LEVEL_6,
    "report": BASE | {"results", "metrics", "suites"},
    "execution": LEVEL_6 | {"planning"},
    "predict": LEVEL_8,
    "cli": LEVEL_8 | {"predict", "report"},
    "tools": LEVEL_8 | {"predict", "report", "cli"},
}
ROOMS = {f"bench.{room}": room for room in ALLOWED if room not in ("base", "methods", "tools")}
ROOMS |= {
    f"bench.{name}": "base"
    for name in ("types", "operations", "recipe", "errors", "detector", "progress", "device", "numerics", "controls")
}
ROOMS |= {f"bench.{name}": "base" for name in ("labels", "download")}
ROOMS |= {"bench": "base", "bench.__main__": "cli", "methods": "methods", "tools": "tools", "run_bench": "cli"}
#: Modules that a room may not import although it may import their room.
CLOSED = {"methods": {"bench.artefacts.store"}}
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "safetensors", "sklearn", "huggingface_hub"}
HEAVY |= {"joblib", "threadpoolctl", "timm", "cv2", "lpips", "imagehash", "datasets", "c2pa", "filelock"}
# Rooms and modules whose import loads something heavy, and which are therefore imported inside functions.
LAZY = ("bench.nets", "methods._shared", "bench.training.checkpoint", "bench.execution", "bench.predict.predict")
LAZY += ("bench.report.write", "bench.report.publish", "bench.report.audit", "bench.predict.several")


def files():
    found = [path for folder in ("bench", "methods", "tools") for path in sorted(ROOT.glob(f"{folder}/**/*.py"))]
    return [*found, ROOT / "run_bench.py"]


def module_of(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room_of(module):
    """The room of a module: its package, or for the modules directly in ``bench`` what :data:`ROOMS` says."""
    head = ".".join(module.split(".")[:2])
    return ROOMS.get(head) or ROOMS.get(module.split(".")[0])


def imports(tree):
    """(module, whether inside a function, whether for type checking only) of every import statement."""
    found = []

    def visit(node, inside, typing):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside, typing) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                # `from bench.execution import session` names the module bench.execution.execute.
                submodules = [f"{child.module}.{a.name}" for a in child.names]
                known = [m for m in submodules if (ROOT / (m.replace(".", "/") + ".py")).exists()]
                found.extend((name, inside, typing) for name in known or [child.module])
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            visit(child, inside or function, typing or checking)

    visit(tree, False, False)
    return found


def violations(module, source):
    """Every import of a module that the table forbids."""
    room, bad = room_of(module), []
    for target, _, typing in imports(ast.parse(source)):
        other = room_of(target)
        if other is None or target == "bench" or typing:
            continue
        if room == "methods" and other == "methods":
            if target.split(".")[1] not in ("_shared", module.split(".")[-1]):
                bad.append(f"{module} imports another method, {target}")
        elif (other != room and other not in ALLOWED[room]) or target in CLOSED.get(room, ()):
            bad.append(f"{module} ({room}) imports {target} ({other})")
    return bad


def test_every_module_has_a_room():
    found = {f"bench.{path.stem}" for path in ROOT.glob("bench/[a-z]*")}
    assert found <= ROOMS.keys()


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_imports_follow_the_table(path):
    assert violations(module_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.metrics.classification", "from bench.results import rows"),
        ("bench.data.decode", "def f():\n    from bench.artefacts.store import Store"),
        ("bench.report.tables", "from bench.planning import matrix"),
        ("methods.dire", "import methods.gramnet"),
        ("methods.dire", "from bench.data.decode import decode"),
    ],
)
def test_the_check_finds_a_forbidden_import(module, source):
    assert violations(module, source)


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_only_heavy_imports_stand_in_functions(path):
    inside = [target for target, within, _ in imports(ast.parse(path.read_text())) if within]
    light = [t for t in inside if t.split(".")[0] not in HEAVY and not t.startswith(LAZY)]
    assert light == []


LIGHT = ["bench.cli.app", "bench.report.write", "bench.planning.matrix", "bench.discover", "bench.results.measure"]
METHODS = [module_of(path) for path in sorted(ROOT.glob("methods/[a-z]*.py"))]
ENGINE_FILES = [module_of(path) for path in sorted(ROOT.glob("bench/artefacts/engines/[a-z]*.py"))]


BLOCKED = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in PACKAGES:
            raise ModuleNotFoundError(f"{name} belongs to the extra `run`", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_light_modules_load_nothing_of_the_extra_run():
    """A reader of results installs the base alone: each package of the extra is blocked, as if it were not there."""
    names, code = [*LIGHT, *METHODS, *ENGINE_FILES], BLOCKED.replace("PACKAGES", repr(RUN_PACKAGES))
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
