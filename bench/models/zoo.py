"""Find the files of a role: the miniature's, the Hub's or a user's (``--models mini|hub|DIR``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bench.download import Remote, fetch
from bench.errors import DownloadError, UserError, unknown, what_is
from bench.models.catalogue import MODELS, Model
from bench.models.embedded import unpack_weights
from bench.numerics import REFERENCE, Numerics
from bench.progress import Progress
from bench.recipe import Recipe, content_key

Own = Mapping[str, Path] | None
_STORE = Path("store")
#: The files of a CLIP tokenizer, in either of its formats.
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")


def files_of(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a model that are loaded, sorted by path."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


class _Digests:
    """SHA-256 of files, cached in the store as long as size and modification time do not change."""

    def __init__(self, store: Path) -> None:
        self._file = store / "index" / "weights.jsonl"
        self._known: dict[str, tuple[list[int], str]] = {}
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    path, stamp, digest = json.loads(line)
                except ValueError:
                    continue  # A run was killed while it wrote its last line.
                self._known[path] = (stamp, digest)

    def of(self, path: Path) -> str:
        """The digest of a file."""
        status = path.stat()
        name, stamp = str(path.absolute()), [status.st_size, status.st_mtime_ns]
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[name] = (stamp, digest)
        with suppress(OSError):  # If the cache is not writable, the next run computes it again.
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, stamp, digest]) + "\n")
        return digest


class Zoo:
    """The models of one run; ``source`` is ``mini``, ``hub`` or a folder with one sub-folder per role.

    ``own`` gives folders of single roles, used instead of those of ``source``. The miniature's weights are unpacked
    below ``store``. ``numerics`` says how they are evaluated. Raises UserError for a source that does not exist.
    """

    def __init__(self, source: str, own: Own = None, store: Path = _STORE, numerics: Numerics = REFERENCE) -> None:
        self.numerics = numerics
        self._own: dict[str, Path] = {}
        self._hashes: dict[str, str] = {}
        self._commits: dict[str, str] = {}
        self._checked_folders: set[Path] = set()
        self._digests = _Digests(store)
        for role, folder in (own or {}).items():
            self.adopt(role, folder)
        if source not in ("mini", "hub") and not Path(source).is_dir():
            raise UserError(
                f"--models {source!r} is neither mini, hub nor a folder.",
                f"Looked for a folder at {Path(source).absolute()}.",
                f"Name a folder with one sub-folder per role: {', '.join(sorted(MODELS))}.",
            )
        self.source, self._store = source, store

    def adopt(self, role: str, folder: Path) -> None:
        """Take a role's files from ``folder`` from now on. Raises UserError if it does not contain the weights."""
        model = self.model(role)
        if not files_of(folder, model.files):
            raise UserError(
                f"--weights {role}={folder} holds no weights of {role}.",
                f"Looked for {', '.join(model.files)} in {folder.absolute()}.",
                _fix_for(model),
            )
        _check_complete(model, folder)
        self._own[role] = folder
        self._hashes.pop(role, None)

    def names(self, role: str) -> bool:
        """Whether a role has its own folder, used instead of that of all models."""
        return role in self._own

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
                "Name a writable folder with 60 MB of free space.",
            ) from error

    def model(self, role: str) -> Model:
        """The catalogue's entry of a role. Raises UserError for an unknown role."""
        if role not in MODELS:
            raise unknown("model role", role, MODELS)
        return MODELS[role]

    def folder(self, role: str) -> Path:
        """A role's folder, downloaded if needed. Raises UserError with a way to get the files if some are missing."""
        model = self.model(role)
        if role in self._own:
            return self._own[role]
        if self.source == "hub" and (model.hub or model.downloads):
            folder = _from_hub(model) if model.hub else _from_urls(model)
            if model.hub:
                self._commits[role] = folder.name  # The cache names its snapshots by commit.
            return self._checked(model, folder)
        name = model.mini if self.is_mini else role
        folder = self._root / name
        if not name or not folder.is_dir():
            raise UserError(
                f"The weights of {role} ({model.title}) are missing.",
                f"--models {self.source} contains {_listing(folder.parent)}.",
                _fix_for(model),
            )
        return self._checked(model, folder)

    def _checked(self, model: Model, folder: Path) -> Path:
        if folder not in self._checked_folders:
            _check_complete(model, folder)
            self._checked_folders.add(folder)
        return folder

    def hash(self, role: str) -> str:
        """Content hash of a role's files, computed once per run."""
        if role not in self._hashes:
            folder = self.folder(role)
            files = files_of(folder, self.model(role).files)
            self._hashes[role] = content_key([[f.relative_to(folder).as_posix(), self._digests.of(f)] for f in files])
        return self._hashes[role]

    def resolve(self, recipe: Recipe) -> Recipe:
        """The recipe with the content hashes and the numerics of these models filled in, in its inputs too."""
        return recipe.resolve({role: self.hash(role) for role in recipe.roles()}, self.numerics.describe())

    def digest(self, file: Path) -> str:
        """SHA-256 of a file, computed again only if the file has changed."""
        return self._digests.of(file)

    def size(self, role: str) -> int:
        """Total size of a role's files, in bytes."""
        return sum(path.stat().st_size for path in files_of(self.folder(role), self.model(role).files))

    def known(self) -> dict[str, str]:
        """The hashes computed so far, by role."""
        return dict(self._hashes)

    def commits(self) -> dict[str, str]:
        """The commits of the Hub's repositories that were used so far, by role."""
        return dict(self._commits)


def _check_complete(model: Model, folder: Path) -> None:
    """Raise UserError for a folder that lacks a file of a model, or has something else instead of a file."""
    missing = [" or ".join(group) for group in model.required if not files_of(folder, group)]
    if missing:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        present = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise UserError(
            f"The weights of {model.role} ({model.title}) in {folder} are incomplete.",
            f"Missing: {', '.join(missing)}. Present: {present or 'nothing'}.",
            _fix_for(model),
        )
    broken = [f"{path} is {what}" for path in files_of(folder, model.files) if (what := what_is(path) or _cut(path))]
    if broken:
        raise UserError(f"The weights of {model.role} cannot be used.", f"{'; '.join(broken)}.", _fix_for(model))


def _cut(path: Path) -> str:
    """Why a file of weights is incomplete according to its own header; empty if it is complete or has no header."""
    if path.suffix != ".safetensors":
        return ""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            return ""
    except (SafetensorError, OSError) as error:
        return f"truncated, or not a safetensors file ({error})"


def _fix_for(model: Model) -> str:
    """How to get a model's files."""
    single = f"--weights {model.role}=FILE with its authors' file, or " if model.one_file else ""
    files = ", ".join(model.files)
    own = f"name your own with {single}--weights {model.role}=FOLDER (or DIR/{model.role} and --models DIR): {files}."
    if model.hub or model.downloads:
        return f"Use --models hub (downloads {model.where}, {model.size}), or {own}"
    return f"It is not on the Hub. Get {model.source}, and {own}"


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return ", ".join(names) or "nothing"


def _from_urls(model: Model) -> Path:
    """The folder of a model's files. Missing ones are downloaded into torch's cache and checked."""
    folder = Path()
    for url, sha256 in model.downloads.items():
        try:
            (path,) = fetch(Remote(model.size, url=url, sha256=sha256), None, Progress())
        except (UserError, OSError) as error:
            why = error.context if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            raise DownloadError(
                f"The weights of {model.role} ({model.title}) could not be downloaded from {url}.", why, _fix_for(model)
            ) from error
        folder = path.parent
    return folder


def _from_hub(model: Model) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=list(model.files)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        files = ", ".join(model.files)
        raise DownloadError(
            f"The weights of {model.role} ({model.title}) could not be downloaded from {model.hub}.",
            f"{type(error).__name__}: {reason}",
            "Check the network or the Hub cache (HF_HOME), or copy that repository's files and name them with "
            f"--weights {model.role}=FOLDER: {files}.",
        ) from error


def tokenizer_from_hub(model: Model) -> Path | None:
    """The folder of a model's tokenizer from the Hub or its cache, without weights; None if it is not available."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [*TOKENIZER, "special_tokens_map.json", "tokenizer_config.json"]
    try:
        folder = Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=patterns))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
    return folder if files_of(folder, TOKENIZER) else None
