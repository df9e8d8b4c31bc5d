"""The page of a results folder in a browser: it works without a network, by mouse and by keyboard, for everyone."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.results import illustrations
from bench.results.folder import Results
from tests.conftest import ROOT
from tests.e2e.conftest import bench

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="module")
def path(world, first, tmp_path_factory):
    """The page of a run's results, with its images."""
    copy = tmp_path_factory.mktemp("page") / "results"
    shutil.copytree(world.root / "a" / "results", copy)
    assert not (copy / "illustrations.parquet").exists()  # A user's own images are not copied without being asked for.
    done = bench("run", "--mistakes", "1", "--no-figures", *world.options(results=copy))
    assert done.returncode == 0, done.stderr
    assert bench("report", "--results", copy, "--embed-images", world.data).returncode == 0
    return copy / "report" / "index.html"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=[*_QUIET, "--disable-sync", "--no-first-run"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, path):
    """The open page; at the end, nothing was asked of a network and nothing was complained about."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("#ranking tbody tr")
    yield page
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    context.close()


def shows(page, number, texts):
    """Wait until a column of the leaderboard shows these texts: the table is drawn again some time after a click."""
    playwright.expect(page.locator(f"#ranking tbody tr td:nth-child({number})")).to_have_text(texts)


def test_the_leaderboard_is_sorted_and_filtered(page):
    names = page.locator("#ranking tbody tr td:nth-child(1)").all_inner_texts()
    assert {"GramNet", "DIRE", "container"} <= set(names)
    page.locator("#ranking thead th", has_text="Method").click()
    shows(page, 1, sorted(names, key=str.casefold))
    page.locator("#board input[type=search]").fill("gram")
    shows(page, 1, ["GramNet"])
    page.locator("#board input[type=search]").fill("")
    shows(page, 1, sorted(names, key=str.casefold))
    page.select_option("#kind", "statistic")
    shows(page, 3, ["baseline"] * 5)


def test_switches_change_every_number_and_are_kept_in_the_address(page, path):
    before = page.locator("#cells tbody").inner_text()
    page.select_option("#metric", label="ACC at 0.5")
    page.select_option("#protocols", "raw → raw")
    assert page.locator("#cells tbody").inner_text() != before
    assert "ACC at 0.5 in percent" in page.locator("#board-note").inner_text()
    assert "raw → raw" in page.locator("#board-note").inner_text()
    now, url = page.locator("#cells tbody").inner_text(), page.url
    page.goto("about:blank")
    page.goto(url)
    page.wait_for_selector("#ranking tbody tr")
    assert page.locator("#cells tbody").inner_text() == now


def test_the_matrix_shows_what_summary_csv_says(page, path):
    table = pd.read_csv(path.parents[1] / "summary.csv", keep_default_na=False)
    page.select_option("#protocols", "raw → raw")
    page.check("#intervals")
    chosen = (
        "method == 'gramnet' and train_protocol == protocol == 'raw' and perturbation == 'none' and metric == 'auc'"
    )
    shown = page.locator('#cells button[aria-label^="GramNet on "]').all_inner_texts()
    values = table.query(chosen).set_index("subset")["value"]
    order = [column["id"] for column in json.loads(page.locator("#data").text_content())["columns"]["genimage"]]
    known = [float(values[name]) for name in order if name in values and ":" not in name]
    assert [float(text.split()[0]) for text in shown] == pytest.approx([100 * value for value in known], abs=0.0501)


def test_colours_start_at_a_guess(page):
    """Of TPR at 5 % FPR that is 5 %; of an error without such a value, nothing is blue or red."""
    for metric, words in (("TPR at 5 % FPR", "White: a guess (5.0)"), ("ECE", "the larger the error")):
        page.select_option("#metric", label=metric)
        assert words in page.locator("#matrix-note").inner_text()
        cells = "cells => cells.map(c => [parseFloat(c.innerText), c.style.background.match(/\\d+/g).map(Number)])"
        for value, (red, _, blue) in page.locator("#cells td[data-at]").evaluate_all(cells):
            assert (red == blue) if metric == "ECE" else (blue > red) == (value > 5) or abs(value - 5) < 0.1


def test_an_image_is_found_by_keyboard_from_its_cell(page):
    button = page.locator("#cells button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("#cell-note").inner_text().startswith("Chosen: ")
    page.locator("#list tbody button").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#dialog")
    assert dialog.is_visible()
    assert "P(fake)" in dialog.inner_text()
    assert page.locator("#dialog-body > img.large").count() == 1
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    errors = page.locator("#list tbody tr td:nth-child(5)").all_inner_texts()
    assert errors == sorted(errors, key=lambda verdict: verdict != "wrong")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_need_not_scroll_sideways(browser, path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("#ranking tbody tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    found = Axe().run(page).response["violations"]
    serious = {
        v["id"]: [n["html"][:120] for n in v["nodes"][:3]] for v in found if v["impact"] in ("serious", "critical")
    }
    assert serious == {}
    context.close()


def test_images_that_are_not_there_are_told(path, tmp_path):
    refused = bench("report", "--results", path.parents[1], "--embed-images", tmp_path / "nowhere")
    assert (refused.returncode, "is not a folder" in refused.stderr) == (2, True)
    copy = shutil.copytree(path.parents[1], tmp_path / "results")
    (copy / "illustrations.parquet").unlink()
    (tmp_path / "empty").mkdir()
    empty = bench("report", "--results", copy, "--embed-images", tmp_path / "empty")
    assert (empty.returncode, "test images are not below" in empty.stderr) == (0, True)
    assert "data:image/webp" in path.read_text(encoding="utf-8")
    assert "data:image/webp" not in (copy / "report" / "index.html").read_text(encoding="utf-8")


def test_the_readmes_picture_shows_the_committed_board(tmp_path):
    subprocess.run([sys.executable, "-m", "tools.screenshot", tmp_path / "page.png"], cwd=ROOT, check=True)
    shown, kept = (Image.open(path) for path in (tmp_path / "page.png", ROOT / "docs" / "page.png"))
    assert shown.size == kept.size
    assert shown.convert("L").getextrema()[0] < 100 < 250 < shown.convert("L").getextrema()[1]


def test_a_mistake_shows_what_engines_made_of_the_image(page):
    page.select_option("#protocols", "raw → raw")
    page.locator("#cells tr", has_text="DIRE").locator("button").first.click()
    page.locator("#list tbody tr").first.locator("button").click()
    made = page.locator("#dialog .made figure")
    assert made.count() == 2
    assert made.locator("figcaption").all_inner_texts() == [
        "ddim_inversion, for dire",
        "ddim_inversion: 4 × |x − x̂|, for dire",
    ]
    assert page.evaluate("[...document.querySelectorAll('#dialog img')].every((i) => i.complete && i.naturalWidth > 0)")


def test_the_worst_mistakes_of_detectors_alone_are_illustrated(path):
    results = Results(path.parents[1])
    shown = {(line.subset, line.protocol, line.row_id) for line in illustrations.read(results)}
    wanted = set()
    for entry in results.read_matrix().entries:
        if (entry.role, entry.perturbation, entry.status) == ("test", "none", "ok") and entry.method in (
            "gramnet",
            "dire",
        ):
            scores = results.read_scores(entry.scores)
            p = 1 / (1 + np.exp(-np.array(scores.logit, np.float64)))
            errors = np.where(np.array(scores.status) == "ok", np.abs(p - np.array(scores.label)), 0)
            if errors.max() > 0.5:
                wanted.add((entry.subset, entry.protocol, scores.row_id[int(errors.argmax())]))
    assert wanted
    assert shown == wanted
