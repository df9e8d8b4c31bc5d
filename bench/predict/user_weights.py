"""Weights that the user gives by role on the command line: ``--weights ROLE=FOLDER`` or ``ROLE=FILE``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError, unknown, what_is
from bench.models.catalogue import MODELS
from bench.models.configs import shipped
from bench.models.embedded import build_atomically
from bench.models.zoo import TOKENIZER, Zoo, files_of, tokenizer_from_hub

if TYPE_CHECKING:
    from torch import Tensor

#: Roles of CLIP models, which may be fine-tuned and saved in OpenAI's layout, as DE-FAKE's ``finetune_clip.pt``.
_CLIPS = ("clip_vit_b32", "clip_vit_l14")
#: Those whose text encoder is used, which needs a tokenizer.
_WITH_TOKENIZER = ("clip_vit_b32",)
TOKENIZER_FILES = (*TOKENIZER, "special_tokens_map.json", "tokenizer_config.json", "preprocessor_config.json")


def own_weights(words: Sequence[str], store: Path, models: str = "hub", trust_pickle: bool = False) -> dict[str, Path]:
    """Folders by role from ``ROLE=FOLDER`` and ``ROLE=FILE`` words; a file is converted to a folder below ``store``.

    A CLIP file in OpenAI's layout needs no configuration file, see :func:`save_clip`. Raises UserError for an unknown
    role, a path that does not exist, one file for a model of several, and a pickled module unless ``trust_pickle``.
    """
    folders = {}
    for word in words:
        role, _, location = word.partition("=")
        if not location:
            raise UserError(
                f"--weights {word} names no folder.",
                f"Roles: {', '.join(MODELS)}.",
                "Write --weights ROLE=FOLDER, or ROLE=FILE.",
            )
        if role not in MODELS:
            raise unknown("model role", role, MODELS)
        path = Path(location)
        if not path.exists():
            raise UserError(
                f"--weights {word}: {location} does not exist.",
                f"Looked at {path.absolute()}.",
                "Give a folder or a file.",
            )
        if path.is_file() and role in _CLIPS:
            folders[role] = _clip_folder(role, path, store, Zoo(models, store=store), trust_pickle)
        else:
            folders[role] = _folder_of(role, path, store, trust_pickle) if path.is_file() else path
        _check_readable(role, folders[role])
    return folders


def _check_readable(role: str, folder: Path) -> None:
    """Raise UserError for a damaged safetensors file, before anything is computed."""
    from safetensors import SafetensorError, safe_open

    for path in files_of(folder, MODELS[role].files):
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, "numpy"):
                    pass
            except (SafetensorError, OSError) as error:
                raise UserError(
                    f"--weights {role}: {path} is not a valid safetensors file.",
                    f"It is {what_is(path) or error}.",
                    "Download or copy it again.",
                ) from error


def _converted_folder(role: str, path: Path, store: Path) -> Path:
    with path.open("rb") as file:
        return store / "weights" / f"{role}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _clip_folder(role: str, path: Path, store: Path, zoo: Zoo, trust_pickle: bool) -> Path:
    """A folder in the Hub's format with the tensors of a CLIP file in OpenAI's layout; made once per content."""

    def fill(partial: Path) -> None:
        from bench.training.checkpoint import read

        save_clip(role, read(path, trust_pickle), partial, zoo, f"--weights {role}={path}")

    return build_atomically(_converted_folder(role, path, store), fill)


def save_clip(role: str, state: Mapping[str, Tensor], folder: Path, zoo: Zoo, named: str) -> None:
    """Write a CLIP in OpenAI's layout to a folder in the Hub's format, with the configuration that its tensors fit.

    The configuration is that of the role in ``zoo``, or the one that ships with the project. The tokenizer comes from
    ``zoo`` too, or from the Hub if the text encoder is used and the Hub can be reached. ``named`` describes the file in
    messages. Raises UserError if the tensors are those of another network.
    """
    from bench.nets.clip import misfits, save, to_transformers

    try:
        tensors = to_transformers(state)
    except KeyError as error:
        raise UserError(
            f"{named} is not a CLIP in OpenAI's layout.",
            f"It has no {error.args[0]}.",
            f"Give a folder with {', '.join(MODELS[role].files)}.",
        ) from error
    base = _base(role, zoo)
    configs = [json.loads((base / "config.json").read_text(encoding="utf-8"))] if base is not None else []
    configs += [config for config in (shipped(role),) if config is not None]
    mismatches = [misfits(tensors, config) for config in configs]
    if [] not in mismatches:
        raise UserError(
            f"{named} does not fit {MODELS[role].title}.",
            f"Missing, unexpected or misshapen: {', '.join(min(mismatches, key=len)[:6])}.",
            "Give a file of that network.",
        )
    save(tensors, configs[mismatches.index([])], folder)
    tokenizer = base or (tokenizer_from_hub(MODELS[role]) if role in _WITH_TOKENIZER else None)
    for file in files_of(tokenizer, TOKENIZER_FILES) if tokenizer is not None else ():
        shutil.copyfile(file, folder / file.name)


def save_copy(role: str, state: Mapping[str, Tensor], folder: Path, zoo: Zoo, named: str) -> None:
    """Write the copy of a model that a checkpoint contains to a folder that is read like the role's own.

    A CLIP is written by :func:`save_clip`; another model in its authors' names, with the configuration in ``zoo``.
    """
    if role in _CLIPS:
        save_clip(role, state, folder, zoo, named)
        return
    save_single(state, folder)
    config = None if (base := _base(role, zoo)) is None else base / "config.json"
    if config is not None and config.exists():
        shutil.copyfile(config, folder / config.name)


def _base(role: str, zoo: Zoo) -> Path | None:
    """The role's folder among the models of the run; None if it is not on this machine."""
    if zoo.source == "hub":
        return None
    try:
        return zoo.folder(role)
    except UserError:
        return None


def _folder_of(role: str, path: Path, store: Path, trust_pickle: bool) -> Path:
    """A folder with the tensors of one published file; made once per content."""
    if not MODELS[role].one_file:
        raise UserError(
            f"--weights {role}={path} is one file.",
            f"{MODELS[role].title} needs several: {', '.join(MODELS[role].files)}.",
            "Put them into one folder and give that folder.",
        )

    def fill(partial: Path) -> None:
        from bench.training.checkpoint import read

        save_single(read(path, trust_pickle), partial)

    return build_atomically(_converted_folder(role, path, store), fill)


def save_single(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the tensors of a model that is one file."""
    from safetensors.torch import save_file

    # Cloned because one tensor may be stored under several names, as CycleISP's activation is.
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
