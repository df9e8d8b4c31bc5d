"""Read official checkpoints in all published layouts as plain tensors by name."""

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

#: Names under which training scripts nest the weights in their files, outermost first.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "netC")
#: Prefixes that torch's own wrappers of a network add to all names.
_WRAPPED = ("module.", "_orig_mod.")
#: Prefixes that training frameworks add to names; some networks use such names themselves.
_HOMES = ("model.", "net.", "network.")
#: First bytes of a pickle, and of the zip archive that torch puts one into.
_PICKLED = (b"\x80", b"P")
#: Errors that torch raises on a file that it cannot read.
UNREADABLE_ERRORS = (RuntimeError, EOFError, OSError, LookupError, ValueError, struct.error)


def read(path: Path, trust_pickle: bool = False) -> dict[str, Tensor]:
    """The tensors of a checkpoint: a plain dict, a dict under a name of :data:`_WRAPPERS`, or a pickled module.

    A prefix ``module.`` or ``_orig_mod.`` on every name is removed. Raises UserError for a file in none of these
    layouts, and for a pickled module unless ``trust_pickle``: unpickling it runs any code that it names.
    """
    content: Any = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path, trust_pickle)
    while (inside := _inside(content)) is not None:
        content = inside
    tensors = {name: t for name, t in content.items() if isinstance(t, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        entries = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise UserError(
            f"{path} contains no weights by name.",
            f"It contains: {entries}.",
            f"Use a file with tensors by name, or with such tensors under {', '.join(_WRAPPERS)}.",
        )
    while (shorter := _without(_WRAPPED, tensors)) is not None:
        tensors = shorter
    return tensors


def _without(prefixes: Sequence[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors without the one of ``prefixes`` that all their names share; None if there is none."""
    shared = next((p for p in prefixes if all(name.startswith(p) for name in tensors)), None)
    return None if shared is None else {name.removeprefix(shared): t for name, t in tensors.items()}


def _inside(content: object) -> object | None:
    """The weights nested in a module or in a training script's dict; None if ``content`` has no such nesting."""
    if isinstance(content, nn.Module):
        return content.state_dict()
    entries = [content.get(name) for name in _WRAPPERS] if isinstance(content, Mapping) else []
    return next((entry for entry in entries if isinstance(entry, Mapping | nn.Module)), None)


def _line(error: Exception) -> str:
    """The error in a few words: torch's own message has eight lines and advises running any code in the file."""
    first = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, pickle.UnpicklingError):
        return "not a pickle of tensors"
    if "PytorchStreamReader" in first or "miniz" in first or "zip" in first.lower():
        return "a truncated or damaged zip archive"
    return f"{type(error).__name__}: {first}"


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read as a checkpoint.",
        f"It is {what_is(path) or f'not a complete torch or safetensors file ({_line(error)})'}.",
        "Use a .pth or .safetensors file, or download it again.",
    )


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    return tensors


class _Absent(nn.Module):
    """Stands in for a network whose class is not installed: it holds the weights but cannot compute."""


def _stand_in() -> ModuleType:
    """``pickle`` with an unpickler that replaces classes that are not installed, as a script's, by plain modules."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            try:
                return super().find_class(module, name)
            except (AttributeError, ImportError):
                return type(name, (_Absent,), {"__module__": module})

    stand_in = ModuleType("stand_in_pickle")
    vars(stand_in).update({name: getattr(pickle, name) for name in ("load", "loads", "dumps", "UnpicklingError")})
    vars(stand_in)["Unpickler"] = Unpickler
    return stand_in


def _torchscript(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a TorchScript archive, without running its code; None for any other file."""
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
    """Raise UserError for a zip archive with a member that fails its checksum; torch does not check."""
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
                    f"The bytes of {member.filename} do not match their checksum.",
                    "Download or copy it again.",
                ) from error


def _torch_file(path: Path, trust_pickle: bool) -> Any:  # noqa: ANN401 - a file may hold any object
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
                "Loading it would run any code that it names.",
                "If you trust its origin, add --trust-pickle to `score`; otherwise use a file of its state_dict.",
            ) from error
    except UNREADABLE_ERRORS as error:
        scripted = _torchscript(path)  # OpenAI publishes CLIP in this form.
        if scripted is None:
            raise _unreadable(path, error) from error
        return scripted
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_stand_in())
    except (*UNREADABLE_ERRORS, pickle.UnpicklingError) as error:
        raise _unreadable(path, error) from error
    except (AttributeError, ImportError) as error:
        raise UserError(
            f"{path} was pickled with code that is not installed.",
            f"{type(error).__name__}: {error}",
            "Put the authors' module on PYTHONPATH, or save its state_dict on a machine where it can be loaded.",
        ) from error


def _candidates(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The tensors as they are, and with prefixes of wrappers and frameworks removed from the names that have them."""
    queue, seen = [dict(tensors)], set[frozenset[str]]()
    while queue:
        state = queue.pop(0)
        if frozenset(state) in seen:
            continue
        seen.add(frozenset(state))
        yield state
        for prefix in (*_WRAPPED, *_HOMES):
            shorter = {name.removeprefix(prefix): t for name, t in state.items()}
            if len(shorter) == len(state):
                queue.append(shorter)


def _fitting(detector: Detector, model: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """A checkpoint's tensors under the module's names, and what does not fit; of all candidates, the best fit."""
    wanted = model.state_dict()
    optional = {name for name in wanted if name.endswith("num_batches_tracked")} | set(detector.beside_checkpoint)
    best: tuple[int, dict[str, Tensor]] | None = None
    for candidate in _candidates(tensors):
        state = dict(detector.official(candidate))
        mismatches = len(set(wanted) - set(state) - optional) + len(set(state) - set(wanted))
        if best is None or mismatches < best[0]:
            best = mismatches, state
        if not differences(wanted, state, optional):
            return state, ""
    state = best[1] if best else {}
    return state, differences(wanted, state, optional) or "It is empty."


def fill(detector: Detector, model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load official tensors into a module. Raises UserError naming every name and shape that does not fit."""
    state, misfit = _fitting(detector, model, tensors)
    if misfit:
        raise UserError(
            f"{path} does not fit {detector.card.title}.",
            misfit,
            "Choose the variant that it was trained as, or another checkpoint; nothing was scored.",
        )
    broken = not_finite(state)
    if broken:
        raise UserError(
            f"{path} has values that are not finite.", f"The first one is in {broken[0]}.", "Download it again."
        )
    foreign = detector.foreign(model, tensors)
    if foreign:
        raise UserError(
            f"{path} was trained with different pretrained weights.",
            foreign,
            "Give its own weights with --weights ROLE=FOLDER, or omit --weights if the file contains them.",
        )
    wanted = model.state_dict()
    model.load_state_dict({name: t.to(wanted[name].dtype) for name, t in state.items()}, strict=False)
