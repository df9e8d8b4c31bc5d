"""Downloads: continued where they were interrupted, checked, and never taken for what they are not."""

import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.download import Remote, fetch, from_url
from bench.errors import BenchError, UserError
from bench.progress import Progress

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """A server of one file; ``cuts`` are the numbers of bytes after which its next connections break off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("Range"))
            start = int(asked[-1].removeprefix("bytes=").rstrip("-")) if asked[-1] else 0
            if self.path == "/none.bin":
                self.send_error(404)
            elif start >= len(CONTENT):
                self.send_error(416)
            else:
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(CONTENT) - start))
                self.end_headers()
                self.wfile.write(CONTENT[start : start + cuts.pop(0) if cuts else None])

        def log_message(self, *_):
            """Print nothing."""

    asked, cuts = [], []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    running.asked, running.cuts, running.url = asked, cuts, f"http://127.0.0.1:{running.server_port}/file.bin"
    yield running
    running.shutdown()


def test_a_broken_connection_is_continued_where_it_ended(server, tmp_path):
    server.cuts += [1_000_000, 2_000_000]
    from_url(server.url, tmp_path / "a" / "file.bin", Progress(), sha256=SHA256)
    assert (tmp_path / "a" / "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=3000000-"]
    from_url(server.url, tmp_path / "a" / "file.bin", Progress(), sha256=SHA256)
    assert len(server.asked) == 3  # It is there.


def test_an_interrupted_download_is_continued_by_the_next_command(server, tmp_path):
    server.cuts += [500_000] * 3
    with pytest.raises(UserError, match=r"file.bin could not be downloaded") as caught:
        from_url(server.url, tmp_path / "file.bin", Progress())
    assert "it continues" in caught.value.fix
    assert caught.value.exit_code == 1
    assert (tmp_path / "file.bin.part").stat().st_size == 1_500_000
    assert not (tmp_path / "file.bin").exists()
    from_url(server.url, tmp_path / "file.bin", Progress(), sha256=SHA256[:8])
    assert server.asked[-1] == "bytes=1500000-"
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_complete_part_is_only_checked(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    from_url(server.url, tmp_path / "file.bin", Progress(), md5=hashlib.md5(CONTENT).hexdigest())
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_another_file_than_the_known_one_is_refused_and_deleted(server, tmp_path):
    with pytest.raises(UserError, match="is not the file that is known") as caught:
        from_url(server.url, tmp_path / "file.bin", Progress(), sha256="0" * 64)
    assert SHA256 in caught.value.context
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_missing_file_is_not_asked_for_again(server, tmp_path):
    with pytest.raises(UserError, match="could not be downloaded"):
        from_url(server.url.replace("file.bin", "none.bin"), tmp_path / "none.bin", Progress())
    assert len(server.asked) == 1


def test_a_zip_archive_is_unpacked_and_not_again(tmp_path):
    archive = tmp_path / "data" / "set.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("dalle2/1.png", b"one")
        made.writestr("dalle2/2.png", b"two")
    there = Remote("1 KB", url="http://127.0.0.1:9/set.zip?download=1", unpack=True)
    assert fetch(there, tmp_path / "data", Progress()) == [archive]
    (tmp_path / "data" / "dalle2" / "1.png").write_bytes(b"own")  # As long as the archive's: it is left alone.
    fetch(there, tmp_path / "data", Progress())
    assert (tmp_path / "data" / "dalle2" / "1.png").read_bytes() == b"own"
    assert (tmp_path / "data" / "dalle2" / "2.png").read_bytes() == b"two"


@pytest.mark.parametrize("damage", ["stream", "encrypted"])
def test_an_archive_that_cannot_be_unpacked_is_one_message(tmp_path, damage):
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("1.png", bytes(range(256)) * 40)
    data = bytearray(archive.read_bytes())
    if damage == "stream":
        data[40:60] = b"\xff" * 20  # zlib refuses what is compressed here.
    else:
        data[6] |= 1  # The bit of encryption, in the member's header and in the directory.
        data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(BenchError, match="could not be unpacked") as caught:
        fetch(Remote("1 KB", url="http://127.0.0.1:9/set.zip", unpack=True), tmp_path, Progress())
    assert "7z" in caught.value.fix


def repository(home, files, kind="models", owner="own", name="er"):
    """The Hub library's cache with one repository, as it writes it: large files are named by their SHA-256."""
    folder, commit = home / f"{kind}--{owner}--{name}", "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    for file, (content, blob) in files.items():
        (folder / "blobs").mkdir(exist_ok=True)
        (folder / "blobs" / blob).write_bytes(content)
        place = folder / "snapshots" / commit / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(folder / "blobs" / blob)
    return folder / "snapshots" / commit


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the Hub's library, which works offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_files_of_the_hub_are_found_in_its_cache_without_a_network(cache):
    home = repository(cache, {"a/x.pth": (CONTENT, SHA256), "README.md": (b"small", "1" * 40)})
    assert fetch(Remote("", hub="own/er", files=("a/x.pth",)), None, Progress()) == [home / "a" / "x.pth"]
    assert fetch(Remote("", hub="own/er", files=("README.md",)), None, Progress()) == [home / "README.md"]
    with pytest.raises(UserError, match=r"own/er has none of a/y.pth"):
        fetch(Remote("", hub="own/er", files=("a/y.pth",)), None, Progress())


def test_a_damaged_file_in_the_cache_is_refused(cache):
    repository(cache, {"a/x.pth": (CONTENT[:-1], SHA256)})
    with pytest.raises(UserError, match="is not the file that is known"):
        fetch(Remote("", hub="own/er", files=("a/x.pth",)), None, Progress())


def test_a_broken_link_in_the_cache_is_named(cache):
    home = repository(cache, {"a/x.pth": (CONTENT, SHA256)})
    (home / "a" / "x.pth").resolve().unlink()
    with pytest.raises(UserError, match=r"x.pth is a broken link"):
        fetch(Remote("", hub="own/er", files=("a/x.pth",)), None, Progress())


def test_what_is_not_cached_is_one_message(cache):
    with pytest.raises(UserError, match=r"huggingface.co/datasets/own/er: all files could not be downloaded") as caught:
        fetch(Remote("1 TB", hub="own/er", kind="dataset"), cache.parent / "data", Progress())
    assert "HF_HUB_OFFLINE" in caught.value.fix
