"""The picture of regions in the documents."""

import sys

import cv2
import numpy as np

from experiments import draw_regions


def test_a_row_for_each_photograph(monkeypatch, tmp_path):
    photograph = np.zeros((40, 60, 3), np.uint8)
    photograph[:, 30:] = 200
    monkeypatch.setattr(draw_regions, '_PHOTOGRAPHS', (lambda: photograph,))
    monkeypatch.setattr(draw_regions, 'METHODS', ('slic', 'felzenszwalb'))
    out = tmp_path / 'regions.png'
    monkeypatch.setattr(sys, 'argv', ['draw_regions', str(out), '--side', '32'])
    draw_regions.main()
    picture = cv2.imread(str(out))
    assert picture.shape[0] > 32 and picture.shape[1] > 2 * 48
    yellow = (picture[..., 0] < 80) & (picture[..., 1:] > 180).all(axis=-1)
    assert yellow.any()
