"""Read suite files and instantiate their methods with typed parameters."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from bench.detector import Budget, Detector, Method
from bench.errors import UserError, unknown
from bench.suites import experiment as experiments

_FOLDER = Path(__file__).parent


class Suite(BaseModel):
    """The contents of a suite file. ``methods`` maps ``name`` or ``name[variant]`` to the parameters it changes.

    ``all`` is the meaning of ``--methods all``, in the words of that option; if empty, the usual line-up.
    ``protocols_of`` maps methods, with or without a variant, to those of the ``protocols`` in which they are trained
    and tested; the others have all. ``train`` is the default of ``--train``. ``limit_train`` and ``limit_test`` limit
    the images per class and subset; None means all images. ``families`` maps ``dataset:subset`` to the family of its
    generator if that differs in this suite's images.
    ``controls`` are those of :mod:`bench.controls`. ``seeds_draw`` lists what a seed draws besides a network's first
    weights and the order of training: the training ``subset``, and the ``noise`` of artefacts. ``budget`` says how long
    networks are trained: as their ``recipe`` says, or until the validation loss reaches a ``plateau``.
    ``perturbations`` are applied to every test slice, in addition to scoring it unchanged. ``only`` lists the test
    subsets that ``--test all`` means, as ``dataset:subset``; empty means all. ``probes`` maps a probe to its settings.
    In galleries they are shown for ``pairs`` of a photograph and a fake per subset; if ``timed`` is above 0, what they
    cost is measured on that many images. ``compare`` lists pairs of methods whose difference is reported. ``file`` is
    the path of the suite.

    A file that ``extends`` another suite overrides the settings it names and keeps the rest; tables are merged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    models: str
    data: str
    datasets: tuple[str, ...]
    protocols: tuple[str, ...]
    protocols_of: Mapping[str, tuple[str, ...]] = {}
    train: str = "sdv14"
    families: Mapping[str, str] = {}
    controls: tuple[str, ...] = ()
    perturbations: tuple[str, ...] = ()
    limit_train: int | None = None
    limit_test: int | None = None
    seeds: tuple[int, ...] = (0,)
    seeds_draw: tuple[Literal["subset", "noise"], ...] = ()
    budget: Budget = "recipe"
    compare: tuple[tuple[str, str], ...] = ()
    all: tuple[str, ...] = ()
    methods: Mapping[str, Mapping[str, Any]] = {}
    probes: Mapping[str, Mapping[str, Any]] = {}
    only: tuple[str, ...] = ()
    pairs: int = 0
    timed: int = 0
    file: str = ""

    def perturbed(self, names: str | None) -> Suite:
        """The suite with these perturbations, separated by commas; its own if None."""
        if names is None:
            return self
        given = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
        return self.model_copy(update={"perturbations": tuple(given)})


def names() -> list[str]:
    """Names of all suites."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """Load a suite by name, from a path that ends in ``.toml``, or either as an experiment changes it.

    ``mini:sare-table1`` is ``mini`` changed by ``sare-table1``. Raises UserError if it is unknown or not valid.
    """
    base, _, experiment = (name, "", "") if name.endswith(".toml") or ":" not in name else name.rpartition(":")
    is_path = base.endswith(".toml")
    path = Path(base) if is_path else _FOLDER / f"{base}.toml"
    if is_path and not path.is_file():
        raise UserError(
            f"The suite file {base} does not exist.",
            f"Looked at {path.absolute()}.",
            f"Copy {_FOLDER / 'mini.toml'} and change it, or name a suite: {', '.join(names())}.",
        )
    if not path.is_file():
        raise unknown("suite", base, names(), fix="Or give a path that ends in .toml.")
    changes = experiments.load(experiment).changes(path.stem) if experiment else {}
    try:
        suite = Suite.model_validate(_changed(_read(path), changes))
    except tomllib.TOMLDecodeError as error:
        raise _invalid(path, str(error)) from error
    except ValidationError as error:
        raise _invalid(
            path, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ) from error
    return suite.model_copy(update={"file": str(path)})


def _changed(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a suite, changed by an experiment if there are changes: it measures its own probes alone."""
    merged = _merged(tables, changes)
    if changes:
        own = changes.get("probes", {})
        merged["probes"] = {name: settings for name, settings in merged.get("probes", {}).items() if name in own}
    return merged


def _read(path: Path) -> dict[str, Any]:
    """The tables of a suite file, merged into those of the suite it extends. Raises UserError if that is unknown."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    base = tables.pop("extends", None)
    if base is None:
        return tables
    if base not in names() or _FOLDER / f"{base}.toml" == path:
        raise unknown("suite", str(base), names(), fix=f"Change extends in {path}.")
    return _merged(_read(_FOLDER / f"{base}.toml"), tables)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    nested = {key for key in changes if isinstance(changes[key], dict) and isinstance(base.get(key), dict)}
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in nested}}


def _invalid(path: Path, reason: str) -> UserError:
    return UserError(f"The suite file {path} is not valid.", f"{reason}.", f"Compare it with {_FOLDER / 'mini.toml'}.")


def split_variant(text: str) -> tuple[str, str]:
    """Split ``dire[adm]`` into (``dire``, ``adm``); a name without brackets has the variant ''."""
    name, bracket, rest = text.partition("[")
    if bracket and not rest.endswith("]"):
        raise UserError(
            f"{text!r} is not a method name.", "A variant is written in brackets: name[variant].", f"Write {name}[…]."
        )
    return name, rest[:-1] if bracket else ""


def variants(suite: Suite, name: str, method: type[Method]) -> list[str]:
    """The names of a method's variants, from its own file and from the suite."""
    listed = {split_variant(key)[1] for key in suite.methods if split_variant(key)[0] == name}
    return sorted((listed | set(method.variants)) - {""})


def instantiate(suite: Suite, name: str, variant: str, method: type[Method]) -> Method:
    """The method with its parameters. Later values override earlier ones.

    They are the paper's defaults, then the suite's values for the method, the variant's, and the suite's for the
    variant. Raises UserError for an unknown variant, an unknown parameter, a value of the wrong type or out of range.
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
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"The parameter {where} of {full} has the value {first['input']!r}."
            if where
            else f"The parameters of {full} do not go together.",
            f"{first['msg'].removeprefix('Value error, ')}.",
            f"Change it in {suite.file}.",
        ) from error
    instance = method(params)
    _check_ranges(instance, full, suite)
    if isinstance(instance, Detector):
        instance.budget = suite.budget
    return instance


def _check_ranges(method: Method, full: str, suite: Suite) -> None:
    """Raise UserError for a number that is not finite or below its minimum.

    The minimum is 1 if the default is a positive integer, and 0 if it is any other number of at least 0. Parameters
    with other defaults are not checked.
    """
    for field in fields(method.params):
        default, value = field.default, getattr(method.params, field.name)
        if isinstance(default, bool) or not isinstance(default, (int, float)) or default < 0:
            continue
        least = 1 if isinstance(default, int) and default > 0 else 0
        if not least <= value < math.inf:
            raise UserError(
                f"The parameter {field.name} of {full} has the value {value!r}.",
                f"It must be finite and at least {least}; its default is {default!r}.",
                f"Change it in {suite.file}.",
            )
