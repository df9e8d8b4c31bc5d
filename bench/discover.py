"""Find methods, engines and datasets: one file each, the file's name is its name; and plugins from outside.

A plugin is an installed entry point in one of the groups ``reconbench.methods``, ``reconbench.engines`` and
``reconbench.datasets``, or a Python file that defines ``METHOD``, ``ENGINE`` or ``DATASET`` (see :func:`load_plugins`).
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.artefacts.engine import Engine
from bench.data.dataset import Dataset
from bench.detector import Method
from bench.errors import unknown


@dataclass(frozen=True)
class Kind:
    """What can be found: the package of the built-in ones, the name that a file defines, and its type.

    ``plugins`` are those from outside by name.
    """

    word: str
    package: str
    attribute: str
    group: str
    type: type
    plugins: dict[str, Any] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        _load_entry_points()
        return tuple(sorted({*_built_in(self.package), *self.plugins}))

    def get(self, name: str) -> Any:  # noqa: ANN401 - a class or a description, by kind
        """The one of that name. Raises UserError if there is none."""
        if name not in self.names():
            raise unknown(self.word, name, self.names())
        if name in self.plugins:
            return self.plugins[name]
        return getattr(importlib.import_module(f"{self.package}.{name}"), self.attribute)

    def add(self, name: str, found: object) -> str:
        """Register one from outside; returns why it cannot be used, or an empty string."""
        fits = issubclass(found, self.type) if isinstance(found, type) else isinstance(found, self.type)
        if not fits:
            return f"{self.attribute} is not a {self.type.__name__}"
        if name in _built_in(self.package):
            return f"there is a built-in {self.word} of that name"
        self.plugins[name] = found
        return ""


_METHODS = Kind("method", "methods", "METHOD", "reconbench.methods", Method)
_ENGINES = Kind("engine", "bench.artefacts.engines", "ENGINE", "reconbench.engines", Engine)
_DATASETS = Kind("dataset", "bench.data.datasets", "DATASET", "reconbench.datasets", Dataset)
_KINDS = (_METHODS, _ENGINES, _DATASETS)
#: The plugin files that have been loaded, and what is wrong with those that cannot be used.
_files: list[Path] = []
_broken: list[str] = []


@cache
def _built_in(package: str) -> tuple[str, ...]:
    paths = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))


@cache
def _load_entry_points() -> None:
    for kind in _KINDS:
        for entry in entry_points(group=kind.group):
            _broken.extend(_load_entry_point(kind, entry))


def _load_entry_point(kind: Kind, entry: EntryPoint) -> list[str]:
    name = f"the {kind.word} {entry.name} of the installed package {entry.dist.name if entry.dist else entry.value}"
    try:
        wrong = kind.add(entry.name, entry.load())
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises, it costs that plugin alone
        wrong = f"{type(error).__name__}: {error}"
    return [f"{name} is not used: {wrong}"] if wrong else []


def load_plugins(paths: Iterable[Path]) -> list[str]:
    """Load plugins from files, or from all files of folders whose names do not begin with an underscore.

    A plugin's name is its file's. Returns a line for each plugin, installed ones included, that cannot be used.
    """
    _load_entry_points()
    for path in paths:
        for file in sorted(path.glob("[!_]*.py")) if path.is_dir() else [path]:
            if file.absolute() not in _files:
                _broken.extend(_load_file(file.absolute()))
    return list(dict.fromkeys(_broken))


def plugin_files() -> tuple[Path, ...]:
    """The plugin files that have been loaded; another process must load them too."""
    return tuple(_files)


def _load_file(file: Path) -> list[str]:
    try:
        module = _import(file)
        found = [(kind, getattr(module, kind.attribute)) for kind in _KINDS if hasattr(module, kind.attribute)]
        wrong = [reason for kind, value in found if (reason := kind.add(file.stem, value))]
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises, it costs that plugin alone
        return [f"the plugin {file} is not used: {type(error).__name__}: {error}"]
    if not found:
        wrong = [f"it defines none of {', '.join(kind.attribute for kind in _KINDS)}"]
    if not wrong:
        _files.append(file)
    return [f"the plugin {file} is not used: {reason}" for reason in wrong]


def _import(file: Path) -> ModuleType:
    """A file as a module of a name of its own, so that it can be pickled; its folder is importable for its helpers."""
    name = f"reconbench_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def methods() -> tuple[str, ...]:
    """Names of all methods, sorted."""
    return _METHODS.names()


def method(name: str) -> type[Method]:
    """The class of a method. Raises UserError for an unknown name."""
    found: type[Method] = _METHODS.get(name)
    return found


def engines() -> tuple[str, ...]:
    """Names of all engines, sorted."""
    return _ENGINES.names()


def engine(name: str) -> type[Engine]:
    """The class of an engine. Raises UserError for an unknown name."""
    found: type[Engine] = _ENGINES.get(name)
    return found


def datasets() -> tuple[str, ...]:
    """Names of all datasets, sorted."""
    return _DATASETS.names()


def dataset(name: str) -> Dataset:
    """The description of a dataset. Raises UserError for an unknown name."""
    found: Dataset = _DATASETS.get(name)
    return found
