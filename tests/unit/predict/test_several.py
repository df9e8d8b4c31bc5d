"""What is scored is kept, goes on after an interruption, and is not taken for another file or detector."""

import json

from bench.predict.several import Digest, Kept, _shared


def line(path, **more):
    return {"path": str(path), "method": "m", "logit": 1.0, "threshold": 0.0, "label": None, "status": "ok"} | more


def test_lines_are_found_again_until_file_or_detector_change(tmp_path):
    image = tmp_path / "a.png"
    image.write_bytes(b"one")
    for file in (None, tmp_path / "kept.jsonl"):
        kept = Kept(file)
        kept.add("fit", [line(image)])
        kept.add("fit", [])
        assert kept.of("fit", image) == line(image)
        assert kept.of("other", image) is None
    again = Kept(tmp_path / "kept.jsonl")
    assert again.of("fit", image) == line(image)
    image.write_bytes(b"another")
    assert again.of("fit", image) is None
    again.remove()
    assert not (tmp_path / "kept.jsonl").exists()


def test_a_line_that_was_cut_off_is_made_again(tmp_path):
    images = [tmp_path / f"{n}.png" for n in range(2)]
    for image in images:
        image.write_bytes(b"x")
    file = tmp_path / "kept.jsonl"
    Kept(file).add("fit", [line(image) for image in images])
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    kept = Kept(file)
    assert [kept.of("fit", image) is None for image in images] == [False, True]
    kept.add("fit", [line(images[1])])
    assert file.read_bytes() == whole
    assert Kept(file).of("fit", images[1]) == line(images[1])
    json.loads(file.read_text().splitlines()[1])


def test_a_digest_counts_all_and_shows_the_first(tmp_path):
    more = {"verdict": "fake", "disagreement": True}
    lines = [line(n, method=m, **more, **({"label": 1} if n == 2 else {})) for n in range(3) for m in "ab"]
    lines[-1]["status"] = "unreadable"
    digest = Digest(iter(lines), 1)
    assert list(digest) == lines
    assert digest.shown == lines[:2]
    assert (digest.images, digest.divided, digest.failed) == (3, 3, 1)
    assert [one["path"] for one in digest.labelled] == ["2", "2"]
    assert digest.verdicts["a"]["fake"] == 3


def test_images_with_the_bytes_of_photographs_are_counted(tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, data in zip(files, (b"one", b"one", b"two"), strict=True):
        file.write_bytes(data)
    assert _shared(files[1:], files[:1]) == 1
    assert _shared(files, []) == 0
