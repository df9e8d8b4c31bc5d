"""Find methods, engines and datasets (one file each, which gives the name), and plugins.

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
    """A kind of thing that can be found.

    ``word`` names it in messages; ``package`` contains the built-in ones; ``attribute`` is the variable that a file
    defines, of type ``type`` and with the attributes ``required``; ``group`` is the entry point group; ``plugins`` are
    the plugins by name.
    """

    word: str
    package: str
    attribute: str
    group: str
    type: type
    required: tuple[str, ...]
    plugins: dict[str, Any] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        _load_entry_points()
        return tuple(sorted({*_built_in(self.package), *self.plugins}))

    def get(self, name: str) -> Any:  # noqa: ANN401 - a class or a description, by kind
        """The method, engine or dataset of that name. Raises UserError if there is none."""
        if name not in self.names():
            raise unknown(self.word, name, self.names())
        if name in self.plugins:
            return self.plugins[name]
        return getattr(importlib.import_module(f"{self.package}.{name}"), self.attribute)

    def reason_against(self, name: str, plugin: Any) -> str:  # noqa: ANN401 - whatever a plugin defines
        """Why a plugin cannot be used under a name, or an empty string."""
        fits = issubclass(plugin, self.type) if isinstance(plugin, type) else isinstance(plugin, self.type)
        if not fits:
            return f"{self.attribute} is not of type {self.type.__name__}"
        missing = [attribute for attribute in self.required if not hasattr(plugin, attribute)]
        if missing:
            return f"{self.attribute} has no {', '.join(missing)}"
        if name in _built_in(self.package):
            return f"there is a built-in {self.word} of that name"
        if self.plugins.get(name, plugin) is not plugin:
            return f"another plugin has a {self.word} of that name"
        return ""


_METHODS = Kind("method", "methods", "METHOD", "reconbench.methods", Method, ("card", "Params"))
_ENGINE_FACTS = ("name", "version", "payload", "batch", "seconds")
_ENGINES = Kind("engine", "bench.artefacts.engines", "ENGINE", "reconbench.engines", Engine, _ENGINE_FACTS)
_DATASET_FACTS = ("name", "title", "subsets")
_DATASETS = Kind("dataset", "bench.data.datasets", "DATASET", "reconbench.datasets", Dataset, _DATASET_FACTS)
_KINDS = (_METHODS, _ENGINES, _DATASETS)
#: The plugin files that have been loaded, and one message for each plugin that cannot be used.
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
    title = f"the {kind.word} {entry.name} of the installed package {entry.dist.name if entry.dist else entry.value}"
    try:
        plugin = entry.load()
        reason = kind.reason_against(entry.name, plugin)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of foreign code costs only that plugin
        reason = f"{type(error).__name__}: {error}"
    if not reason:
        kind.plugins[entry.name] = plugin
    return [f"{title} is not used: {reason}"] if reason else []


def load_plugins(paths: Iterable[Path]) -> list[str]:
    """Load plugins from files, or from all files of folders whose names do not begin with an underscore.

    A plugin has the name of its file. Returns one line for each plugin that cannot be used, installed ones included.
    """
    _load_entry_points()
    for path in paths:
        files = sorted(path.glob("[!_]*.py")) if path.is_dir() else [path]
        if not files:
            _broken.append(f"the plugin folder {path} contains no Python files")
        for file in files:
            if file.resolve() not in _files:
                _broken.extend(_load_file(file.resolve()))
    return list(dict.fromkeys(_broken))


def plugin_files() -> tuple[Path, ...]:
    """The plugin files that have been loaded; another process must load them too."""
    return tuple(_files)


def _load_file(file: Path) -> list[str]:
    """Register all that a file defines, or nothing of it."""
    try:
        module = _import(file)
        defined = [(kind, getattr(module, kind.attribute)) for kind in _KINDS if hasattr(module, kind.attribute)]
        reasons = [reason for kind, plugin in defined if (reason := kind.reason_against(file.stem, plugin))]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of foreign code costs only that plugin
        return [f"the plugin {file} is not used: {type(error).__name__}: {error}"]
    if not defined:
        reasons = [f"it defines none of {', '.join(kind.attribute for kind in _KINDS)}"]
    if reasons:
        del sys.modules[module.__name__]
    else:
        _files.append(file)
        for kind, plugin in defined:
            kind.plugins[file.stem] = plugin
    return [f"the plugin {file} is not used: {reason}" for reason in reasons]


def _import(file: Path) -> ModuleType:
    """Import a file as a module with its own name, so that it can be pickled; its folder becomes importable."""
    name = f"reconbench_plugin_{file.stem}"
    if name in sys.modules:
        raise ImportError("another plugin file has that name")
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
    cls: type[Method] = _METHODS.get(name)
    return cls


def engines() -> tuple[str, ...]:
    """Names of all engines, sorted."""
    return _ENGINES.names()


def engine(name: str) -> type[Engine]:
    """The class of an engine. Raises UserError for an unknown name."""
    cls: type[Engine] = _ENGINES.get(name)
    return cls


def datasets() -> tuple[str, ...]:
    """Names of all datasets, sorted."""
    return _DATASETS.names()


def dataset(name: str) -> Dataset:
    """The description of a dataset. Raises UserError for an unknown name."""
    described: Dataset = _DATASETS.get(name)
    return described
