"""What others submit joins a board if it is of the board's test images."""

import json

import pytest

from bench.errors import UserError
from bench.report.publish import publish
from bench.report.write import write_report
from bench.results import submitted, summary
from bench.results.folder import Results
from tests.golden.test_report import fill

SLICES = {f"genimage-{s}-test@{p}": {"key": f"{s} {p}"} for s in ("sdv14", "sdv15", "biggan", "adm") for p in ("raw",)}


def folder(root, **slices):
    """The golden folder, with other slice keys by name."""
    made = fill(root)
    known = {name: facts | {"key": slices.get(name, facts["key"])} for name, facts in SLICES.items()}
    known["genimage-sdv14-train@raw"] = {"key": slices.get("train", "training images")}
    made.run.write_text(json.dumps({"slices": known}))
    return made


def label(line):
    return f"{line.method}[{line.variant}]" if line.variant else line.method


def test_detectors_on_the_boards_images_join_it_with_their_numbers(tmp_path):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given")
    added = submitted.add(board, given, "A lab", "https://example.org")
    found = submitted.read(board.submitted)
    theirs = summary.read(given.summary)
    wanted = theirs.query("protocol == 'raw' and perturbation == 'none' and task == 'detect'")
    cards = json.loads(given.cards.read_text())
    wanted = wanted[[cards[label(line)]["kind"] == "detector" for line in wanted.itertuples()]]
    assert len(found) == len(wanted) == added.rows > 100
    assert set(found["name"]) == {"A lab"}
    assert set(found["training"]) == {"same"}
    assert found["value"].sum() == pytest.approx(wanted["value"].sum(), abs=1e-6)
    assert added.left_out["a subset or protocol that the board does not have"] > 0  # Aligned, of which no key is known.
    assert added.left_out["not a detector"] > 0
    assert write_report(board).tables.count("submitted") == 1
    table = (board.tables / "submitted.md").read_text()
    assert "[A lab](https://example.org)" in table
    assert "**genimage, trained on sdv14, raw → raw**" in table


def test_the_same_name_replaces_and_another_is_added(tmp_path):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given", train="others")
    one = submitted.add(board, given, "A lab", "").rows
    submitted.add(board, given, "A lab", "")
    assert len(submitted.read(board.submitted)) == one
    submitted.add(board, given, "Another", "")
    found = submitted.read(board.submitted)
    assert found["name"].value_counts().to_dict() == {"A lab": one, "Another": one}
    assert set(found["training"]) == {"other"}


def test_other_test_images_and_averages_over_them_are_left_out(tmp_path):
    board = folder(tmp_path / "board")
    given = folder(tmp_path / "given", **{"genimage-adm-test@raw": "a smaller draw"})
    added = submitted.add(board, given, "A lab", "")
    found = submitted.read(board.submitted)
    assert set(found["subset"]) == {"sdv14", "sdv15", "biggan"}
    assert added.left_out["not the board's test images"] > 0
    none = folder(tmp_path / "none", **dict.fromkeys(SLICES, "others"))
    with pytest.raises(UserError, match="nothing that can stand on"):
        submitted.add(board, none, "A third", "")
    assert len(submitted.read(board.submitted)) == len(found)


def test_a_board_that_is_published_again_keeps_them(tmp_path):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given")
    for part in (board.costs, board.images, board.citations):
        part.write_text("{}")
    publish(board, tmp_path / "published")
    published = Results(tmp_path / "published")
    submitted.add(published, given, "A lab", "")
    rows = len(submitted.read(published.submitted))
    publish(board, tmp_path / "published")
    assert len(submitted.read(published.submitted)) == rows
    assert "A lab" in (published.tables / "submitted.md").read_text()
