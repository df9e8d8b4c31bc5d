"""What others submit joins a board if it is of the board's test images."""

import json
from dataclasses import replace

import pytest

from bench.errors import UserError
from bench.report.publish import publish
from bench.report.write import write_report
from bench.results import submitted, summary
from bench.results.folder import Results
from tests.golden.test_report import fill
from tests.unit.report.folders import stand_in


def folder(root, train="training images"):
    """The golden folder; ``run.json`` names its training images."""
    made = fill(root)
    made.run.write_text(json.dumps({"slices": {"genimage-sdv14-train@raw": {"key": train}}}))
    return made


def of_other_images(made, subset):
    """Every score of a subset stands for another image than before."""
    for entry in made.read_matrix().entries:
        if entry.subset == subset and entry.scores:
            known = made.read_scores(entry.scores)
            others = replace(known, row_id=tuple(f"x{row[1:]}" for row in known.row_id))
            made.write_scores(made.root / entry.scores, others, "")
    return made


def label(line):
    return f"{line.method}[{line.variant}]" if line.variant else line.method


def test_detectors_on_the_boards_images_join_it_with_their_numbers(tmp_path):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given")
    added = submitted.add(board, given, "A lab", "https://example.org")
    found = submitted.read(board.submitted)
    theirs = summary.read(given.summary)
    wanted = theirs.query("perturbation == 'none' and task == 'detect'")
    cards = json.loads(given.cards.read_text())
    wanted = wanted[[cards[label(line)]["kind"] == "detector" for line in wanted.itertuples()]]
    assert len(found) == len(wanted) == added.rows > 100
    assert set(found["name"]) == {"A lab"}
    assert set(found.query("train_protocol == 'raw'")["training"]) == {"same"}
    assert set(found.query("train_protocol == 'aligned'")["training"]) == {"other"}  # Their key is not known.
    assert found["value"].sum() == pytest.approx(wanted["value"].sum(), abs=1e-6)
    assert added.left_out["not a detector"] > 0
    fits = {e.fit for e in board.read_matrix().entries if e.scores and cards[label(e)]["kind"] == "detector"}
    assert added.own == len(fits)  # Both folders have the same made-up fits.
    assert set(found["origin"]) == {"submitted"}
    assert write_report(board, False).tables.count("submitted") == 1
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
    board, given = folder(tmp_path / "board"), of_other_images(folder(tmp_path / "given"), "adm")
    added = submitted.add(board, given, "A lab", "")
    found = submitted.read(board.submitted)
    assert set(found["subset"]) == {"sdv14", "sdv15", "biggan"}
    assert added.left_out["not the board's test images"] > 0
    for subset in ("sdv14", "sdv15", "biggan"):
        of_other_images(given, subset)
    with pytest.raises(UserError, match="nothing that can stand on"):
        submitted.add(board, given, "A third", "")
    assert len(submitted.read(board.submitted)) == len(found)


@pytest.mark.parametrize("title", ["Best | of all", "<img src=x>", "[x](javascript:alert)", "a\nb"])
def test_a_title_that_a_table_would_read_as_markup_is_refused(tmp_path, title):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given")
    cards = json.loads(given.cards.read_text())
    cards["alpha"]["title"] = title
    given.cards.write_text(json.dumps(cards))
    with pytest.raises(UserError, match="cannot stand in a table"):
        submitted.add(board, given, "A lab", "")
    assert not board.submitted.exists()


def test_a_board_that_is_published_again_keeps_them(tmp_path):
    board, given = folder(tmp_path / "board"), folder(tmp_path / "given")
    stand_in(board, "costs", "images", "citations")
    publish(board, tmp_path / "published", figures=False)
    published = Results(tmp_path / "published")
    submitted.add(published, given, "A lab", "")
    rows = len(submitted.read(published.submitted))
    publish(board, tmp_path / "published", figures=False)
    assert len(submitted.read(published.submitted)) == rows
    assert "A lab" in (published.tables / "submitted.md").read_text()
