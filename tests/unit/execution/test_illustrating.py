"""Which images are illustrated, and how."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bench.artefacts.engines import blip, clip_image, ddim_inversion, latent_error, noise_residual, sd_inpaint
from bench.artefacts.geometry import limit_sides
from bench.execution import illustrating
from bench.results.folder import Results
from bench.results.scores import Scores
from tests.conftest import picture


def scored(root, logits_by_seed, labels, failed=()):
    """Cells of one detector, one per seed, with their scores in a folder."""
    results, cells = Results(root), []
    for seed, logits in enumerate(logits_by_seed):
        path = root / f"{seed}.parquet"
        rows = tuple(f"row{n}" for n in range(len(labels)))
        status = tuple("failed" if (seed, n) in failed else "ok" for n in range(len(labels)))
        results.write_scores(path, Scores(rows, rows, tuple(labels), tuple(logits), status, ("",) * len(rows)), "")
        cells.append(path)
    session = SimpleNamespace(
        results=SimpleNamespace(root=root, read_scores=results.read_scores, scores_path=lambda cell: cell)
    )
    return cells, session


def test_the_worst_mistakes_are_those_of_the_mean_over_seeds(tmp_path):
    labels = [0, 1, 0, 1, 0]
    logits = [[3.0, 2.0, -2.0, -4.0, 0.5], [3.0, -1.0, 1.0, -4.0, 0.5]]
    cells, session = scored(tmp_path, logits, labels)
    p = 1 / (1 + np.exp(-np.array(logits)))
    errors = np.abs(p - labels).mean(0)
    wrong = [f"row{n}" for n in np.argsort(-errors) if errors[n] > 0.5]
    assert illustrating._worst(cells, session, 9) == wrong == ["row3", "row0", "row4"]
    assert illustrating._worst(cells, session, 1) == ["row3"]
    assert illustrating._worst(cells, session, 0) == []


def test_an_image_that_one_seed_has_not_scored_is_no_mistake(tmp_path):
    cells, session = scored(tmp_path, [[3.0, 3.0], [3.0, 3.0]], [0, 0], failed={(1, 0)})
    assert illustrating._worst(cells, session, 2) == ["row1"]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_reconstruction_has_its_error_and_other_pictures_have_none():
    rgb = np.full((64, 64, 3), 100, np.uint8)
    made = rgb.copy()
    made[:, 32:] = 110
    shown = list(illustrating._shown(ddim_inversion.recipe(steps=2, size=64), rgb, made))
    names = [("picture", "ddim_inversion"), ("picture", "ddim_inversion: 4 × |x − x̂|")]
    assert [(kind, name) for kind, name, _ in shown] == names
    error = pixels(shown[1][2]).astype(int)
    assert np.abs(error[:, :28]).max() <= 6  # WebP is lossy.
    assert np.abs(error[:, 36:] - 4 * 10).max() <= 6
    assert [name for _, name, _ in illustrating._shown(noise_residual.recipe(), rgb, made)] == ["noise_residual"]


def test_the_error_of_a_cropped_reconstruction_is_that_of_the_crop():
    rgb = picture(3, 90, 70)
    made = limit_sides(rgb, 64)
    *_, (_, _, data) = illustrating._shown(sd_inpaint.recipe(max_size=64), rgb, made)
    assert pixels(data).max() <= 6


def test_texts_and_maps_are_shown_and_embeddings_are_not():
    rgb = picture(1, 32, 32)
    assert list(illustrating._shown(blip.recipe(), rgb, "a «dog»")) == [("text", "blip", "a «dog»".encode())]
    values = np.arange(4.0 * 8 * 8, dtype=np.float32).reshape(4, 8, 8)
    ((kind, _, data),) = illustrating._shown(latent_error.recipe(size=64), rgb, values)
    grey = pixels(data)
    assert (kind, grey.shape) == ("picture", (illustrating.SIDE, illustrating.SIDE, 3))
    assert grey[0, 0].max() < 10
    assert grey[-1, -1].min() > 245
    assert list(illustrating._shown(clip_image.recipe(), rgb, np.ones(640, np.float32))) == []


@pytest.mark.parametrize(("shape", "size"), [((400, 200), (192, 96)), ((50, 60), (50, 60))])
def test_pictures_are_small(shape, size):
    assert pixels(illustrating.webp(Image.fromarray(picture(2, *shape[::-1])))).shape[:2] == size
