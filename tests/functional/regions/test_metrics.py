"""Measures of regions against counting by hand and by loops."""

import numpy as np
import pytest

from mmseg_spml.functional.regions.metrics import (
    BoundaryCounts,
    achievable_accuracy,
    boundary_counts,
    boundary_pixels,
    undersegmentation_error,
)


def random_map(shape, number, seed):
    return np.random.default_rng(seed).integers(0, number, shape) * 7 + 3


def counted_by_loops(regions, truths, radius):
    def edge(labels):
        height, width = labels.shape
        return [
            (r, c)
            for r in range(height)
            for c in range(width)
            if (c + 1 < width and labels[r, c] != labels[r, c + 1])
            or (r + 1 < height and labels[r, c] != labels[r + 1, c])
        ]

    def near(pixel, others):
        return any(np.hypot(*np.subtract(pixel, o)) <= radius for o in others)

    found, edges = edge(regions), [edge(truth) for truth in truths]
    return BoundaryCounts(
        len(found),
        sum(any(near(p, e) for e in edges) for p in found),
        sum(map(len, edges)),
        sum(near(p, found) for e in edges for p in e),
    )


@pytest.mark.parametrize('tolerance', [0.0, 0.1, 0.2])
def test_matches_by_loops(tolerance):
    regions = np.repeat(np.repeat(random_map((3, 4), 3, 0), 4, 0), 4, 1)
    truths = [
        np.repeat(np.repeat(random_map((2, 2), 2, s), 6, 0), 8, 1) for s in (1, 3)
    ]
    radius = tolerance * np.hypot(12, 16)
    wanted = counted_by_loops(regions, truths, radius)
    assert boundary_counts(regions, truths, tolerance) == wanted
    assert 0 < wanted.found_matched <= wanted.found


def test_the_truth_itself_is_perfect():
    truth = random_map((9, 14), 4, 0)
    counts = boundary_counts(truth, [truth])
    assert counts.precision == counts.recall == counts.f_measure == 1
    assert achievable_accuracy(truth, [truth]) == 1
    assert undersegmentation_error(truth, [truth]) == 0
    # single pixels follow every segment, too
    pixels = np.arange(truth.size).reshape(truth.shape)
    assert achievable_accuracy(pixels, [truth]) == 1
    assert boundary_counts(pixels, [truth]).recall == 1


def test_one_region_finds_nothing():
    truth = np.zeros((4, 6), int)
    truth[:, 4:] = 1
    whole = np.zeros((4, 6), int)
    counts = boundary_counts(whole, [truth])
    assert (counts.precision, counts.recall, counts.f_measure) == (1, 0, 0)
    assert achievable_accuracy(whole, [truth]) == pytest.approx(16 / 24)
    assert undersegmentation_error(whole, [truth]) == pytest.approx((8 + 8) / 24)
    assert boundary_counts(whole, [whole]).f_measure == 1


def test_annotators_count_one_by_one():
    left, right = np.zeros((2, 4, 6), int)
    left[:, 2:], right[:, 4:] = 1, 1
    counts = boundary_counts(left, [left, right], tolerance=0)
    assert (counts.precision, counts.recall) == (1, 0.5)
    assert achievable_accuracy(left, [left, right]) == pytest.approx((1 + 16 / 24) / 2)


@pytest.mark.parametrize('seed', range(5))
def test_overlaps_by_loops(seed):
    regions, truth = random_map((8, 9), 5, seed), random_map((8, 9), 3, seed + 100)
    most = leaks = 0
    for region in np.unique(regions):
        inside = [((regions == region) & (truth == t)).sum() for t in np.unique(truth)]
        most += max(inside)
        leaks += sum(min(n, sum(inside) - n) for n in inside)
    assert achievable_accuracy(regions, [truth]) == pytest.approx(most / 72)
    assert undersegmentation_error(regions, [truth]) == pytest.approx(leaks / 72)


def test_bad_input():
    for measure in (boundary_counts, achievable_accuracy, undersegmentation_error):
        with pytest.raises(ValueError, match='at least one annotator'):
            measure(np.zeros((2, 2)), [])
        with pytest.raises(ValueError, match=r'\(2, 2\), got \(2, 3\)'):
            measure(np.zeros((2, 2)), [np.zeros((2, 3))])
    assert not boundary_pixels(np.zeros((1, 1))).any()
