"""Pseudo-label maps: confidence, shapes, void, ties, mistakes; scores of segments."""

import numpy as np
import pytest
import torch

from mmseg_spml.functional.refinement.pseudo_labels import (
    nearest_label_scores,
    pseudo_label_map,
)
from mmseg_spml.functional.segments.pooling import pool_segments

SCORES = np.array([[[0.6, 0.5, 0.1, 0.0]], [[0.4, 0.5, 0.3, 0.0]]])


def test_the_largest_score_and_the_lowest_class_of_ties():
    labels = pseudo_label_map(SCORES)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 0, 1, 2]]


@pytest.mark.parametrize(
    'least, expected', [(0.6, [0, 2, 1, 2]), (0.76, [2, 2, 2, 2]), (0, [0, 0, 1, 2])]
)
def test_confidence_is_a_part_of_the_sum(least, expected):
    assert pseudo_label_map(SCORES, min_confidence=least).tolist() == [expected]


def test_shapes_and_void_of_the_weak_map():
    weak = np.array([[1, 255, 2, 0]])
    plain = pseudo_label_map(SCORES, weak=weak)
    assert plain.tolist() == [[0, 255, 1, 2]]
    kept = pseudo_label_map(SCORES, weak=weak, keep_weak_labels=True)
    assert kept.tolist() == [[1, 255, 1, 0]]
    free = pseudo_label_map(SCORES, weak=weak, keep_void=False)
    assert free.tolist() == [[0, 0, 1, 2]]


def test_extents_rule_classes_out():
    extents = np.array([[[1, 1, 1, 1]], [[1, 1, 0, 1]]], bool)
    labels = pseudo_label_map(SCORES, extents=extents)
    assert labels.tolist() == [[0, 0, 0, 2]]
    extents[0, 0, 2] = False
    assert pseudo_label_map(SCORES, extents=extents).tolist() == [[0, 0, 2, 2]]


def test_mistakes():
    with pytest.raises(ValueError, match='extents'):
        pseudo_label_map(SCORES, extents=np.ones((2, 1, 3), bool))
    with pytest.raises(ValueError, match='weak labels'):
        pseudo_label_map(SCORES, weak=np.zeros((2, 4)))
    with pytest.raises(ValueError, match='min_confidence'):
        pseudo_label_map(SCORES, min_confidence=1.5)
    with pytest.raises(ValueError, match='not finite'):
        pseudo_label_map(np.where(SCORES > 0.5, np.nan, SCORES))


def pooled(seed, classes=3, images=2, size=(7, 9)):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(images, 5, *size, generator=generator, dtype=torch.float64)
    labels = torch.full((images, *size), classes)
    # the first image has labels of three classes, void pixels, and others
    labels[0, 1, 1:4] = torch.tensor([0, 2, 1])
    labels[0, 5, 2:7] = 0
    labels[0, 6] = 255
    regions = torch.randint(0, 3, labels.shape, generator=generator)
    tags = torch.ones(images, classes, dtype=torch.int8)
    return pool_segments(
        embedding, labels, regions, tags, grid=(2, 3), num_classes=classes
    )


@pytest.mark.parametrize('seed', range(4))
def test_nearest_label_scores_by_a_loop(seed):
    segments = pooled(seed)
    scores = nearest_label_scores(segments)
    labeled = (segments.label < 3).nonzero().squeeze(1).tolist()
    assert labeled
    shares = torch.zeros(len(segments), 3)
    for pixel, segment in zip(segments.pixels, segments.pixel_segment.tolist()):
        if segments.image[segment] == 0:
            nearest = max(labeled, key=lambda s: float(pixel @ segments.prototypes[s]))
            shares[segment, segments.label[nearest]] += 1
    for row, segment in zip(scores, segments.pixel_segment.tolist()):
        expected = shares[segment] / shares[segment].sum().clamp(min=1)
        assert torch.allclose(row, expected)
    # the second image has no labels
    assert not scores[segments.pixel_image == 1].any()
    assert torch.allclose(scores[segments.pixel_image == 0].sum(1), torch.ones(()))


def test_nearest_label_scores_of_nothing():
    segments = pool_segments(
        torch.ones(1, 2, 3, 3), torch.full((1, 3, 3), 255),
        torch.zeros(1, 3, 3, dtype=torch.long), torch.ones(1, 4), grid=(1, 1),
        num_classes=4,
    )  # fmt: skip
    assert nearest_label_scores(segments).shape == (0, 4)
