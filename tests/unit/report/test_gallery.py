"""Galleries and measurements of time, from what is kept in a results folder."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from bench.data.decode import encode_png
from bench.report import gallery, probed
from bench.results import shown
from bench.results.folder import Column, Matrix, ProbeEntry, Results
from bench.suites.probed import Probed
from tests.conftest import picture

COMMON = {"name": "toy", "title": "A toy", "paper": "sare", "probes": {}}
GALLERY = Probed(
    **COMMON,
    kind="gallery",
    pairs=1,
    protocols=("raw",),
    panels=[
        {"title": "x̂", "of": "made", "caption": "caption"},
        {"title": "gap", "of": "made", "show": "difference", "gain": 2.0},
        {"title": "error", "of": "map", "show": "overlay"},
    ],
)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def fill(root, lost=False):
    """A photograph and a fake of one subset with a caption, a reconstruction and a map of each; BigGAN is a hole."""
    results, entries = Results(root), []
    made = {
        "caption": ("txt", lambda n: f"caption {n}".encode()),
        "made": ("png", lambda n: encode_png(picture(10 + n, 16, 16))),
        "map": ("npy", lambda n: npy(np.full((4, 4), 0.25 * (n + 1), np.float32))),
    }
    for name, (kind, data) in made.items():
        count = 1 if lost and name == "map" else 2
        lines = [
            shown.Shown(f"{n}", f"{n}", n, "cat", kind, data(n), encode_png(picture(n, 16, 16))) for n in range(count)
        ]
        shown.write(root / f"{name}.parquet", lines, "key")
        entries += [
            ProbeEntry(name, "genimage", "sdv14", "raw", f"{name}.parquet"),
            ProbeEntry(name, "genimage", "biggan", "raw", "", "no size"),
        ]
    columns = tuple(Column("genimage", s, s.upper()) for s in ("sdv14", "biggan"))
    results.write_matrix(Matrix((), columns, "a toy suite", tuple(entries)))
    return results


def test_a_difference_is_amplified_and_cut():
    one, other = np.array([[[0, 100, 250]]], np.uint8), np.array([[[200, 90, 250]]], np.uint8)
    assert gallery.residual(one, other, 2.0).tolist() == [[[255, 20, 0]]]


def test_a_gallery_names_captions_means_and_holes(tmp_path):
    written = probed.write(GALLERY, fill(tmp_path))
    photograph, fake = written.lines
    want = np.abs(picture(0, 16, 16).astype(int) - picture(10, 16, 16)).mean() / 255
    assert photograph["gap"] == pytest.approx(want)
    assert (photograph["error"], fake["error"]) == (0.25, 0.5)
    assert (photograph["caption"], fake["label"]) == ("caption 0", "fake")
    assert "- BIGGAN, raw: no size" in written.text
    with Image.open(tmp_path / "reproduced" / "toy-raw.png") as image:
        assert image.mode in ("RGB", "RGBA")  # Photographs keep their colours.
        assert image.width > image.height
    assert "![A toy, raw](toy-raw.png)" in written.text


def test_an_image_that_lacks_an_artefact_is_left_out_by_name(tmp_path):
    written = probed.write(GALLERY, fill(tmp_path, lost=True))
    assert [line["label"] for line in written.lines] == ["real"]
    assert "- SDV14, raw: a fake lacks 1 artefacts" in written.text


def test_a_gallery_without_images_is_a_page_of_reasons(tmp_path):
    results = fill(tmp_path)
    matrix = results.read_matrix()
    results.write_matrix(Matrix((), matrix.columns, "a toy suite", tuple(p for p in matrix.probes if p.reason)))
    written = probed.write(GALLERY, results)
    assert written.lines == ()
    assert "- BIGGAN, raw: no size" in written.text


def test_time_is_a_mean_with_students_interval_and_a_ratio(tmp_path):
    results, times = Results(tmp_path), {"slow": [0.4, 0.5, 0.6], "fast": [0.1, 0.1, 0.1]}
    for name, seconds in times.items():
        lines = [shown.Time(n, 16, 40 if name == "slow" else 5, s) for n, s in enumerate(seconds)]
        shown.write_times(tmp_path / f"{name}.parquet", lines, "key")
    entries = tuple(ProbeEntry(n, "genimage", "sdv14", "raw", f"{n}.parquet") for n in times)
    results.write_matrix(Matrix((), (Column("genimage", "sdv14", "SD"),), "a toy suite", entries))
    experiment = Probed(**COMMON, kind="cost", images=16, values={"DIRE": "slow", "LaRE²": "fast"})
    written = probed.write(experiment, results)
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert written.lines[0]["high"] == pytest.approx(0.5 + half)
    row = next(line for line in written.text.splitlines() if line.startswith("| DIRE"))
    assert [cell.strip() for cell in row.split("|")][2] == "40"
    assert [cell.strip() for cell in row.split("|")][4] == "5.0"
    assert (tmp_path / "reproduced" / "toy.png").exists()
