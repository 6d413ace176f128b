"""Images of another depth than a model was trained on."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mmseg_spml.inference.bit_depth import doubt_of_depth

EIGHT, MORE = (SimpleNamespace(mean=np.array([mean])) for mean in (120.0, 9000.0))


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_files_of_more_bits_that_a_loader_cuts(tmp_path, suffix):
    paths = {}
    for depth in (np.uint8, np.uint16):
        paths[depth] = tmp_path / f'{depth.__name__}{suffix}'
        cv2.imwrite(str(paths[depth]), np.full((4, 6, 3), 200, depth))
    loaded = np.zeros((4, 6, 3), np.uint8)
    assert doubt_of_depth(paths[np.uint8], loaded, EIGHT) is None
    assert 'more than 8 bits' in doubt_of_depth(paths[np.uint16], loaded, EIGHT)


def test_bands_of_another_depth(tmp_path):
    path = tmp_path / 'a.npy'
    eight, deep = np.full((4, 6, 2), 200, np.uint8), np.full((4, 6, 2), 9000, np.uint16)
    assert 'has 8 bits' in doubt_of_depth(path, eight, MORE)
    assert 'has a mean of 9000, the training images at most 120' in doubt_of_depth(
        path, deep, EIGHT
    )
    assert doubt_of_depth(path, eight, EIGHT) is None
    assert doubt_of_depth(path, deep, MORE) is None
    assert doubt_of_depth(path, deep // 10, EIGHT) is None  # 12 bits, and dark
    assert doubt_of_depth(path, deep, SimpleNamespace(mean=None)) is None
    assert doubt_of_depth(tmp_path / 'a.ppm', eight, EIGHT) is None
