"""Masks that shrink keep thin parts, and the borders of thick ones."""

import numpy as np
import pytest

from mmseg_spml.functional.labels.shrinking import shrink_mask


def by_loops(mask, size):
    height, width = (a // b for a, b in zip(mask.shape, size))
    cells = mask.reshape(size[0], height, size[1], width).mean((1, 3))
    wanted = np.zeros(size, bool)
    for y in range(size[0]):
        for x in range(size[1]):
            near = cells[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            wanted[y, x] = cells[y, x] >= 0.5 or (cells[y, x] and near.max() < 0.5)
    return wanted


@pytest.mark.parametrize('share', [0.0, 0.02, 0.3, 0.6, 1.0])
@pytest.mark.parametrize('factors', [(4, 4), (2, 5), (1, 3)])
def test_by_loops(share, factors):
    size = 7, 9
    shape = size[0] * factors[0], size[1] * factors[1]
    mask = np.random.default_rng(0).random(shape) < share
    assert np.array_equal(shrink_mask(mask, size), by_loops(mask, size))


def test_thin_lines_and_borders():
    mask = np.zeros((400, 800), bool)
    mask[201:204, 10:790] = True
    assert shrink_mask(mask, (50, 100)).any(0).sum() == 98
    area = np.zeros((64, 64), bool)
    area[18:50, 18:50] = True
    wanted = np.zeros((8, 8), bool)
    wanted[2:6, 2:6] = True
    assert np.array_equal(shrink_mask(area, (8, 8)), wanted)


def test_masks_that_grow():
    assert shrink_mask(np.eye(2, dtype=bool), (4, 4)).sum() == 8
