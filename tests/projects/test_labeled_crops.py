"""Shares of labeled crops and extents against loops."""

import numpy as np
import pytest

from mmseg_spml.annotations.model import Point, WeakAnnotation
from mmseg_spml.projects.labeled_crops import (
    labeled_extent,
    labeled_share,
    shares_of_labeled_crops,
)


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (12, 5)])
@pytest.mark.parametrize('crop', [(1, 1), (3, 4), (20, 20), (2, 20)])
def test_share_against_a_loop(size, crop):
    labeled = np.random.default_rng(0).random(size) < 0.1
    height, width = min(crop[0], size[0]), min(crop[1], size[1])
    found = [
        labeled[top : top + height, left : left + width].any()
        for top in range(size[0] - height + 1)
        for left in range(size[1] - width + 1)
    ]
    assert labeled_share(labeled, crop) == pytest.approx(np.mean(found))


def test_images_are_shrunk_first():
    weak = WeakAnnotation('a.jpg', 100, 200, points=[Point('cat', 100, 50)])
    whole, all_of_it = shares_of_labeled_crops([weak], ('cat',), 200, [50, 200])
    small, _ = shares_of_labeled_crops([weak], ('cat',), 100, [50, 60])
    assert whole < small == all_of_it == 1.0


def test_extent():
    corners = [Point('cat', 0.5, 0.5), Point('cat', 63.5, 127.5)]
    weak = WeakAnnotation('a.jpg', 128, 256, points=corners)
    assert labeled_extent([weak], ('cat',)) == pytest.approx(0.25, abs=0.02)
    assert labeled_extent([WeakAnnotation('a.jpg', 9, 9)], ('cat',)) == 1.0
