"""Tiles cover an image, and their weights are those of a loop."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional.tiling import (
    blending_weights,
    intervals,
    most_probable,
    resized_strips,
    tile_rows,
)


@pytest.mark.parametrize('length', [1, 5, 6, 7, 11, 40, 101])
@pytest.mark.parametrize('tile, overlap', [(6, 0), (6, 1), (6, 5), (1, 0), (40, 9)])
def test_intervals_cover_and_overlap(length, tile, overlap):
    found = intervals(length, tile, overlap)
    assert found[0][0] == 0 and found[-1][1] == length
    assert {end - start for start, end in found} == {min(tile, length)}
    for (_, end), (start, _) in zip(found, found[1:]):
        assert end - start >= overlap
    # With one fewer they could not.
    fewer = len(found) - 1
    if fewer:
        assert fewer * tile - (fewer - 1) * overlap < length


@pytest.mark.parametrize('numbers', [(0, 4, 0), (4, 0, 0), (4, 3, 3), (4, 3, -1)])
def test_numbers_out_of_range(numbers):
    with pytest.raises(ValueError, match='expected a length and a tile of 1'):
        intervals(*numbers)


def test_every_pixel_is_in_a_tile():
    seen = np.zeros((23, 31), int)
    for row in tile_rows(seen.shape, (9, 12), 3):
        assert len({(tile.top, tile.bottom) for tile in row}) == 1
        for tile in row:
            assert tile.size == (9, 12)
            seen[tile.slices] += 1
    assert seen.min() >= 1 and seen.max() >= 4


@pytest.mark.parametrize('size', [(1, 1), (4, 9), (10, 3)])
@pytest.mark.parametrize('overlap', [0, 1, 4, 20])
def test_weights_are_those_of_a_loop(size, overlap):
    weights = blending_weights(size, overlap)
    assert weights.dtype == np.float32
    for y in range(size[0]):
        for x in range(size[1]):
            wanted = 1.0
            for place, length in ((y, size[0]), (x, size[1])):
                to_border = min(place, length - 1 - place)
                wanted *= min((to_border + 1) / (overlap + 1), 1)
            assert weights[y, x] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize('heights', [(13,), (1,) * 13, (5, 1, 7), (2, 11)])
@pytest.mark.parametrize(
    'target', [(13, 9), (26, 18), (5, 3), (40, 4), (1, 1), (6, 31)]
)
def test_resized_strips(heights, target, monkeypatch):
    maps = torch.rand(3, 13, 9, dtype=torch.float64)
    expected = F.interpolate(maps[None], target, mode='bilinear')[0]
    for together in (1 << 20, 2 * target[1], 1):
        monkeypatch.setattr('mmseg_spml.functional.tiling._PIXELS_TOGETHER', together)
        found = list(resized_strips(maps.split(heights, dim=1), (13, 9), target))
        assert max(strip.shape[1] for strip in found) <= max(together // target[1], 1)
        torch.testing.assert_close(torch.cat(found, dim=1), expected)


@pytest.mark.parametrize('size, what', [((13, 8), 'wide'), ((14, 9), 'rows in total')])
def test_strips_of_another_size(size, what):
    with pytest.raises(ValueError, match=what):
        list(resized_strips([torch.rand(1, 13, 9)], size, (20, 20)))


@pytest.mark.parametrize('shape', [(1, 2, 3), (4, 5, 7), (300, 3, 2), (3, 0, 4)])
def test_the_most_probable_class_is_the_first_of_the_largest(shape):
    generator = torch.Generator().manual_seed(0)
    # Few values, so that there are ties.
    maps = torch.randint(-3, 3, shape, generator=generator).float().requires_grad_()
    before = maps.detach().clone()
    found = most_probable(maps)
    assert found.dtype == torch.long
    assert torch.equal(found, maps.detach().argmax(dim=0))
    assert torch.equal(maps.detach(), before)
