import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from bench import discover
from bench.data import codecs, protocols, splits
from bench.data.index import Index
from bench.data.protocols import apply_protocol, common_size, perform, read_source
from bench.errors import UserError
from bench.operations import Encoding, Operation
from bench.progress import Progress
from bench.types import Slice
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


def recompressed(rgb, **options):
    """One JPEG encoding by Pillow alone."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def shown(slice_):
    """What a protocol of codecs shows of every image of a slice, and its pixels before."""
    return [(i, codecs.encode(slice_.operations[i.row_id], read_source(i)), read_source(i)) for i in slice_.items]


def test_codec_match_gives_fakes_the_tables_of_photographs_and_leaves_those(part):
    matched = apply_protocol("codec_match", part)
    assert matched.items == part.items
    assert matched.left_out == 0
    reals = {i.path: Image.open(i.path) for i in part.items if i.label == 0}
    partners = [matched.operations[i.row_id].like for i in part.items if i.label == 1]
    assert len(set(partners)) == len(partners) == len(reals)  # As many fakes as photographs: each has its own.
    for i, after, before in shown(matched):
        if i.label == 0:
            assert (after == before).all()
        else:
            partner = reals[matched.operations[i.row_id].like]
            tables, sampling = partner.quantization, JpegImagePlugin.get_sampling(partner)
            assert (after == recompressed(before, qtables=tables, subsampling=sampling)).all()
            assert (after != before).any()


def test_the_fake_of_a_png_photograph_stays_and_without_jpeg_photographs_there_is_nothing_to_match(part):
    pngs = tuple(replace(i, container="png") if i.label == 0 else i for i in part.items)
    with pytest.raises(UserError, match="None of its photographs is a JPEG file"):
        apply_protocol("codec_match", replace(part, items=pngs))
    one = next(i for i in part.items if i.label == 0)
    mixed = tuple(replace(i, container="png") if i is one else i for i in part.items)
    operations = apply_protocol("codec_match", replace(part, items=mixed)).operations
    assert sum(operations[i.row_id].like is None for i in mixed if i.label == 1) == 1


def test_codec_both_and_codec_fakes_only_encode_once(part):
    for name, treated, quality in (("codec_both", (0, 1), 75), ("codec_fakes_only", (1,), 96)):
        for i, after, before in shown(apply_protocol(name, part)):
            wanted = recompressed(before, quality=quality, subsampling="4:2:0") if i.label in treated else before
            assert (after == wanted).all()
            assert after.shape == before.shape


def test_an_image_of_both_classes_is_left_out_by_codecs_and_copies_in_one_class_are_treated_alike(part):
    real, fake = (next(i for i in part.items if i.label == label) for label in (0, 1))
    both = replace(fake, row_id="both", image_id=real.image_id)
    copy = replace(fake, row_id="copy")
    found = apply_protocol("codec_match", replace(part, items=(*part.items, both, copy)))
    assert found.left_out == 2
    assert {real.row_id, "both"}.isdisjoint(i.row_id for i in found.items)
    assert found.operations["copy"] == found.operations[fake.row_id]


def test_protocols_of_codecs_are_recipes_of_what_is_done(part):
    keys = {name: apply_protocol(name, part).image.key for name in ("codec_match", "codec_both", "codec_fakes_only")}
    assert len(set(keys.values())) == 3
    assert keys == {name: apply_protocol(name, replace(part, items=part.items[::-1])).image.key for name in keys}
    fewer = apply_protocol("codec_both", replace(part, items=part.items[1:]))
    assert fewer.image.key != keys["codec_both"]


def test_harmonised_is_aligned_without_the_encoding(part):
    aligned, harmonised = (apply_protocol(name, part) for name in ("aligned", "harmonised"))
    assert harmonised.operations == aligned.operations
    assert harmonised.image.key != aligned.image.key
    some = harmonised.items[0]
    seen = perform(harmonised.operations[some.row_id], read_source(some), 0)
    width, height = protocols.scaled_to(some.width, some.height, 48)
    scaled = Image.open(some.path).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    op = harmonised.operations[some.row_id]
    assert (seen == np.asarray(scaled)[op.top : op.top + 48, op.left : op.left + 48]).all()


def test_every_protocol_says_what_it_does():
    for name in protocols.PROTOCOLS:
        assert protocols.meaning(name).endswith(".")


def test_an_encoding_says_what_a_file_would(part):
    real = next(i for i in part.items if i.label == 0)
    assert codecs.coding(Encoding()) is None
    assert codecs.coding(Encoding(96)) == ("jpeg", 96)
    matched = apply_protocol("codec_match", part)
    found = {codecs.coding(matched.operations[i.row_id]) for i in part.items if i.label == 1}
    assert found == {("jpeg", i.quality) for i in part.items if i.label == 0} != {("jpeg", real.quality)}
