"""Minimum spanning trees and their paths, by loops: what the tree filter is held to."""

import itertools

import torch


def grid_edges(height, width):
    """Vertical ones first, then row by row, as ties are broken."""
    for y, x in itertools.product(range(height - 1), range(width)):
        yield (y, x), (y + 1, x)
    for y, x in itertools.product(range(height), range(width - 1)):
        yield (y, x), (y, x + 1)


def kruskal(features):
    """Edges of the minimum spanning tree of (D, H, W), with weights."""
    height, width = features.shape[1:]
    edges = [
        (
            float((features[:, a[0], a[1]] - features[:, b[0], b[1]]).square().sum()),
            a,
            b,
        )
        for a, b in grid_edges(height, width)
    ]
    part = {place: place for place in itertools.product(range(height), range(width))}

    def root(place):
        while part[place] != place:
            place = part[place]
        return place

    for weight, a, b in sorted(edges, key=lambda edge: edge[0]):
        if root(a) != root(b):
            part[root(a)] = root(b)
            yield weight, a, b


def affinities(features, sigma):
    """(HW, HW): exp(-length of the path / sigma), found by walking from each pixel."""
    height, width = features.shape[1:]
    neighbors = {p: [] for p in itertools.product(range(height), range(width))}
    for weight, a, b in kruskal(features):
        neighbors[a].append((b, weight))
        neighbors[b].append((a, weight))
    out = torch.zeros(height * width, height * width, dtype=torch.float64)
    for start in neighbors:
        walk, lengths = [start], {start: 0.0}
        while walk:
            here = walk.pop()
            for there, weight in neighbors[here]:
                if there not in lengths:
                    lengths[there] = lengths[here] + weight
                    walk.append(there)
        for place, length in lengths.items():
            distance = torch.tensor(-length / sigma, dtype=torch.float64)
            out[start[0] * width + start[1], place[0] * width + place[1]] = (
                distance.exp()
            )
    return out
