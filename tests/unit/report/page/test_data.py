"""What the page shows is what the results say."""

import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.report.board import Board
from bench.report.page import data as page
from bench.report.page import write
from bench.report.page.pictures import embedded
from bench.report.page.write import write_page
from bench.report.write import write_report
from bench.results import illustrations
from bench.results.folder import Results
from bench.results.illustrations import Illustration
from tests.golden.test_report import fill


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = fill(tmp_path_factory.mktemp("page") / "run")
    write_report(made)
    return made


def test_every_value_is_the_boards(results):
    board, document = Board(results), page.Data(results, {}).document()
    assert document["label"] == board.label
    holes = numbers = 0
    for place, setting in enumerate(board.settings):
        shown = document["settings"][place]
        columns = document["columns"][shown["dataset"]]
        for m, ((metric, rule), *_) in enumerate(page.METRICS):
            for i, method in enumerate(document["methods"]):
                line = document["values"][place][m][i]
                for column, cell in zip(columns, line or [], strict=bool(line)):
                    value = board.value(setting, method["id"], column["id"], metric, rule)
                    if value.value is None:
                        assert cell == (value.reason or "not in the matrix")
                        holes += 1
                    else:
                        assert cell == page.thousandths([value.value, value.low, value.high])
                        numbers += 1
    assert (numbers > 500, holes > 0) == (True, True)


def test_scores_are_means_of_the_seeds_in_the_order_of_the_images(results):
    document = page.Data(results, {}).document()
    entry = next(e for e in results.read_matrix().entries if e.method == "alpha" and e.subset == "adm" and e.scores)
    place = next(
        i
        for i, s in enumerate(document["settings"])
        if all(s[name] == getattr(entry, name) for name in ("train_protocol", "protocol", "perturbation"))
    )
    method = str([m["id"] for m in document["methods"]].index("alpha"))
    seeds = [
        results.read_scores(e.scores)
        for e in results.read_matrix().entries
        if (e.method, e.subset, e.train_protocol, e.protocol, e.perturbation)
        == ("alpha", "adm", entry.train_protocol, entry.protocol, "none")
    ]
    rows = sorted(seeds[0].row_id)
    for row, shown in zip(rows, document["scores"][place][method]["adm"], strict=True):
        logits = [s.logit[s.row_id.index(row)] for s in seeds]
        if all(s.status[s.row_id.index(row)] == "ok" for s in seeds):
            assert shown == round(1000 * np.mean([1 / (1 + math.exp(-logit)) for logit in logits]))
        else:
            assert shown is None
    curve = document["curves"][place][method]["adm"]
    assert sum(curve["n"]) == sum(status == "ok" for s in seeds for status in s.status)


def test_the_page_is_whole_and_its_data_cannot_end_a_script(results):
    cards = json.loads(results.cards.read_text())
    before = results.cards.read_text()
    cards["alpha"]["deviations"] = ["</script><b>no & yes"]
    results.cards.write_text(json.dumps(cards))
    path, missing = write_page(results)
    results.cards.write_text(before)
    text = path.read_text(encoding="utf-8")
    assert (path.relative_to(results.root).as_posix(), missing) == ("report/index.html", 0)
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    told = json.loads(inside)["methods"]
    assert next(m for m in told if m["id"] == "alpha")["card"]["deviations"] == ["</script><b>no & yes"]
    assert text.count("</script>") == 4
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert "SARE, Table 1" in text


def test_pictures_are_of_the_tested_files_alone(results, tmp_path):
    folder = tmp_path / "images" / "genimage" / "adm"
    folder.mkdir(parents=True)
    for name in ("one.png", "two.png"):
        Image.fromarray(np.zeros((300, 200, 3), np.uint8)).save(folder / name)
    size = (folder / "one.png").stat().st_size
    lines = [
        ("adm/one.png", size, "ok"),
        ("adm/two.png", size + 1, "ok"),
        ("adm/3", 5, "ok"),
        ("adm/4", 5, "bad"),
    ]
    table = pd.DataFrame(lines, columns=["path", "bytes", "status"]).assign(dataset="genimage", role="test")
    table.to_parquet(results.images)
    found, missing = embedded(results, [tmp_path / "images"])
    results.images.unlink()
    assert (list(found), missing) == ([("genimage", "adm/one.png")], 2)
    assert found["genimage", "adm/one.png"].startswith("data:image/webp;base64,")
    assert embedded(results, [tmp_path / "images"]) == ({}, 0)


def test_a_table_keeps_its_bold_numbers_and_the_notes_around_it():
    text = "First.\n\n**Raw**\n\n| Method | null |\n|---|---|\n| A & B | **57.4** [51, 62] |\n\nLast <b>.\n"
    (found,) = write._sections("Nulls", text)
    assert (found.title, found.note, found.after) == ("Nulls: Raw", "First.", "Last <b>.")
    assert write.bold(found.lines[0][1]) == "<strong>57.4</strong> [51, 62]"
    assert write.bold("a <b> & **c <i>**") == "a &lt;b&gt; &amp; <strong>c &lt;i&gt;</strong>"


def test_a_folder_without_scores_or_costs_of_today_still_has_a_page(results, tmp_path):
    copy = Results(shutil.copytree(results.root, tmp_path / "copy"))
    shutil.rmtree(copy.root / "scores")
    copy.costs.write_text("kind,name,images,seconds\nfit,alpha,1,2.0\n")
    path, _ = write_page(copy)
    document = page.Data(copy, {}).document()
    assert path.exists()
    assert document["slices"] == []
    assert document["values"] == page.Data(results, {}).document()["values"]


def test_pictures_stay_inside_their_folder(results, tmp_path):
    secret = tmp_path / "secret.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(secret)
    (tmp_path / "images").mkdir()
    lines = [(path, secret.stat().st_size, "ok") for path in ("../secret.png", str(secret))]
    table = pd.DataFrame(lines, columns=["path", "bytes", "status"]).assign(dataset="genimage", role="test")
    table.to_parquet(results.images)
    found = embedded(results, [tmp_path / "images"])
    results.images.unlink()
    assert found == ({}, 2)


def test_tables_of_what_is_not_detection_have_their_figures(results, tmp_path):
    found = {table.title: table for table in write._more(results)}
    shift = found["Semantic shift, LPIPS Δ: genimage, raw"]
    assert shift.columns[0] == "generator"
    assert "Welch" in shift.note
    assert shift.picture.startswith("data:image/png;base64,")
    copy = Results(shutil.copytree(results.root, tmp_path / "copy"))
    shutil.rmtree(copy.figures)
    assert {table.picture for table in write._more(copy)} == {""}
    assert 'id="more"' in write_page(copy)[0].read_text(encoding="utf-8")
    shutil.rmtree(copy.tables)
    assert 'id="more"' not in write_page(copy)[0].read_text(encoding="utf-8")


def test_what_engines_made_stands_with_its_image(results, tmp_path):
    copy = Results(shutil.copytree(results.root, tmp_path / "copy"))
    document = page.Data(copy, {}).document()
    entry = next(e for e in copy.read_matrix().entries if e.method == "alpha" and e.subset == "adm" and e.scores)
    row = sorted(copy.read_scores(entry.scores).row_id)[3]
    place = (entry.dataset, entry.subset, entry.protocol, row)
    lines = [
        Illustration(*place, "text", "blip", "A", "a «dog»".encode()),
        Illustration(*place, "picture", "txt2img", "A, B", b"x"),
    ]
    illustrations.write(copy, lines, "key")
    told = page.Data(copy, {}).document()
    index = next(i for i, s in enumerate(told["slices"]) if (s["dataset"], s["subset"], s["protocol"]) == place[:3])
    images = told["slices"][index]["images"]
    assert images[3][4] == [
        ["text", "blip", "A", "a «dog»"],
        ["picture", "txt2img", "A, B", "data:image/webp;base64,eA=="],
    ]
    assert all(image[4] == [] for i, image in enumerate(images) if i != 3)
    assert all(image[4] == [] for s in document["slices"] for image in s["images"])


def test_tables_of_attribution_and_few_shots_are_named_by_their_place(results, tmp_path):
    copy = Results(shutil.copytree(results.root, tmp_path / "copy"))
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    for stem in ("attribution-raw-to-aligned", "fewshot-genimage-raw-to-raw"):
        (copy.tables / f"{stem}.md").write_text(table)
    (copy.tables / "fewshot-cut.md").write_text("No table.\n")
    titles = [table.title for table in write._more(copy)][1:]
    assert titles == ["Attribution to a generator: raw → aligned", "Few-shot detection: genimage, raw → raw"]
