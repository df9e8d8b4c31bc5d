"""Weights that a person names by role on the command line: ``--weights ROLE=FOLDER`` or ``ROLE=FILE``."""

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

#: CLIPs that their users fine-tuned and saved in OpenAI's layout: DE-FAKE's ``finetune_clip.pt``.
_CLIPS = ("clip_vit_b32", "clip_vit_l14")
#: Those whose text half is used, which needs a tokenizer.
_READ = ("clip_vit_b32",)
TOKENIZER_FILES = (*TOKENIZER, "special_tokens_map.json", "tokenizer_config.json", "preprocessor_config.json")


def own_weights(asked: Sequence[str], store: Path, models: str = "hub", trust_pickle: bool = False) -> dict[str, Path]:
    """Folders by role from ``ROLE=FOLDER`` and ``ROLE=FILE`` words; a file's tensors are put into one below ``store``.

    A CLIP's file in OpenAI's layout needs no configuration beside it, see :func:`save_clip`. Raises UserError for an
    unknown role, a path that is not there, a file where one alone is not enough, and a pickled module unless
    ``trust_pickle``.
    """
    found = {}
    for word in asked:
        role, _, place = word.partition("=")
        if not place:
            raise UserError(
                f"--weights {word} names no folder.",
                f"Roles: {', '.join(MODELS)}.",
                "Write --weights ROLE=FOLDER, or ROLE=FILE.",
            )
        if role not in MODELS:
            raise unknown("model role", role, MODELS)
        path = Path(place)
        if not path.exists():
            raise UserError(
                f"--weights {word}: {place} does not exist.",
                f"Looked at {path.absolute()}.",
                "Name a folder or a file.",
            )
        if path.is_file() and role in _CLIPS:
            found[role] = _clip_folder(role, path, store, Zoo(models, store=store), trust_pickle)
        else:
            found[role] = _folder_of(role, path, store, trust_pickle) if path.is_file() else path
        _check_readable(role, found[role])
    return found


def _check_readable(role: str, folder: Path) -> None:
    """Raise UserError for a file of tensors that is broken, before anything is computed with the others."""
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


def _place(role: str, path: Path, store: Path) -> Path:
    with path.open("rb") as file:
        return store / "weights" / f"{role}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _clip_folder(role: str, path: Path, store: Path, zoo: Zoo, trust_pickle: bool) -> Path:
    """A folder in the Hub's format with the tensors of one CLIP in OpenAI's layout; made once for each content."""

    def fill(partial: Path) -> None:
        from bench.training.checkpoint import read

        save_clip(role, read(path, trust_pickle), partial, zoo, f"--weights {role}={path}")

    return build_atomically(_place(role, path, store), fill)


def save_clip(role: str, state: Mapping[str, Tensor], folder: Path, zoo: Zoo, named: str) -> None:
    """Write a CLIP in OpenAI's layout as one of the Hub's format, with the configuration that it fits.

    That is the role's own among ``zoo``'s models, or the one that ships with the project; a tokenizer comes from the
    former, or from the Hub where the text half is used and it can be had. Raises UserError for another network.
    """
    from bench.nets.clip import misfits, save, to_transformers

    try:
        found = to_transformers(state)
    except KeyError as error:
        raise UserError(
            f"{named} is no CLIP in OpenAI's layout.",
            f"It has no {error.args[0]}.",
            f"Name a folder with {', '.join(MODELS[role].files)}.",
        ) from error
    base = _base(role, zoo)
    configs = [json.loads((base / "config.json").read_text(encoding="utf-8"))] if base is not None else []
    configs += [config for config in (shipped(role),) if config is not None]
    wrong = [misfits(found, config) for config in configs]
    if [] not in wrong:
        raise UserError(
            f"{named} is no {MODELS[role].title}.",
            f"Missing, not wanted or misshapen: {', '.join(min(wrong, key=len)[:6])}.",
            "Name a file of that network.",
        )
    save(found, configs[wrong.index([])], folder)
    words = base or (tokenizer_from_hub(MODELS[role]) if role in _READ else None)
    for file in files_of(words, TOKENIZER_FILES) if words is not None else ():
        shutil.copyfile(file, folder / file.name)


def _base(role: str, zoo: Zoo) -> Path | None:
    """The role's folder among the models of a run, if it is on this machine."""
    if zoo.source == "hub":
        return None
    try:
        return zoo.folder(role)
    except UserError:
        return None


def _folder_of(role: str, path: Path, store: Path, trust_pickle: bool) -> Path:
    """A folder with the tensors of one published file; made once for each content."""
    if not MODELS[role].one_file:
        raise UserError(
            f"--weights {role}={path} is one file.",
            f"{MODELS[role].title} takes several: {', '.join(MODELS[role].files)}.",
            "Put them into one folder and name that.",
        )

    def fill(partial: Path) -> None:
        from safetensors.torch import save_file

        from bench.training.checkpoint import read

        # Cloned, for one tensor may stand under many names, as CycleISP's activation does.
        tensors = {name: tensor.clone().contiguous() for name, tensor in read(path, trust_pickle).items()}
        save_file(tensors, partial / "model.safetensors")

    return build_atomically(_place(role, path, store), fill)
