"""Measures of regions against counting by hand and by loops."""

import numpy as np
import pytest
from skimage.morphology import thin

from mmseg_spml.functional.regions.metrics import (
    BoundaryCounts,
    achievable_accuracy,
    boundary_counts,
    boundary_pixels,
    matched_pixels,
    thin_boundary,
    undersegmentation_error,
)


def random_map(shape, number, seed):
    return np.random.default_rng(seed).integers(0, number, shape) * 7 + 3


def edge_by_loops(labels):
    """Pixels with another label at the right, below, or to the lower right."""
    edge = np.zeros(labels.shape, bool)
    for r, c in np.ndindex(labels.shape):
        for row, column in ((r, c + 1), (r + 1, c), (r + 1, c + 1)):
            if row < labels.shape[0] and column < labels.shape[1]:
                edge[r, c] |= labels[r, c] != labels[row, column]
    return edge


def most_matches(first, second, radius):
    """Size of a largest matching, by augmenting paths."""
    near = [
        [j for j, q in enumerate(second) if np.hypot(*np.subtract(p, q)) <= radius]
        for p in first
    ]
    partner = {}

    def augment(i, seen):
        for j in set(near[i]) - seen:
            seen.add(j)
            if j not in partner or augment(partner[j], seen):
                partner[j] = i
                return True
        return False

    return sum(augment(i, set()) for i in range(len(first)))


def blocks(shape, seed, side=4, number=3):
    """Random labels of squares, so that boundaries are longer than a pixel."""
    return np.kron(random_map(shape, number, seed), np.ones((side, side), int))


@pytest.mark.parametrize('shape', [(3, 4), (1, 9), (5, 1)])
def test_thinning_keeps_a_line_of_one_pixel(shape):
    labels = blocks(shape, 0)
    edge, kept = edge_by_loops(labels), thin_boundary(labels)
    assert kept.any() and not (kept & ~edge).any()
    assert (thin(kept) == kept).all() and kept.sum() <= edge.sum()


@pytest.mark.parametrize('shape', [(2, 2), (9, 14), (1, 30), (30, 1)])
def test_boundary_of_neighbors_by_loops(shape):
    labels = random_map(shape, 2, 0)
    assert (thin_boundary(labels) == thin(edge_by_loops(labels))).all()


@pytest.mark.parametrize('radius', [0.0, 1.0, 1.5, 2.0, 3.3])
@pytest.mark.parametrize('seed', range(6))
def test_as_many_pairs_as_possible(seed, radius):
    random = np.random.default_rng(seed)
    first, second = (np.argwhere(random.random((9, 11)) < p) for p in (0.3, 0.2))
    partners = matched_pixels(first, second, radius)
    rows = np.flatnonzero(partners >= 0)
    assert len(rows) == most_matches(first, second, radius)
    assert len(set(partners[rows])) == len(rows)
    apart = np.hypot(*(first[rows] - second[partners[rows]]).T)
    assert (apart <= radius).all()


def test_a_free_choice_takes_the_near_pixel():
    row = np.array([[0, 2], [0, 1], [0, 3], [0, 0]])
    assert matched_pixels(row[:1], row, 2).tolist() == [0]
    assert matched_pixels(row[3:], row[:3], 3).tolist() == [1]


def test_no_pixels_have_no_partners():
    some, none = np.zeros((2, 2), int), np.zeros((0, 2), int)
    assert matched_pixels(none, some, 1).tolist() == []
    assert matched_pixels(some, none, 1).tolist() == [-1, -1]
    assert matched_pixels(some[:1], some[:1] + 5, 1).tolist() == [-1]


@pytest.mark.parametrize('tolerance', [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize('seed', range(3))
def test_counts_by_augmenting_paths(seed, tolerance):
    regions = blocks((3, 3), seed)
    truths = [blocks((2, 2), seed + s, 6) for s in (1, 3)]
    radius = tolerance * np.hypot(12, 12)
    edges = [np.argwhere(thin_boundary(truth)) for truth in truths]
    found = np.argwhere(thin_boundary(regions))
    matches = [most_matches(edge, found, radius) for edge in edges]
    counts = boundary_counts(regions, truths, tolerance)
    assert (counts.found, counts.truth) == (len(found), sum(map(len, edges)))
    assert counts.truth_matched == sum(matches)
    assert max(matches) <= counts.found_matched <= sum(matches)
    for truth, number in zip(truths, matches):
        assert boundary_counts(regions, [truth], tolerance).found_matched == number


def test_the_truth_itself_is_perfect():
    truth = blocks((3, 5), 0, number=4)
    for tolerance in (0, 0.0075, 0.1):
        counts = boundary_counts(truth, [truth, truth], tolerance)
        assert counts.precision == counts.recall == counts.f_measure == 1
    assert achievable_accuracy(truth, [truth]) == 1
    assert undersegmentation_error(truth, [truth]) == 0
    # single pixels follow every segment, too
    pixels = np.arange(truth.size).reshape(truth.shape)
    assert achievable_accuracy(pixels, [truth]) == 1


def test_a_doubled_boundary_costs_precision():
    truth = np.zeros((20, 30), int)
    truth[:, 15:] = 1
    twice = truth.copy()
    twice[:, 17:] = 2  # a second line two pixels beside the first
    counts = boundary_counts(twice, [truth], tolerance=0.1)
    assert (counts.precision, counts.recall) == (0.5, 1)
    assert boundary_counts(truth, [twice], tolerance=0.1).recall == 0.5
    # a second annotator with a line of his own takes the other pixels
    other = np.zeros((20, 30), int)
    other[:, 17:] = 1
    counts = boundary_counts(twice, [truth, other], tolerance=0.1)
    assert (counts.precision, counts.recall) == (1, 1)


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


def test_void_counts_nowhere():
    truth = np.zeros((12, 20), int)
    truth[:, 10:] = 1
    regions = truth.copy()
    regions[:, 16:] = 2  # a line in void
    void = truth.copy()
    void[:, 14:] = 255
    assert boundary_counts(regions, [truth], 0.05).precision == 0.5
    counts = boundary_counts(regions, [void], 0.05, ignore=255)
    assert counts == boundary_counts(truth, [truth], 0.05)  # only the line at 10
    # a region of both kinds of pixels
    regions = np.zeros((12, 20), int)
    assert achievable_accuracy(regions, [void], ignore=255) == pytest.approx(10 / 14)
    assert achievable_accuracy(regions, [void]) == pytest.approx(10 / 20)
    error = undersegmentation_error(regions, [void], ignore=255)
    assert error == pytest.approx((4 + 4) / 14)


@pytest.mark.parametrize('place', [np.s_[:, 12:], np.s_[:, :9], np.s_[4:8, 6:14]])
def test_the_border_of_void_is_no_boundary(place):
    truth = np.zeros((12, 20), int)
    truth[place] = 255
    for regions in (truth, np.zeros_like(truth)):
        counts = boundary_counts(regions, [truth], ignore=255)
        assert counts == BoundaryCounts()
    assert boundary_counts(truth, [truth]).found > 0


def test_void_of_one_annotator_is_judged_by_the_others():
    truth = np.zeros((12, 20), int)
    truth[:, 10:] = 1
    nothing = np.full((12, 20), 255)
    for annotators in ([truth, nothing], [nothing, truth]):
        counts = boundary_counts(truth, annotators, ignore=255)
        assert counts == boundary_counts(truth, [truth]) and counts.found == 12
        assert achievable_accuracy(truth * 0, annotators, ignore=255) == 0.5
        assert undersegmentation_error(truth * 0, annotators, ignore=255) == 1
    assert boundary_counts(truth, [nothing], ignore=255) == BoundaryCounts()
    assert np.isnan(achievable_accuracy(truth, [nothing], ignore=255))
    assert np.isnan(undersegmentation_error(truth, [nothing], ignore=255))


def test_regions_may_have_the_id_of_void():
    truth = np.zeros((12, 20), int)
    truth[:, 10:] = 1
    regions = truth * 255
    assert boundary_counts(regions, [truth], ignore=255).f_measure == 1
    assert achievable_accuracy(regions, [truth], ignore=255) == 1


def test_bad_input():
    for measure in (boundary_counts, achievable_accuracy, undersegmentation_error):
        with pytest.raises(ValueError, match='at least one annotator'):
            measure(np.zeros((2, 2)), [])
        with pytest.raises(ValueError, match=r'\(2, 2\), got \(2, 3\)'):
            measure(np.zeros((2, 2)), [np.zeros((2, 3))])


def test_one_pixel_has_no_boundary():
    one = np.zeros((1, 1), int)
    assert not boundary_pixels(one).any() and not thin_boundary(one).any()
    assert boundary_counts(one, [one]).f_measure == 1
