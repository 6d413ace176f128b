"""The lattice filter against a dictionary-based one, point by point in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from resident_memory import needs_resident, resident

from mmseg_spml.functional.refinement import permutohedral
from mmseg_spml.functional.refinement.permutohedral import (
    build_lattice,
    filter_values,
    shortened_lattice,
)


def elevated(point):
    """The paper's matrix of basis vectors, written out."""
    dimension = len(point)
    scale = math.sqrt(2 / 3) * (dimension + 1)
    result = np.zeros(dimension + 1)
    for axis, value in enumerate(point):
        step = value * scale / math.sqrt((axis + 1) * (axis + 2))
        result[: axis + 1] += step
        result[axis + 1] -= (axis + 1) * step
    return result


def simplex(point):
    """Vertices and weights by trying all: the weights of the right one are >= 0."""
    corners = len(point)
    base = np.round(point / corners) * corners
    for shift in itertools.product((-corners, 0, corners), repeat=corners):
        zero = base + shift
        if abs(zero.sum()) > 1e-6:
            continue
        rest = point - zero
        order = np.argsort(-rest, kind='stable')
        if rest[order[0]] - rest[order[-1]] > corners + 1e-9:
            continue
        found = []
        for k in range(corners):
            vertex = zero + k
            for axis in order[corners - k :]:
                vertex[axis] -= corners
            found.append(tuple(int(round(v)) for v in vertex))
        matrix = np.vstack([np.array(found, float).T, np.ones(corners)])
        weights = np.linalg.lstsq(matrix, np.append(point, 1), rcond=None)[0]
        if weights.min() > -1e-9:
            return found, weights
    raise AssertionError('no simplex encloses the point')


def by_dictionary(features, values):
    dimension = features.shape[1]
    corners = [simplex(elevated(point)) for point in features]
    table = {}
    for (vertices, weights), value in zip(corners, values):
        for vertex, weight in zip(vertices, weights):
            table[vertex] = table.get(vertex, 0) + weight * value
    zero = np.zeros(values.shape[1])
    for axis in range(dimension + 1):
        step = np.full(dimension + 1, -1)
        step[axis] += dimension + 1
        table = {
            vertex: value
            + 0.5 * table.get(tuple(np.add(vertex, step)), zero)
            + 0.5 * table.get(tuple(np.subtract(vertex, step)), zero)
            for vertex, value in table.items()
        }
    sums = [
        sum(weight * table[vertex] for vertex, weight in zip(*corner))
        for corner in corners
    ]
    return np.array(sums) / (1 + 2.0**-dimension)


@pytest.mark.parametrize('dimension', [1, 2, 3, 5])
@pytest.mark.parametrize('spread', [0.3, 3.0])
def test_by_dictionary(dimension, spread):
    rng = np.random.default_rng(dimension)
    features = rng.normal(0, spread, (40, dimension)).astype(np.float32)
    values = rng.random((40, 4)).astype(np.float32)
    expected = by_dictionary(features.astype(float), values.astype(float))
    lattice = build_lattice(torch.from_numpy(features))
    filtered = filter_values(torch.from_numpy(values), lattice)
    assert np.allclose(filtered.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_about_a_gaussian():
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(0, 2, (400, 2)).astype(np.float32))
    values = torch.rand(400, 3)
    kernel = torch.exp(-(torch.cdist(features, features) ** 2) / 2)
    lattice = build_lattice(features)
    ones = filter_values(torch.ones(400, 1), lattice)
    means = filter_values(values, lattice) / ones
    expected = kernel @ values / kernel.sum(dim=1, keepdim=True)
    assert (means - expected).abs().mean() < 0.01


def no_product(first, second):
    raise RuntimeError('no sparse product')


@pytest.mark.parametrize('multiplies', [True, False])
@pytest.mark.parametrize('dimension', [1, 2, 3, 5])
def test_a_shortened_lattice_filters_alike(dimension, multiplies, monkeypatch):
    if not multiplies:  # as some builds of PyTorch
        monkeypatch.setattr(permutohedral, '_product', no_product)
    torch.manual_seed(0)
    lattice = build_lattice(2 * torch.rand(40, dimension))
    values, sums = torch.randn(40, 3), torch.randn(40, 3)
    shorter = shortened_lattice(lattice)
    assert len(shorter.blur) <= len(lattice.blur)
    expected = filter_values(values, lattice)
    assert torch.allclose(filter_values(values, shorter), expected, atol=1e-5)
    before = sums.clone()
    assert filter_values(values, shorter, add_to=sums) is sums
    assert torch.allclose(sums, before + expected, atol=1e-5)


@needs_resident
def test_lattices_leave_no_memory_behind():
    """PyTorch's products of CSR matrices leaked 5 MB for each of these lattices."""
    points = torch.rand(30_000, 5, generator=torch.Generator().manual_seed(0)) * 20
    for _ in range(3):
        build_lattice(points)
    before = resident()
    for _ in range(20):
        build_lattice(points)
    assert resident() - before < 30 * 2**20


def test_linear():
    features = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    lattice = build_lattice(features)
    kernel = filter_values(torch.eye(30), lattice)
    values = torch.rand(30, 2)
    assert torch.allclose(kernel @ values, filter_values(values, lattice), atol=1e-5)


@pytest.mark.parametrize('near_in_order', [False, True])
def test_groups_do_not_mix(near_in_order):
    generator = torch.Generator().manual_seed(0)
    # the same places in each group: between them nothing but the group is different
    features = torch.randn(30, 3, generator=generator).repeat(3, 1)
    group = torch.tensor([0, 2, 1]).repeat_interleave(30).to(torch.int32)
    order = torch.randperm(90, generator=generator)
    features, group = features[order], group[order]
    values = torch.rand(90, 2, generator=generator)
    lattice = build_lattice(features, near_in_order, group)
    found = filter_values(values, lattice)
    for number in range(3):
        own = group == number
        alone = filter_values(values[own], build_lattice(features[own]))
        assert torch.allclose(found[own], alone, atol=1e-6)


def test_degenerate_points():
    alike = filter_values(torch.rand(5, 2), build_lattice(torch.ones(5, 4)))
    assert torch.allclose(alike, alike[:1].expand_as(alike), atol=1e-6)
    far = torch.tensor([[0.0], [1e4]])
    alone = filter_values(torch.eye(2), build_lattice(far))
    assert alone[0, 1] == alone[1, 0] == 0
    assert build_lattice(torch.zeros(0, 2)).slice.shape == (0, 0)


def test_mistakes():
    with pytest.raises(ValueError, match=r'\(N, F\)'):
        build_lattice(torch.zeros(5))
    with pytest.raises(ValueError, match='wider kernels'):
        build_lattice(torch.eye(8) * 1e6)
    with pytest.raises(ValueError, match='fewer groups'):
        build_lattice(torch.eye(4), group=torch.tensor([0, 1, 2, 2**60]))
    for group in (torch.full((8,), -1), torch.zeros(8)):
        with pytest.raises(ValueError, match='numbered from 0 by integers, got'):
            build_lattice(torch.eye(8), group=group)
    with pytest.raises(ValueError, match='group for each of 8 points'):
        build_lattice(torch.eye(8), group=torch.zeros(7).long())
