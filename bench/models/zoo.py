"""From a role to files: the miniature's, the Hub's, or a person's own folder (``--models mini|hub|DIR``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from bench.errors import UserError, unknown
from bench.models.catalogue import MODELS, Model
from bench.models.embedded import unpack_weights
from bench.recipe import content_key


def files_of(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a model that are loaded, sorted by path."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def hash_of(folder: Path, files: list[Path]) -> str:
    """Content hash of files by their relative names and bytes."""
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append([path.relative_to(folder).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()])
    return content_key(digests)


class Zoo:
    """The models of one run; ``source`` is ``mini``, ``hub`` or a folder with one sub-folder a role.

    ``own`` are folders of single roles that go before it. The miniature's weights are unpacked below ``store``.
    """

    def __init__(self, source: str, own: Mapping[str, Path] | None = None, store: Path = Path("store")) -> None:
        for role, folder in (own or {}).items():
            files = self.model(role).files
            if not files_of(folder, files):
                raise UserError(
                    f"--weights {role}={folder} holds no weights of {role}.",
                    f"Looked for {', '.join(files)} in {folder.absolute()}.",
                    _remedy(MODELS[role]),
                )
        self._own = dict(own or {})
        if source not in ("mini", "hub") and not Path(source).is_dir():
            raise UserError(
                f"--models {source!r} is neither mini, hub nor a folder.",
                f"Looked for a folder at {Path(source).absolute()}.",
                f"Name a folder that holds one sub-folder a role: {', '.join(sorted(MODELS))}.",
            )
        self.source, self._store = source, store
        self._hashes: dict[str, str] = {}

    @cached_property
    def is_mini(self) -> bool:
        """Whether the embedded miniature weights are used."""
        return self.source == "mini"

    @cached_property
    def _root(self) -> Path:
        if not self.is_mini:
            return Path(self.source)
        try:
            return unpack_weights(self._store)
        except OSError as error:
            raise UserError(
                f"The miniature's weights cannot be unpacked below --store {self._store}.",
                f"{type(error).__name__}: {error.strerror or error}.",
                "Name a folder that can be written, with 60 MB to spare.",
            ) from error

    def model(self, role: str) -> Model:
        """The catalogue's entry. Raises UserError for an unknown role."""
        if role not in MODELS:
            raise unknown("model role", role, MODELS)
        return MODELS[role]

    def folder(self, role: str) -> Path:
        """The folder of a role's files. Raises UserError naming the way to get what is missing."""
        model = self.model(role)
        if role in self._own:
            return self._own[role]
        if self.source == "hub" and model.hub:
            return _from_hub(model)
        name = model.mini if self.is_mini else role
        folder = self._root / name
        if not name or not files_of(folder, model.files):
            raise UserError(
                f"The weights of {role} ({model.title}) are not there.",
                f"--models {self.source} has {_listing(folder.parent)}.",
                _remedy(model),
            )
        return folder

    def hash(self, role: str) -> str:
        """Content hash of a role's files, computed once a run."""
        if role not in self._hashes:
            folder = self.folder(role)
            self._hashes[role] = hash_of(folder, files_of(folder, self.model(role).files))
        return self._hashes[role]

    def size(self, role: str) -> int:
        """Bytes of a role's files."""
        return sum(path.stat().st_size for path in files_of(self.folder(role), self.model(role).files))

    def known(self) -> dict[str, str]:
        """The hashes computed so far, by role."""
        return dict(self._hashes)


def _remedy(model: Model) -> str:
    single = f"--weights {model.role}=FILE, its authors' file, or " if model.one_file else ""
    files = ", ".join(model.files)
    own = f"name your own by {single}--weights {model.role}=FOLDER (or DIR/{model.role} and --models DIR) with {files}."
    return f"Use --models hub (downloads {model.hub}), or {own}" if model.hub else f"The Hub has it not: {own}"


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return ", ".join(names) or "nothing"


def _from_hub(model: Model) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=list(model.files)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The weights of {model.role} could not be had from the Hub: {model.hub}.",
            f"{type(error).__name__}: {reason}",
            "Check the network or the Hub cache (HF_HOME), or use --models DIR with your own copy.",
        ) from error
