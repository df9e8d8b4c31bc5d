"""Find what exists by looking: one file a method, an engine, a dataset; the file's name is its name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import unknown

if TYPE_CHECKING:
    from bench.artefacts.engine import Engine
    from bench.data.dataset import Dataset
    from bench.detector import Method


@cache
def _names(package: str) -> tuple[str, ...]:
    paths = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))


def _module(package: str, kind: str, name: str) -> ModuleType:
    if name not in _names(package):
        raise unknown(kind, name, _names(package))
    return importlib.import_module(f"{package}.{name}")


def methods() -> tuple[str, ...]:
    """Names of all methods, sorted."""
    return _names("methods")


def method(name: str) -> type[Method]:
    """The class of a method; its file must define ``METHOD``. Raises UserError for an unknown name."""
    found: type[Method] = _module("methods", "method", name).METHOD
    return found


def engines() -> tuple[str, ...]:
    """Names of all engines, sorted."""
    return _names("bench.artefacts.engines")


def engine(name: str) -> type[Engine]:
    """The class of an engine; its file must define ``ENGINE``."""
    found: type[Engine] = _module("bench.artefacts.engines", "engine", name).ENGINE
    return found


def datasets() -> tuple[str, ...]:
    """Names of all datasets, sorted."""
    return _names("bench.data.datasets")


def dataset(name: str) -> Dataset:
    """The description of a dataset; its file must define ``DATASET``."""
    found: Dataset = _module("bench.data.datasets", "dataset", name).DATASET
    return found
