import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench import discover
from bench.data import protocols, splits
from bench.data.index import Index
from bench.data.protocols import apply_protocol, common_size, perform, read_source
from bench.errors import UserError
from bench.progress import Progress
from bench.types import Operation, Slice
from tests.conftest import item, make_genimage


@pytest.fixture
def part(tmp_path):
    make_genimage(tmp_path, count=8)
    dataset = discover.dataset("genimage")
    listed = splits.pool(dataset, tmp_path, dataset.find(tmp_path)["sdv14"], "test").items
    return Slice(
        "genimage", "sdv14", "test", splits.in_order(splits.read(listed, Index(tmp_path / "index"), Progress()))
    )


def test_raw_changes_nothing(part):
    assert apply_protocol("raw", part) is part


def test_aligned_gives_both_classes_one_size_and_equal_numbers(part):
    aligned = apply_protocol("aligned", replace(part, items=part.items[:-3]))
    assert aligned.count(0) == aligned.count(1) > 0
    shapes = {perform(aligned.operations[i.row_id], read_source(i)).shape for i in aligned.items}
    assert shapes == {(48, 48, 3)}  # Images of 64 pixels: at most four fifths, in multiples of eight.


def test_an_image_is_scaled_encoded_once_and_cut():
    """By Pillow alone: Lanczos to the shorter side, the whole window with its margin through JPEG."""
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    found = perform(Operation(9, 0, 48), rgb)
    scaled = np.asarray(Image.fromarray(rgb).resize((64, 48), Image.Resampling.LANCZOS))
    rows = [*range(15, -1, -1), *range(48), *range(47, 31, -1)]
    columns = [*range(15, -1, -1), *range(64), *range(63, 47, -1)]
    buffer = io.BytesIO()
    Image.fromarray(scaled[rows][:, columns][:, 9:89]).save(buffer, "JPEG", quality=75, subsampling="4:2:0")
    wanted = np.asarray(Image.open(buffer))[16:64, 16:64]
    assert found.shape == (48, 48, 3)
    assert (found == wanted).all()


def test_windows_lie_along_the_longer_side_within_the_image(part):
    wide = [item(n, n % 2, 200 + n, 100) for n in range(40)]
    aligned = apply_protocol("aligned", Slice("genimage", "sdv14", "test", tuple(wide)))
    operations = list(aligned.operations.values())
    assert {(op.top, op.size) for op in operations} == {(0, 80)}
    assert len({op.left for op in operations}) > 15
    for i in wide:
        assert 0 <= aligned.operations[i.row_id].left <= round(i.width * 0.8) - 80


def test_a_photograph_is_treated_alike_whatever_its_file(part, tmp_path):
    """A JPEG, and a PNG of the same pixels: nothing depends on the container or its history."""
    items = []
    for i in part.items:
        path = tmp_path / f"{i.row_id.replace('/', '-')}.png"
        Image.fromarray(read_source(i)).save(path)
        items.append(replace(i, path=path, container="png"))
    as_png, aligned = (apply_protocol("aligned", p) for p in (replace(part, items=tuple(items)), part))
    assert as_png.image.key == aligned.image.key
    for one, other in zip(as_png.items, aligned.items, strict=True):
        given = as_png.operations[one.row_id], read_source(one)
        assert (perform(*given) == perform(aligned.operations[other.row_id], read_source(other))).all()


def test_the_recipe_changes_with_the_members_and_not_with_their_order(part):
    aligned = apply_protocol("aligned", part)
    assert apply_protocol("aligned", replace(part, items=part.items[::-1])).image.key == aligned.image.key
    assert apply_protocol("aligned", replace(part, items=part.items[2:])).image.key != aligned.image.key


def test_the_common_size_keeps_nearly_all_pairs():
    pool = [item(i, 1, 64, 64) for i in range(40)] + [item(50 + i, 0, 500, 375) for i in range(40)]
    assert common_size(pool) == 48
    assert common_size([*pool[:-2], item(98, 0, 16, 16), item(99, 0, 30, 20)]) == 48  # Two of forty are too small.
    few = [item(n, 1, 64, 64) for n in range(10)] + [item(20 + n, 0, 64 if n > 1 else 32, 64) for n in range(10)]
    assert common_size(few) == 48  # Two small photographs of ten do not decide it.
    assert common_size([item(0, 1, 512, 512), item(1, 0, 500, 375)]) == 296
    assert common_size([item(0, 1, 9, 9), item(1, 0, 500, 375)]) == 0


@pytest.mark.parametrize(("fake", "size"), [(1024, 264), (512, 264), (256, 200), (128, 96)])
def test_real_sizes_keep_at_least_four_fifths_of_their_pairs(fake, size):
    """Photographs as ImageNet has them (benchmarks/planning.py), generators as GenImage has them."""
    import random

    from benchmarks.planning import _photograph

    rng = random.Random(0)
    reals = [item(n, 0, *_photograph(rng)) for n in range(1000)]
    fakes = [item(5000 + n, 1, fake, fake) for n in range(1000)]
    aligned = apply_protocol("aligned", Slice("genimage", "x", "test", (*reals, *fakes)))
    assert aligned.count(0) == aligned.count(1) >= 800
    assert aligned.image.params["size"] == size


def test_images_too_small_for_the_common_size_are_left_out_and_the_draw_is_seeded():
    pool = [item(n, n % 2, 64, 64) for n in range(20)] + [item(30 + n, 0, 80, 80) for n in range(5)]
    part = Slice("genimage", "sdv14", "test", (*pool, item(90, 0, 40, 40)))
    aligned = apply_protocol("aligned", part)
    assert (aligned.count(0), aligned.count(1)) == (10, 10)
    assert aligned.left_out == 6  # Five without a partner, one too small.
    assert "40" not in {str(i.width) for i in aligned.items}
    reals = sorted((i for i in pool if i.label == 0), key=lambda i: splits.rank(3, i.image_id))[:10]
    assert {i.row_id for i in aligned.items if i.label == 0} == {i.row_id for i in reals}


def test_no_common_size_is_refused_with_both_ranges():
    part = Slice("genimage", "adm", "test", (item(0, 1, 8, 8), item(0, 0, 500, 400)))
    with pytest.raises(UserError, match="no size that both classes") as caught:
        apply_protocol("aligned", part)
    assert "real 400…400 px, fake 8…8 px; it needs 10 px" in caught.value.context


def test_an_unknown_protocol_names_the_known():
    with pytest.raises(UserError, match="no protocol 'alinged'") as caught:
        apply_protocol("alinged", Slice("genimage", "adm", "test", ()))
    assert "aligned" in caught.value.fix


def test_the_constants_of_version_2():
    assert protocols.ALIGNED_VERSION == 2
    assert (protocols.SCALE, protocols.KEPT, protocols.GRID) == (0.8, 0.8, 8)
    assert (protocols.QUALITY, protocols.MARGIN) == (75, 16)


def test_the_common_size_is_found_by_trying_every_size():
    rng = np.random.default_rng(0)
    for trial in range(200):
        sides = rng.integers(1, 40 if trial % 2 else 600, (int(rng.integers(0, 30)), 2))
        pool = [item(n, int(rng.integers(2)), int(w), int(h)) for n, (w, h) in enumerate(sides)]
        pairs = {
            size: min(sum(i.label == k and size <= 0.8 * min(i.width, i.height) for i in pool) for k in (0, 1))
            for size in range(8, 600, 8)
        }
        most = max(pairs.values())
        wanted = max((size for size, count in pairs.items() if count >= max(0.8 * most, 1)), default=0)
        assert common_size(pool) == wanted
