"""Detectors' weights that somebody has released, read from ``released.toml`` beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from bench.download import Remote, fetch, file_name
from bench.errors import UserError, unknown
from bench.progress import Progress


class ReleasedFile(BaseModel):
    """A file of a detector's weights that can be downloaded, or the page on which it is.

    ``method`` is the detector with its variant, ``gramnet[aigc]``, and ``trained_on`` what its weights have seen.
    ``file`` is its name in the repository ``hub`` at ``revision``; or ``url`` is its address, with its ``sha256``.
    ``companions`` are other models that belong to it, by role: files of the same repository. ``page`` is where its
    authors describe it, and the only source if neither ``hub`` nor ``url`` is given. ``pickled``: reading it, or a
    companion, runs code that it contains.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    method: str
    trained_on: str
    hub: str = ""
    revision: str = "main"
    file: str = ""
    url: str = ""
    sha256: str = ""
    companions: Mapping[str, str] = {}
    page: str
    pickled: bool = False
    size: str
    licence: str

    @model_validator(mode="after")
    def _check(self) -> ReleasedFile:
        if bool(self.hub) != bool(self.file) or (self.hub and self.url):
            raise ValueError("hub with file, url or neither")
        return self

    @property
    def downloadable(self) -> bool:
        """Whether a program can get it."""
        return bool(self.hub or self.url)

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return self._remote(self.file).name if self.downloadable else self.page

    def _remote(self, file: str) -> Remote:
        """A file of the repository, or the one at the address: authors call theirs ``checkpoint-best.pth``."""
        if self.hub:
            return Remote(self.size, hub=self.hub, revision=self.revision, files=(file,))
        own = f"{self.name}-{file_name(self.url)}" if self.url else ""
        return Remote(self.size, url=self.url, sha256=self.sha256, saved_as=own)

    def _instead(self) -> str:
        """Other weights of the same method that a program can download."""
        base = self.method.partition("[")[0]
        others = [f.method for f in defaults().values() if f.downloadable and f.method.partition("[")[0] == base]
        return f" Or use '{others[0]}=hub', which is another port of it." if others else ""

    def get(self, progress: Progress) -> tuple[Path, dict[str, Path]]:
        """The file and its companions by role, downloaded into the caches if needed.

        Raises UserError, with the page to go to, if it cannot be downloaded.
        """
        if not self.downloadable:
            raise UserError(
                f"A program cannot download the weights of {self.method}.",
                f"They are linked from {self.page} ({self.size}; licence: {self.licence}).",
                f"Download them, and give the file: --checkpoint '{self.method}=FILE'.{self._instead()}",
            )
        (path,) = fetch(self._remote(self.file), None, progress)
        return path, {role: fetch(self._remote(file), None, progress)[0] for role, file in self.companions.items()}


def _load() -> dict[str, ReleasedFile]:
    entries = tomllib.loads(Path(__file__).with_name("released.toml").read_text(encoding="utf-8"))
    return {name: ReleasedFile.model_validate({"name": name, **entry}) for name, entry in entries.items()}


RELEASED: Mapping[str, ReleasedFile] = _load()


def defaults() -> dict[str, ReleasedFile]:
    """The first file of every method that has one, by the method with its variant."""
    found: dict[str, ReleasedFile] = {}
    for file in RELEASED.values():
        found.setdefault(file.method, file)
    return found


def released_file(method: str, name: str = "") -> ReleasedFile:
    """The released file of a method: the one called ``name``, or its default. Raises UserError if there is none."""
    own = {file.name: file for file in RELEASED.values() if file.method == method}
    if name in RELEASED and name not in own:
        right = RELEASED[name].method
        raise UserError(
            f"{name} is a file of {right}, not of {method}.",
            "Its network or its preprocessing differs.",
            f"Write --checkpoint '{right}=hub:{name}'.",
        )
    if name:
        if name not in own:
            raise unknown(f"released file of {method} that is called", name, own)
        return own[name]
    if not own:
        base = method.partition("[")[0]
        others = sorted({file.method for file in RELEASED.values() if file.method.partition("[")[0] == base} - {method})
        raise UserError(
            f"No released weights are known of {method}.",
            f"There are some of {', '.join(others or defaults())}.",
            f"Write --checkpoint '{others[0]}=hub'." if others else "Give a file: --checkpoint METHOD=FILE.",
        )
    return next(iter(own.values()))
