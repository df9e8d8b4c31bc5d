import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench import discover
from bench.data import protocols, splits
from bench.data.index import Index
from bench.data.protocols import GRID, apply_protocol, perform, read_source, window_size
from bench.errors import UserError
from bench.progress import Progress
from bench.types import Slice
from tests.conftest import item, make_genimage


@pytest.fixture
def part(tmp_path):
    make_genimage(tmp_path, count=8)
    dataset = discover.dataset("genimage")
    items = splits.pool(
        dataset, tmp_path, dataset.find(tmp_path)["sdv14"], "test", Index(tmp_path / "index"), Progress()
    ).items
    return splits.test_slice("genimage", "sdv14", items, splits.Limits(None, None))


def test_raw_changes_nothing(part):
    assert apply_protocol("raw", part) is part


def test_aligned_gives_both_classes_one_size_and_equal_numbers(part):
    aligned = apply_protocol("aligned", replace(part, items=part.items[:-3]))
    assert aligned.count(0) == aligned.count(1) > 0
    shapes = {perform(aligned.operations[i.row_id], read_source(i)).shape for i in aligned.items}
    assert shapes == {(64, 64, 3)}


def test_windows_of_jpeg_files_start_on_the_codecs_grid(part):
    aligned = apply_protocol("aligned", part)
    for i in aligned.items:
        operation = aligned.operations[i.row_id]
        if i.container == "jpeg":
            assert operation.left % GRID == operation.top % GRID == 0
            assert operation.partner is None
        assert operation.left + operation.size <= i.width
        assert operation.top + operation.size <= i.height


def test_every_fake_is_encoded_once_with_the_tables_of_its_own_partner(part):
    aligned = apply_protocol("aligned", part)
    reals = {i.path for i in aligned.items if i.label == 0}
    partners = [aligned.operations[i.row_id].partner for i in aligned.items if i.label == 1]
    assert set(partners) == reals
    fake = next(i for i in aligned.items if i.label == 1)
    operation = aligned.operations[fake.row_id]
    with Image.open(operation.partner) as partner:
        buffer = io.BytesIO()
        Image.fromarray(read_source(fake)).save(buffer, "JPEG", qtables=partner.quantization, subsampling="4:2:0")
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    assert (perform(operation, read_source(fake)) == expected).all()


def test_where_the_reals_are_no_jpeg_files_both_of_a_pair_are_encoded_alike(part, tmp_path):
    """ForenSynths' photographs are PNG files that were JPEG files before, which no header records."""
    items = []
    for i in part.items:
        path = tmp_path / f"{i.row_id.replace('/', '-')}.png"
        Image.fromarray(read_source(i)).save(path)
        items.append(replace(i, path=path, container="png"))
    aligned = apply_protocol("aligned", replace(part, items=tuple(items)))
    assert aligned.count(0) == aligned.count(1) > 0
    for i in aligned.items:
        op, rgb = aligned.operations[i.row_id], read_source(i)
        buffer = io.BytesIO()
        window = rgb[op.top : op.top + op.size, op.left : op.left + op.size]
        Image.fromarray(window).save(buffer, "JPEG", quality=75, subsampling="4:2:0")
        assert (perform(op, rgb) == np.asarray(Image.open(buffer).convert("RGB"))).all()
    assert aligned.image.key != apply_protocol("aligned", part).image.key


def test_each_pair_is_treated_by_what_its_own_real_is(part, tmp_path):
    items = []
    for number, i in enumerate(part.items):
        if number % 2:  # Of both classes: a JPEG fake may have a PNG partner.
            path = tmp_path / f"{number}.png"
            Image.fromarray(read_source(i)).save(path)
            items.append(replace(i, path=path, container="png"))
        else:
            items.append(replace(i, container="jpeg" if i.label == 1 else i.container))
    aligned = apply_protocol("aligned", replace(part, items=tuple(items)))
    reals = {i.path: i for i in aligned.items if i.label == 0}
    fakes = [aligned.operations[i.row_id] for i in aligned.items if i.label == 1]
    assert {i.container for i in reals.values()} == {"jpeg", "png"}
    assert all(reals[op.partner].container == "jpeg" and not op.quality for op in fakes if op.partner)
    covered = sum(op.quality == 75 and op.partner is None for op in fakes)
    assert covered == sum(i.container == "png" for i in reals.values()) > 0
    for i in reals.values():
        assert aligned.operations[i.row_id].quality == (0 if i.container == "jpeg" else 75)


def test_a_real_is_its_own_pixels(part):
    aligned = apply_protocol("aligned", part)
    real = next(i for i in aligned.items if i.label == 0 and i.width == 64)
    assert (perform(aligned.operations[real.row_id], read_source(real)) == read_source(real)).all()


def test_the_recipe_changes_with_the_members_and_not_with_their_order(part):
    aligned = apply_protocol("aligned", part)
    assert apply_protocol("aligned", replace(part, items=part.items[::-1])).image.key == aligned.image.key
    assert apply_protocol("aligned", replace(part, items=part.items[2:])).image.key != aligned.image.key


def test_the_window_is_the_largest_that_pairs_most_images():
    pool = [item(i, 1, 64, 64) for i in range(4)] + [item(i, 0, 80, 64) for i in range(3)] + [item(9, 0, 500, 400)]
    assert window_size(pool) == 64
    assert window_size([item(0, 1, 512, 512), item(0, 0, 500, 375)]) == 368


def test_no_common_size_is_refused_with_both_ranges():
    part = Slice("genimage", "adm", "test", (item(0, 1, 32, 32), item(0, 0, 500, 400)))
    with pytest.raises(UserError, match="no size that both classes") as caught:
        apply_protocol("aligned", part)
    assert "real 400…400 px, fake 32…32 px" in caught.value.context


def test_an_unknown_protocol_names_the_known():
    with pytest.raises(UserError, match="no protocol 'alinged'") as caught:
        apply_protocol("alinged", Slice("genimage", "adm", "test", ()))
    assert "aligned" in caught.value.fix


@pytest.mark.parametrize(
    ("side", "kept"), [(63, False), (64, True), (100, True), (127, True), (128, False), (190, False)]
)
def test_a_window_shows_at_least_half_of_an_images_side(side, kept):
    """The shorter side is at least the window and less than twice it; three times would show a third of the scene."""
    pairs = [item(n, n % 2, 64, 64) for n in range(20)]
    odd = item(99, 0, side + 30, side)
    chosen = apply_protocol("aligned", Slice("genimage", "sdv14", "test", (*pairs, odd)))
    assert chosen.image.params["size"] == 64
    assert protocols._fits(odd, 64) == kept


def test_what_is_covered_is_coded_at_75_and_windows_lie_on_sixteens():
    """libjpeg's default quality, and LSUN's; 4:2:0 chroma has blocks of sixteen."""
    assert (protocols.COVER_QUALITY, protocols.GRID, protocols.MAX_RATIO) == (75, 16, 2.0)


def test_images_nearest_above_the_window_come_first_and_in_seeded_order_within_eight_pixels():
    pool = [item(n, 0, 100, side) for n, side in enumerate((72, 71, 64, 80, 66, 73, 79))]
    order = [thing.height for thing in protocols._nearest(pool, 64, 7)]
    assert sorted(order[:3]) == [64, 66, 71]
    assert sorted(order[3:6]) == [72, 73, 79]
    assert order[6] == 80
    for band in (order[:3], order[3:6]):
        members = [thing for thing in pool if thing.height in band]
        assert band == [thing.height for thing in sorted(members, key=lambda thing: splits.rank(3, thing.image_id))]
    assert [thing.height for thing in protocols._nearest(pool, 64, 2)] == order[:2]


def test_the_window_that_allows_most_pairs_is_found_by_trying_every_size():
    rng = np.random.default_rng(0)
    for trial in range(200):
        sides = rng.integers(1, 40 if trial % 2 else 600, (int(rng.integers(0, 30)), 2))
        pool = [item(n, int(rng.integers(2)), int(w), int(h)) for n, (w, h) in enumerate(sides)]
        fitting = {
            size: min(sum(i.label == k and size <= min(i.width, i.height) < 2 * size for i in pool) for k in (0, 1))
            for size in {min(i.width, i.height) // 8 * 8 for i in pool} - {0}
        }
        most = max(fitting.values(), default=0)
        assert window_size(pool) == (max(size for size in fitting if fitting[size] == most) if most else 0)
