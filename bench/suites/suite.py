"""Read a suite file, and make the typed parameters of its methods."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from bench.detector import Method
from bench.errors import UserError, unknown

_FOLDER = Path(__file__).parent


class Suite(BaseModel):
    """What a suite file says. ``methods`` maps ``name`` or ``name[variant]`` to the parameters it changes.

    ``all`` is what ``--methods all`` means; empty means every method that detects. ``train`` is what ``--train`` means
    if it is not given. ``limit_train`` and ``limit_test`` are images a class and subset; absent means all.
    ``perturbations`` are done to every test slice, besides showing it as it is. ``probes`` maps a probe to its
    settings. ``compare`` lists pairs of methods whose difference is reported. ``file`` is where the suite was read.

    A file that ``extends`` another suite changes what it names and keeps the rest, tables key by key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    models: str
    data: str
    datasets: tuple[str, ...]
    protocols: tuple[str, ...]
    train: str = "sdv14"
    controls: tuple[str, ...] = ()
    perturbations: tuple[str, ...] = ()
    limit_train: int | None = None
    limit_test: int | None = None
    seeds: tuple[int, ...] = (0,)
    compare: tuple[tuple[str, str], ...] = ()
    all: tuple[str, ...] = ()
    methods: Mapping[str, Mapping[str, Any]] = {}
    probes: Mapping[str, Mapping[str, Any]] = {}
    file: str = ""


def names() -> list[str]:
    """Names of all suites."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """The suite of a name, or of a file that ends in ``.toml``. Raises UserError for an unknown or a wrong one."""
    own = name.endswith(".toml")
    path = Path(name) if own else _FOLDER / f"{name}.toml"
    if own and not path.is_file():
        raise UserError(
            f"The suite file {name} does not exist.",
            f"Looked at {path.absolute()}.",
            f"Copy {_FOLDER / 'mini.toml'} and change it, or name a suite: {', '.join(names())}.",
        )
    if not path.is_file():
        raise unknown("suite", name, names(), fix="Or name a file that ends in .toml.")
    try:
        suite = Suite.model_validate(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise _unusable(path, str(error)) from error
    except ValidationError as error:
        raise _unusable(
            path, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ) from error
    return suite.model_copy(update={"file": str(path)})


def _read(path: Path) -> dict[str, Any]:
    """The tables of a suite file over those of the suite that it extends; UserError for one that is not there."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    base = found.pop("extends", None)
    if base is None:
        return found
    if base not in names() or _FOLDER / f"{base}.toml" == path:
        raise unknown("suite", str(base), names(), fix=f"Change extends in {path}.")
    return _merged(_read(_FOLDER / f"{base}.toml"), found)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {key for key in changes if isinstance(changes[key], dict) and isinstance(base.get(key), dict)}
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in both}}


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"The suite file {path} cannot be used.", f"{reason}.", f"Compare it with {_FOLDER / 'mini.toml'}."
    )


def split_variant(text: str) -> tuple[str, str]:
    """``dire[adm]`` as (``dire``, ``adm``); a bare name has the variant ''."""
    name, bracket, rest = text.partition("[")
    if bracket and not rest.endswith("]"):
        raise UserError(
            f"{text!r} is no method name.", "A variant stands in brackets: name[variant].", f"Write {name}[…]."
        )
    return name, rest[:-1] if bracket else ""


def variants(suite: Suite, name: str, method: type[Method]) -> list[str]:
    """The variants of a method that its file and the suite name."""
    listed = {split_variant(key)[1] for key in suite.methods if split_variant(key)[0] == name}
    return sorted((listed | set(method.variants)) - {""})


def instantiate(suite: Suite, name: str, variant: str, method: type[Method]) -> Method:
    """The method with its parameters: the paper's defaults, then the variant's, then the suite's.

    Raises UserError for an unknown variant, an unknown parameter, a value of the wrong type or out of range.
    """
    known = variants(suite, name, method)
    if variant and variant not in known:
        raise unknown(f"variant of {name}", variant, known, fix=f"Plain {name} is the default variant.")
    full = f"{name}[{variant}]" if variant else name
    values = {**suite.methods.get(name, {}), **method.variants.get(variant, {}), **suite.methods.get(full, {})}
    allowed = [field.name for field in fields(method.Params)]
    for key in values:
        if key not in allowed:
            raise unknown(f"parameter of {name}", key, allowed, fix=f"Change it in {suite.file}.")
    try:
        params: Any = TypeAdapter(method.Params).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"The parameter {'.'.join(map(str, first['loc']))} of {full} has the value {first['input']!r}.",
            f"{first['msg']}.",
            f"Change it in {suite.file}.",
        ) from error
    made = method(params)
    _check_ranges(made, full, suite)
    return made


def _check_ranges(method: Method, full: str, suite: Suite) -> None:
    """Raise UserError for a count that is below one, or a negative or infinite number where its default is neither."""
    for field in fields(method.params):
        default, value = field.default, getattr(method.params, field.name)
        if isinstance(default, bool) or not isinstance(default, (int, float)) or default < 0:
            continue
        least = 1 if isinstance(default, int) and default > 0 else 0
        if not least <= value < math.inf:
            raise UserError(
                f"The parameter {field.name} of {full} has the value {value!r}.",
                f"It cannot be below {least}, nor infinite; its default is {default!r}.",
                f"Change it in {suite.file}.",
            )
