"""Official checkpoints of every published layout, as plain tensors by name."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.detector import Detector
from bench.errors import UserError, what_is
from bench.nets.loading import differences, not_finite

#: Where training scripts put the weights in their files, from the outside in.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "netC")
#: Prefixes that torch's own wrappers of a network put before all names.
_WRAPPED = ("module.", "_orig_mod.")
#: Prefixes that training frameworks put before names; some networks have such names of their own.
_HOMES = ("model.", "net.", "network.")
#: First bytes of a pickle, and of the zip archive that torch puts one into.
_PICKLED = (b"\x80", b"P")
#: What torch's reader raises on a file that is none of its own.
UNREADABLE_ERRORS = (RuntimeError, EOFError, OSError, LookupError, ValueError, struct.error)


def read(path: Path, trust_pickle: bool = False) -> dict[str, Tensor]:
    """The tensors of a checkpoint: a bare dict, one under a name of :data:`_WRAPPERS`, or a pickled module.

    A prefix ``module.`` or ``_orig_mod.`` on every name is dropped. Raises UserError for a file that holds none of
    these, and for a pickled module unless ``trust_pickle``: unpickling one runs whatever code it names.
    """
    found: Any = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path, trust_pickle)
    while (inside := _inside(found)) is not None:
        found = inside
    tensors = {name: t for name, t in found.items() if isinstance(t, Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        held = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
        raise UserError(
            f"{path} holds no weights by name.",
            f"It holds: {held}.",
            f"Known layouts: tensors by name, or those under {', '.join(_WRAPPERS)}.",
        )
    while (shorter := _without(_WRAPPED, tensors)) is not None:
        tensors = shorter
    return tensors


def _without(prefixes: Sequence[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors without the one of ``prefixes`` that stands before all their names; None where none does."""
    shared = next((p for p in prefixes if all(name.startswith(p) for name in tensors)), None)
    return None if shared is None else {name.removeprefix(shared): t for name, t in tensors.items()}


def _inside(found: object) -> object | None:
    """What a module, or a file of a training script, keeps its weights in; None where ``found`` is that itself."""
    if isinstance(found, nn.Module):
        return found.state_dict()
    kept = [found.get(name) for name in _WRAPPERS] if isinstance(found, Mapping) else []
    return next((inside for inside in kept if isinstance(inside, Mapping | nn.Module)), None)


def _line(error: Exception) -> str:
    """What is wrong in a few words: torch's own go on for eight lines, and advise to run whatever the file holds."""
    first = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, pickle.UnpicklingError):
        return "not a pickle of tensors"
    if "PytorchStreamReader" in first or "miniz" in first or "zip" in first.lower():
        return "a zip archive that is cut short or damaged"
    return f"{type(error).__name__}: {first}"


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read as a checkpoint.",
        f"It is {what_is(path) or f'no whole file of torch or safetensors ({_line(error)})'}.",
        "Name a .pth or .safetensors, or download it again.",
    )


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    return tensors


class _Absent(nn.Module):
    """In the place of a network whose class is not here: it holds its weights and cannot compute."""


def _stand_in() -> ModuleType:
    """``pickle`` with an unpickler that takes classes that are not here, as those of a script, for mere modules."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            try:
                return super().find_class(module, name)
            except (AttributeError, ImportError):
                return type(name, (_Absent,), {"__module__": module})

    standing = ModuleType("standing_pickle")
    vars(standing).update({name: getattr(pickle, name) for name in ("load", "loads", "dumps", "UnpicklingError")})
    vars(standing)["Unpickler"] = Unpickler
    return standing


def _torchscript(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a TorchScript archive, nothing of which is run; None for another file."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if not any(name.endswith("/constants.pkl") for name in archive.namelist()):
            return None
    try:
        state: dict[str, Tensor] = torch.jit.load(path, map_location="cpu").state_dict()
    except UNREADABLE_ERRORS:
        return None
    return state


def _check_sums(path: Path) -> None:
    """Raise UserError for a zip archive with a member whose bytes are not what was written; torch does not look."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            try:
                with archive.open(member) as file:
                    while member.CRC and file.read(2**20):
                        pass
            except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
                raise UserError(
                    f"{path} is damaged.",
                    f"The bytes of {member.filename} do not have the checksum they were written with.",
                    "Download or copy it again.",
                ) from error


def _torch_file(path: Path, trust_pickle: bool) -> Any:  # noqa: ANN401 - whatever a stranger saved
    _check_sums(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        with path.open("rb") as file:
            if file.read(1) not in _PICKLED:
                raise _unreadable(path, error) from error
        if not trust_pickle:
            raise UserError(
                f"{path} is a pickled object, not plain weights.",
                "Loading it would run whatever code it names.",
                "If you trust where it comes from, say --trust-pickle to `score`; else save or ask for its state_dict.",
            ) from error
    except UNREADABLE_ERRORS as error:
        scripted = _torchscript(path)  # As OpenAI publishes CLIP.
        if scripted is None:
            raise _unreadable(path, error) from error
        return scripted
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_stand_in())
    except (*UNREADABLE_ERRORS, pickle.UnpicklingError) as error:
        raise _unreadable(path, error) from error
    except (AttributeError, ImportError) as error:
        raise UserError(
            f"{path} was pickled with code that is not here.",
            f"{type(error).__name__}: {error}",
            "Put the authors' module on PYTHONPATH for this call, or save its state_dict where it loads.",
        ) from error


def _candidates(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The tensors as they are, and with prefixes of wrappers and frameworks taken off the names that have them."""
    given, seen = [dict(tensors)], set[frozenset[str]]()
    while given:
        state = given.pop(0)
        if frozenset(state) in seen:
            continue
        seen.add(frozenset(state))
        yield state
        for prefix in (*_WRAPPED, *_HOMES):
            shorter = {name.removeprefix(prefix): t for name, t in state.items()}
            if len(shorter) == len(state):
                given.append(shorter)


def _fitting(detector: Detector, model: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """A checkpoint's tensors under the module's names, and what does not fit, of the reading that fits best."""
    wanted = model.state_dict()
    optional = {name for name in wanted if name.endswith("num_batches_tracked")} | set(detector.beside_checkpoint)
    best: tuple[int, dict[str, Tensor]] | None = None
    for given in _candidates(tensors):
        state = dict(detector.official(given))
        apart = len(set(wanted) - set(state) - optional) + len(set(state) - set(wanted))
        if best is None or apart < best[0]:
            best = apart, state
        if not differences(wanted, state, optional):
            return state, ""
    state = best[1] if best else {}
    return state, differences(wanted, state, optional) or "It is empty."


def fill(detector: Detector, model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load official tensors into a module, every name and shape; UserError names what does not fit."""
    state, told = _fitting(detector, model, tensors)
    if told:
        raise UserError(
            f"{path} does not fit {detector.card.title}.",
            told,
            "Name the variant that it was trained as, or another checkpoint; nothing was scored.",
        )
    broken = not_finite(state)
    if broken:
        raise UserError(
            f"{path} has values that are not finite.", f"The first is in {broken[0]}.", "Download it again."
        )
    foreign = detector.foreign(model, tensors)
    if foreign:
        raise UserError(
            f"{path} does not belong to the weights beside it.",
            foreign,
            "Name its own with --weights ROLE=FOLDER, or leave --weights out where the file holds them whole.",
        )
    wanted = model.state_dict()
    model.load_state_dict({name: t.to(wanted[name].dtype) for name, t in state.items()}, strict=False)
