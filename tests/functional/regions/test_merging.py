"""Merging of regions against a greedy loop over pixel lists."""

import numpy as np
import pytest

from mmseg_spml.functional.regions.merging import (
    merge_regions,
    merging_order,
    region_graph,
)


def blocks(shape, ids, seed):
    """Random regions, of which some are not connected."""
    rng = np.random.default_rng(seed)
    regions = rng.integers(0, ids, shape)
    return np.unique(regions, return_inverse=True)[1].reshape(shape)


def noise(shape, seed, channels=None):
    shape = shape if channels is None else (*shape, channels)
    return np.random.default_rng(seed + 100).random(shape)


def cost_of(first, second, regions, contours, colors):
    """The cost of one pair, pixel by pixel."""
    height, width = regions.shape
    strengths = []
    for row, column in np.ndindex(regions.shape):
        for down, right in ((row, column + 1), (row + 1, column)):
            if down < height and right < width:
                pair = {regions[row, column], regions[down, right]}
                if pair == {first, second}:
                    strengths.append(max(contours[row, column], contours[down, right]))
    if not strengths:
        return np.inf
    a, b = (regions == first).sum(), (regions == second).sum()
    apart = 0.0
    if colors is not None:
        means = [colors[regions == one].mean(axis=0) for one in (first, second)]
        apart = np.sqrt(((means[0] - means[1]) ** 2).sum())
    return np.sqrt(a * b / (a + b)) * (np.mean(strengths) + apart / 100)


def greedy(regions, contours, colors, most_regions):
    """Always merge the cheapest of all pairs."""
    regions = regions.copy()
    while len(np.unique(regions)) > most_regions:
        ids = np.unique(regions)
        pairs = [(a, b) for a in ids for b in ids if a < b]
        costs = [cost_of(*pair, regions, contours, colors) for pair in pairs]
        first, second = pairs[int(np.argmin(costs))]
        regions[regions == second] = first
    return regions


def same_partition(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('colored', [False, True])
def test_graph_by_pixels(seed, colored):
    shape = (5, 6)
    regions, contours = blocks(shape, 5, seed), noise(shape, seed)
    colors = noise(shape, seed, 3) * 100 if colored else None
    graph = region_graph(regions, contours, colors)
    assert graph.areas.tolist() == np.bincount(regions.ravel()).tolist()
    assert graph.colors.shape == (regions.max() + 1, 3 if colored else 0)
    found = dict(zip(map(tuple, graph.pairs.tolist()), graph.merging_costs()))
    for first in range(regions.max() + 1):
        for second in range(first + 1, regions.max() + 1):
            wanted = cost_of(first, second, regions, contours, colors)
            assert found.get((first, second), np.inf) == pytest.approx(wanted)


@pytest.mark.parametrize('most_regions', [1, 2, 4, 7])
@pytest.mark.parametrize('seed', range(4))
def test_the_cheapest_pair_goes_first(seed, most_regions):
    # Without colors, no merge makes another cheaper, and rounds agree with the loop.
    shape = (6, 7)
    regions, contours = blocks(shape, 9, seed), noise(shape, seed)
    found = merge_regions(regions, contours, most_regions=most_regions)
    wanted = greedy(regions, contours, None, most_regions)
    assert same_partition(found, wanted)


@pytest.mark.parametrize('seed', range(4))
def test_colors_decide_between_equal_contours(seed):
    shape = (6, 7)
    regions = blocks(shape, 8, seed)
    colors = noise((8,), seed, 3)[regions] * 100
    found = merge_regions(regions, np.full(shape, 0.1), colors, most_regions=7)
    assert same_partition(found, greedy(regions, np.full(shape, 0.1), colors, 7))


def test_a_speck_goes_before_a_long_weak_boundary():
    contours = np.zeros((20, 40))
    regions = np.zeros((20, 40), int)
    regions[:, 20:] = 1
    contours[:, 19:21] = 0.2
    regions[4:6, 4:6] = 2
    contours[3:7, 3:7] = 0.9
    found = merge_regions(regions, contours, most_regions=2)
    assert same_partition(found, regions % 2)


@pytest.mark.parametrize('strength, share, wanted', [
    (0.5, 0.25, 0.5),  # large enough to count by its strength alone
    (0.5, 0.01, 0.5 * (0.01 * 0.99 / 0.02) ** 0.1),
])  # fmt: skip
def test_boundaries_of_small_regions_count_less(strength, share, wanted):
    regions = (np.arange(100) < 100 * share).astype(int)[None]
    contours = np.full((1, 100), strength)
    graph = region_graph(regions, contours)
    assert graph.visible_strengths() == pytest.approx(wanted)
    assert merge_regions(regions, contours, threshold=wanted - 1e-6).max() == 1
    assert merge_regions(regions, contours, threshold=wanted + 1e-6).max() == 0


def test_small_regions_join_the_cheapest_neighbor():
    regions = np.array([[0, 0, 0, 1, 2, 2, 2]])
    contours = np.array([[0, 0, 0.9, 0.9, 0.3, 0, 0.0]])
    contours[0, 3] = 0.3
    assert merge_regions(regions, contours, min_size=1).max() == 2
    assert merge_regions(regions, contours, min_size=2).tolist() == [
        [0, 0, 0, 1, 1, 1, 1]
    ]
    assert merge_regions(regions, contours, min_size=5).max() == 0
    assert merge_regions(regions, contours, min_size=100).max() == 0


@pytest.mark.parametrize('seed', range(3))
def test_prefixes_of_the_order_are_nested(seed):
    shape = (8, 9)
    regions, contours = blocks(shape, 30, seed), noise(shape, seed)
    graph = region_graph(regions, contours, noise(shape, seed, 3) * 100)
    order, costs = merging_order(graph)
    assert order.shape == (regions.max(), 2)
    assert (np.diff(costs) >= 0).all()
    previous = regions
    for most in range(regions.max(), 0, -1):
        merged = merge_regions(
            regions, contours, noise(shape, seed, 3) * 100, most_regions=most
        )
        assert merged.max() + 1 == most
        pairs = np.unique(np.stack([previous.ravel(), merged.ravel()]), axis=1)
        assert pairs.shape[1] == most + 1  # one pair was merged, no other changed
        previous = merged


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (4, 1)])
def test_tiny_maps(shape):
    regions = np.arange(np.prod(shape)).reshape(shape)
    flat = np.full(shape, 0.1)
    assert merge_regions(regions, flat).tolist() == regions.tolist()
    assert merge_regions(regions, flat, most_regions=1, min_size=9).max() == 0
    assert merge_regions(np.zeros(shape, int), flat, most_regions=1).max() == 0
    assert merge_regions(regions, np.zeros(shape)).max() == 0  # nothing between them
