"""How the processes that train one fit divide its batches."""

import pytest

from bench.training.group import ALONE, Group


def test_a_process_alone_has_whole_batches_and_none_of_one_image():
    assert [list(b) for b in ALONE.batches([5, 3, 1, 4], 2)] == [[5, 3], [1, 4]]
    assert [list(b) for b in ALONE.batches([5, 3, 1, 4, 0], 2)] == [[5, 3], [1, 4], [0, 5]]
    assert [list(b) for b in ALONE.batches([5], 2)] == [[5]]
    assert [list(b) for b in ALONE.batches([5, 3], 1)] == [[5], [3]]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("count", [12, 13, 17, 18])
def test_shares_are_the_batch_and_every_process_has_two_images(size, count):
    order = list(range(count, 0, -1))
    whole = Group(0, size).batches(order, 6)
    assert [image for batch in whole for image in batch][:count] == order
    for batch in whole:
        shares = [Group(rank, size).share(batch) for rank in range(size)]
        assert sorted(image for share in shares for image in share) == sorted(batch)
        assert min(map(len, shares)) >= 2
    assert sum(map(len, whole)) - count in range(2 * size)


def test_values_of_a_process_alone_stay_as_they_are():
    assert ALONE.joined([0.5, 2.0]) == [0.5, 2.0]
