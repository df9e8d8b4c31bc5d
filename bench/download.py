"""Download files: resumed where they were interrupted, checked against their checksums, once for all processes."""

from __future__ import annotations

import hashlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bench.errors import BenchError, DownloadError, UserError
from bench.progress import Progress

if TYPE_CHECKING:
    from http.client import HTTPResponse

_CHUNK = 1 << 20
_ATTEMPTS = 3
#: HTTP's answers to a request for the rest of a file: here it is; there is no rest.
_PARTIAL, _NO_REST = 206, 416


@dataclass(frozen=True)
class Remote:
    """Something that can be downloaded: files of a repository on the Hugging Face Hub, or the file at a ``url``.

    ``files`` are patterns of names in the repository. ``sha256`` or ``md5`` are hex digits, or the first of them.
    ``size`` is for people. ``saved_as`` is the file's name here, if that at the ``url`` is too common. ``unpack``: it
    is a zip archive, which is unpacked where it lies.
    """

    size: str
    hub: str = ""
    kind: Literal["model", "dataset"] = "model"
    revision: str = "main"
    files: tuple[str, ...] = ()
    url: str = ""
    sha256: str = ""
    md5: str = ""
    saved_as: str = ""
    unpack: bool = False

    @property
    def name(self) -> str:
        """Where it is, for people."""
        prefix = "datasets/" if self.kind == "dataset" else ""
        return self.url or f"https://huggingface.co/{prefix}{self.hub}: {', '.join(self.files) or 'all files'}"


def fetch(remote: Remote, folder: Path | None, progress: Progress) -> list[Path]:
    """Download what is missing to a folder; without one, to the cache of the Hub's library or of torch.

    Returns the files. Raises UserError if something cannot be downloaded or has changed.
    """
    if remote.url:
        path = (folder or _torch_cache()) / (remote.saved_as or file_name(remote.url))
        from_url(remote.url, path, progress, sha256=remote.sha256, md5=remote.md5)
        files = [path]
    else:
        files = _from_hub(remote, folder)
    for path in files if remote.unpack else ():
        _unpack(path, progress)
    return files


def _torch_cache() -> Path:
    """The folder in which torch keeps the files that it has downloaded."""
    from torch import hub

    return Path(hub.get_dir()) / "checkpoints"


def from_url(url: str, path: Path, progress: Progress, *, sha256: str = "", md5: str = "") -> None:
    """Download a file to ``path`` unless it is there. An interrupted download lies beside it and is continued.

    Raises DownloadError if the server cannot be reached or the checksum differs.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.is_file():
            return
        for attempt in range(_ATTEMPTS):
            try:
                _append_rest(url, part, progress)
                break
            except (URLError, OSError) as error:
                if attempt == _ATTEMPTS - 1 or isinstance(error, HTTPError):
                    raise DownloadError(
                        f"{url} could not be downloaded.",
                        f"{type(error).__name__}: {error}.",
                        f"Check the network and run the same command again: it continues. Or put the file at {path}.",
                    ) from error
        _check(part, url, sha256, md5)
        part.replace(path)


def _append_rest(url: str, part: Path, progress: Progress) -> None:
    """Download what ``part`` lacks of a file; all of it if the server cannot send a part."""
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer: HTTPResponse = urlopen(request, timeout=60)
    except HTTPError as error:
        if have and error.code == _NO_REST:
            return  # It was complete, and only its checksum was left to compare.
        raise
    with answer:
        rest = answer.status == _PARTIAL
        expected = int(answer.headers.get("Content-Length") or 0)
        received = 0
        title = f"downloading {file_name(url)} (MiB)"
        with progress.stage(title, max(1, expected // _CHUNK)) as stage, part.open("ab" if rest else "wb") as file:
            while data := answer.read(_CHUNK):
                file.write(data)
                received += len(data)
                progress.advance(stage, len(data) // _CHUNK)
    if received < expected:
        raise OSError(f"the connection ended after {received} of {expected} bytes")


def file_name(url: str) -> str:
    """The name of the file at an address."""
    return PurePosixPath(urlsplit(url).path).name


def _check(part: Path, url: str, sha256: str, md5: str) -> None:
    """Delete a download and raise DownloadError if its checksum is not the expected one."""
    for name, expected in (("sha256", sha256), ("md5", md5)):
        if not expected:
            continue
        with part.open("rb") as file:
            found = hashlib.file_digest(file, name).hexdigest()
        if not found.startswith(expected):
            part.unlink()
            raise DownloadError(
                f"{url} is not the file that is known.",
                f"Its {name} is {found}, and should begin with {expected}.",
                "Run the command again. If it stays so, the file was replaced at its source: get it elsewhere.",
            )


def _from_hub(remote: Remote, folder: Path | None) -> list[Path]:
    """The files of a repository on the Hub that match the patterns, in a folder or in the library's cache."""
    from huggingface_hub import snapshot_download

    patterns = list(remote.files) or None
    with explained(remote.name):
        where: dict[str, Any] = {"repo_type": remote.kind, "revision": remote.revision, "local_dir": folder}
        home = Path(snapshot_download(remote.hub, allow_patterns=patterns, **where))
    found = [path for pattern in remote.files or ("*", "**/*") for path in sorted(home.glob(pattern)) if path.is_file()]
    files = [path for path in dict.fromkeys(found) if ".cache" not in path.relative_to(home).parts]
    broken = [home / name for name in remote.files if (home / name).is_symlink() and not (home / name).exists()]
    if broken:
        raise DownloadError(
            f"{broken[0]} is a broken link.", "The file in the cache is gone.", "Delete the link, and run this again."
        )
    if not files:
        raise DownloadError(
            f"{remote.hub} has none of {', '.join(remote.files) or 'its files'}.",
            f"Looked at its revision {remote.revision}, which is at {home}.",
            f"Its owners have changed it. See {remote.name.partition(': ')[0]}.",
        )
    for path in files:
        _check(path, f"{remote.hub}: {path.name}", _digest_at_the_hub(path, home), "")
    return files


def _digest_at_the_hub(path: Path, home: Path) -> str:
    """The SHA-256 that the Hub gave for a large file; empty for a small one, which git keeps.

    The library names the file in its cache by it, or writes it beside a copy in a folder of one's own.
    """
    note = home / ".cache" / "huggingface" / "download" / f"{path.relative_to(home).as_posix()}.metadata"
    told = note.read_text(encoding="utf-8").split()[1:2] if note.is_file() else [path.resolve().name]
    return told[0] if told and re.fullmatch(r"[0-9a-f]{64}", told[0]) else ""


#: What helps if the Hub's library cannot download something.
_FIX = (
    "Check the network (and HF_ENDPOINT, HF_HUB_OFFLINE); log in with `hf auth login` if it is gated. What was "
    "downloaded is kept: run the same command again."
)


@contextmanager
def explained(what: str, problem: str = "could not be downloaded", fix: str = _FIX) -> Iterator[None]:
    """Errors of the Hub's libraries become one that says what to do: ``what`` ``problem``.

    A DownloadError if they are of the network, a disk or the Hub; a UserError if the content is not as expected.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except (HfHubHTTPError, OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        kind = DownloadError if isinstance(error, HfHubHTTPError | OSError) else UserError
        line = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        reason = f"{type(error).__name__}: {line.strip()[:600].rstrip('.')}."
        raise kind(f"{what} {problem}.", reason, fix) from error


def _unpack(path: Path, progress: Progress) -> None:
    """Unpack a zip archive beside it. Files that are there in their full size are not written again."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            with progress.stage(f"unpacking {path.name}", len(members)) as stage:
                for member in members:
                    target = path.parent / member.filename
                    if not (target.is_file() and target.stat().st_size == member.file_size):
                        archive.extract(member, path.parent)
                    progress.advance(stage)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError) as error:
        raise BenchError(
            f"{path} could not be unpacked.",
            f"{type(error).__name__}: {error}.",
            "Unpack it with 7z, or fetch it again.",
        ) from error
