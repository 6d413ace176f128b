"""Merging of neighboring regions, the pair that costs least first.

Letters: H, W image size; R regions; E pairs of neighbors; K color channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmseg_spml.functional.regions.oversegmentation import renumber_regions

# The range of lightness in CIE Lab, beside which contour strengths are in [0, 1].
_COLOR_RANGE = 100
# Boundaries between larger parts of the image than this count by their strength alone.
_LARGE = 0.02
_DISCOUNT = 0.1


@dataclass(frozen=True)
class RegionGraph:
    """Regions and their common boundaries.

    Attributes:
        areas: (R,) float64, number of pixels.
        colors: (R, K) float64, mean color; K may be 0.
        pairs: (E, 2) int64, neighboring regions, the lower id first; each pair once.
        lengths: (E,) float64, length of the common boundary in pixel edges.
        strengths: (E,) float64, mean contour strength on the common boundary.
    """

    areas: np.ndarray
    colors: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    strengths: np.ndarray

    def merging_costs(self) -> np.ndarray:
        r"""Loss of information by merging each pair of neighbors.

        For regions of :math:`a` and :math:`b` pixels with the mean colors :math:`m_a`
        and :math:`m_b`, whose common boundary has the mean strength :math:`s`:

        .. math:: \sqrt{ab / (a + b)} \, (s + \lVert m_a - m_b \rVert / 100)

        Without :math:`s`, this is the root of the increase of the squared error (Ward,
        1963). A boundary thus counts by the area that it separates: specks on thick
        contours go first, and long weak boundaries between large regions stay.

        Returns:
            ndarray: (E,) float64, >= 0.
        """
        first, second = self.pairs.T
        a, b = self.areas[first], self.areas[second]
        apart = np.linalg.norm(self.colors[first] - self.colors[second], axis=1)
        return np.sqrt(a * b / (a + b)) * (self.strengths + apart / _COLOR_RANGE)

    def visible_strengths(self) -> np.ndarray:
        r"""Strength of each common boundary, less if it encloses little.

        The mean strength of the boundary between regions of :math:`a` and :math:`b`
        pixels, times :math:`\min(1, w / w_0)^{1/10}`, where
        :math:`w = ab / (a + b)` and :math:`w_0` is 1/50 of the image: annotators leave
        out what is small.

        Returns:
            ndarray: (E,) float64, >= 0.
        """
        first, second = self.pairs.T
        a, b = self.areas[first], self.areas[second]
        weight = a * b / (a + b) / (_LARGE * self.areas.sum())
        return np.minimum(weight, 1) ** _DISCOUNT * self.strengths

    def merged(self, groups: np.ndarray) -> 'RegionGraph':
        """Graph of groups of regions.

        Args:
            groups: (R,) int64, group of each region: ids 0..G-1.
        """
        areas = np.bincount(groups, self.areas)
        colors = np.empty((len(areas), self.colors.shape[1]))
        for channel, values in enumerate(self.colors.T):
            colors[:, channel] = np.bincount(groups, values * self.areas) / areas
        pairs = np.sort(groups[self.pairs], axis=1)
        kept = pairs[:, 0] != pairs[:, 1]
        pairs, inverse = _unique_pairs(pairs[kept], len(areas))
        lengths = np.bincount(inverse, self.lengths[kept], len(pairs))
        totals = (self.lengths * self.strengths)[kept]
        strengths = np.bincount(inverse, totals, len(pairs)) / lengths
        return RegionGraph(areas, colors, pairs, lengths, strengths)


def region_graph(
    regions: np.ndarray, contours: np.ndarray, colors: np.ndarray | None = None
) -> RegionGraph:
    """Graph of the regions of an image.

    The strength of the edge between two pixels is that of the stronger one.

    Args:
        regions: (H, W) integer ids 0..R-1, each with pixels.
        contours: (H, W) contour strengths.
        colors: (H, W, K) float, color of each pixel, or None.

    Example:
        >>> graph = region_graph(np.array([[0, 0, 1]]), np.array([[0.0, 0.0, 0.5]]))
        >>> graph.pairs.tolist(), graph.strengths.tolist()
        ([[0, 1]], [0.5])
    """
    pairs, strengths = [], []
    for here, there in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
    ):
        border = regions[here] != regions[there]
        pairs.append(np.stack([regions[here][border], regions[there][border]], axis=1))
        strengths.append(np.maximum(contours[here][border], contours[there][border]))
    flat = regions.ravel()
    areas = np.bincount(flat).astype(np.float64)
    channels = () if colors is None else np.moveaxis(colors, 2, 0)
    means = [np.bincount(flat, channel.ravel()) / areas for channel in channels]
    single = np.concatenate(pairs).astype(np.int64)
    graph = RegionGraph(
        areas,
        np.array(means).reshape(-1, len(areas)).T,
        single,
        np.ones(len(single)),
        np.concatenate(strengths).astype(np.float64),
    )
    return graph.merged(np.arange(len(areas)))


def merging_order(
    graph: RegionGraph,
    costs_of: Callable[[RegionGraph], np.ndarray] = RegionGraph.merging_costs,
) -> tuple[np.ndarray, np.ndarray]:
    """Order in which regions are merged until no neighbors are left.

    In each round, all pairs merge of which each is the other's cheapest neighbor. The
    merges are then sorted by cost, where a merge costs at least as much as those that
    it builds on, so that the first ``R - n`` merges leave n regions (a horizontal cut).

    Args:
        graph: Graph of R regions.
        costs_of: Function of a graph that returns the cost (E,) of each pair.

    Returns:
        tuple[ndarray, ndarray]: (R - 1, 2) int64 (fewer if the graph is not connected),
        regions whose groups are merged; (R - 1,) float64, their costs, which increase.

    Example:
        >>> contours = np.array([[0.1, 0.1, 0.2, 0.9]])
        >>> graph = region_graph(np.array([[0, 1, 2, 3]]), contours)
        >>> merging_order(graph)[0].tolist()
        [[0, 1], [0, 2], [0, 3]]
    """
    members = np.arange(len(graph.areas))  # a region of each group
    heights = np.zeros(len(members))  # largest cost of the merges of each group
    merges, costs = [], []
    while len(graph.pairs):
        cost = costs_of(graph)
        chosen = _mutual_cheapest(graph.pairs, cost, len(members))
        first, second = graph.pairs[chosen].T
        height = np.maximum(cost[chosen], np.maximum(heights[first], heights[second]))
        heights[first] = height
        merges.append(members[graph.pairs[chosen]])
        costs.append(height)
        groups = np.arange(len(members))
        groups[second] = first
        kept, groups = np.unique(groups, return_inverse=True)
        members, heights = members[kept], heights[kept]
        graph = graph.merged(groups)
    if not merges:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    heights = np.concatenate(costs)
    order = np.argsort(heights, kind='stable')
    return np.concatenate(merges)[order], heights[order]


def merge_regions(
    regions: np.ndarray,
    contours: np.ndarray,
    colors: np.ndarray | None = None,
    threshold: float = 0.0,
    most_regions: int | None = None,
    min_size: int = 0,
) -> np.ndarray:
    """Merge regions until their boundaries, number and areas are as wanted.

    First, pairs merge in the order of :meth:`RegionGraph.visible_strengths` while those
    are at most ``threshold``; then those that cost least
    (:meth:`RegionGraph.merging_costs`) until ``most_regions`` are left; then each
    region of less than ``min_size`` pixels with the neighbor that costs least.

    Args:
        regions: (H, W) integer ids 0..R-1, each with pixels.
        contours: (H, W) contour strengths.
        colors: (H, W, K) float, color of each pixel, such as CIE Lab, or None.
        threshold: Boundaries of at most this strength are removed.
        most_regions: Largest number of regions, or None.
        min_size: Smallest area of a region in pixels.

    Returns:
        ndarray: (H, W) int32, ids 0..R'-1.

    Example:
        >>> regions, contours = np.array([[0, 1, 2]]), np.array([[0.0, 0.2, 0.9]])
        >>> merge_regions(regions, contours, most_regions=2)
        array([[0, 0, 1]], dtype=int32)
    """
    graph = region_graph(regions, contours, colors)
    groups = np.arange(len(graph.areas))
    if (graph.visible_strengths() <= threshold).any():
        merges, strengths = merging_order(graph, RegionGraph.visible_strengths)
        graph, groups = _join(graph, groups, merges[strengths <= threshold])
    if most_regions is not None and len(graph.areas) > most_regions:
        merges, _ = merging_order(graph)
        merges = merges[: len(graph.areas) - most_regions]
        graph, groups = _join(graph, groups, merges)
    while len(graph.pairs) and graph.areas.min() < min_size:
        cheapest = _cheapest_pair(graph.pairs, graph.merging_costs(), len(graph.areas))
        merges = graph.pairs[cheapest[graph.areas < min_size]]
        graph, groups = _join(graph, groups, merges)
    return renumber_regions(groups[regions])


def _join(
    graph: RegionGraph, groups: np.ndarray, pairs: np.ndarray
) -> tuple[RegionGraph, np.ndarray]:
    """Graph after pairs of its regions are joined, and the new group of each id."""
    joined = _connected(pairs, len(graph.areas))
    return graph.merged(joined), joined[groups]


def _unique_pairs(pairs: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of ids below ``number``, each once, and the place of each given one."""
    codes, inverse = np.unique(pairs[:, 0] * number + pairs[:, 1], return_inverse=True)
    return np.stack(np.divmod(codes, number), axis=1), inverse


def _cheapest_pair(pairs: np.ndarray, costs: np.ndarray, number: int) -> np.ndarray:
    """Place of the cheapest pair of each of ``number`` ids; -1 without a pair.

    Of pairs of one cost, the first counts.
    """
    order = np.argsort(costs, kind='stable')
    ids, places = np.unique(pairs[order].ravel(), return_index=True)
    cheapest = np.full(number, -1)
    cheapest[ids] = order[places // 2]
    return cheapest


def _mutual_cheapest(pairs: np.ndarray, costs: np.ndarray, number: int) -> np.ndarray:
    """Places of the pairs that are the cheapest pair of both ids."""
    first, second = _cheapest_pair(pairs, costs, number)[pairs].T
    places = np.arange(len(pairs))
    return places[(first == places) & (second == places)]


def _connected(pairs: np.ndarray, number: int) -> np.ndarray:
    """Group of each of ``number`` ids when pairs are joined."""
    ones = np.ones(len(pairs), np.int8)
    graph = coo_array((ones, tuple(pairs.T)), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)
