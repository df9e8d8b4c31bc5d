"""Imports run in one direction; the table of docs/design is checked against every file's syntax tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = {"types", "recipe", "errors", "detector", "progress"}
# Room → the rooms it may import, besides itself. The longest matching prefix of a module names its room.
BELOW_KIT = {"base", "nets", "models", "device", "store", "data", "score"}
KIT = {"kit", "ledger", "suites"}
ENGINES = {"parts", "engines"}
ALLOWED = {
    "base": set(),
    "nets": {"base"},
    "models": {"base"},
    "device": {"base"},
    "store": {"base"},
    "data": {"base"},
    "score": {"base"},
    "kit": BELOW_KIT,
    "ledger": BELOW_KIT,
    "suites": BELOW_KIT,
    "parts": BELOW_KIT | KIT,
    "engines": BELOW_KIT | KIT,
    "methods": (BELOW_KIT | KIT | ENGINES) - {"data", "store", "score", "ledger"},
    "discover": {"base", "data", "engines", "methods"},
    "run": BELOW_KIT | KIT | ENGINES | {"methods", "discover"},
    "report": {"base", "score", "ledger", "suites"},
    "miniature": BELOW_KIT | KIT | ENGINES | {"methods", "discover"},
    "cli": BELOW_KIT | KIT | ENGINES | {"methods", "discover", "run", "report", "miniature"},
}
PREFIXES = {
    **{f"bench.{name}": "base" for name in BASE},
    "bench.nets": "nets",
    "bench.models": "models",
    "bench.device": "device",
    "bench.recon.store": "store",
    "bench.recon": "engines",
    "bench.data": "data",
    "bench.score": "score",
    "bench.kit": "kit",
    "bench.ledger": "ledger",
    "bench.suites": "suites",
    "methods._parts": "parts",
    "methods": "methods",
    "bench.discover": "discover",
    "bench.run": "run",
    "bench.report": "report",
    "bench.miniature": "miniature",
    "bench.cli": "cli",
    "run_bench": "cli",
}
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "safetensors", "sklearn", "huggingface_hub"}
HEAVY |= {"joblib", "threadpoolctl", "timm", "cv2"}
# Rooms and modules whose import loads something heavy, and which are therefore imported inside functions.
LAZY = ("bench.nets", "methods._parts", "bench.kit.checkpoint", "bench.run.session", "bench.run.single")
LAZY += ("bench.report.write",)


def files():
    return [*sorted(ROOT.glob("bench/**/*.py")), *sorted(ROOT.glob("methods/**/*.py")), ROOT / "run_bench.py"]


def module_of(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room_of(module):
    matches = [prefix for prefix in PREFIXES if module == prefix or module.startswith(prefix + ".")]
    return PREFIXES[max(matches, key=len)] if matches else None


def imports(tree):
    """(module, whether inside a function, whether for type checking only) of every import statement."""
    found = []

    def visit(node, inside, typing):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside, typing) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                # `from bench.run import session` names the module bench.run.session.
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
        if other is None or (other == room and room != "methods") or typing:
            continue
        if room == "methods" and other == "methods" and target != "methods" and target != module:
            bad.append(f"{module} imports another method, {target}")
        elif other != room and other not in ALLOWED[room]:
            bad.append(f"{module} ({room}) imports {target} ({other})")
    return bad


def test_every_module_has_a_room():
    homeless = [m for m in map(module_of, files()) if room_of(m) is None and m not in ("bench",)]
    assert homeless == []


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_imports_follow_the_table(path):
    assert violations(module_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.score.binary", "from bench.ledger import rows"),
        ("bench.data.decode", "def f():\n    from bench.recon.store import Store"),
        ("bench.report.tables", "from bench.run import matrix"),
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


LIGHT = ["bench.cli.app", "bench.report.write", "bench.run.matrix", "bench.discover", "bench.ledger.measure"]
METHODS = [module_of(path) for path in sorted(ROOT.glob("methods/[a-z]*.py"))]
ENGINE_FILES = [module_of(path) for path in sorted(ROOT.glob("bench/recon/engines/[a-z]*.py"))]


def test_light_modules_load_no_torch():
    names = [*LIGHT, *METHODS, *ENGINE_FILES]
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    code += "    assert 'torch' not in sys.modules, name\n"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
