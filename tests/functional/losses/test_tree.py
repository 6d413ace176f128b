"""The tree filter against paths that are walked one by one."""

import pytest
import torch
from functional.losses.tree_paths import affinities, kruskal

from mmseg_spml.functional.losses.tree import (
    spanning_forest,
    tree_energy_loss,
    tree_filter,
)


def random_maps(size, seed=0, number=2, ties=False):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(number, 3, *size, generator=generator, dtype=torch.float64)
    features = torch.rand(number, 2, *size, generator=generator).double()
    if ties:
        features = (3 * features).round()
    return values.requires_grad_(), features


@pytest.mark.parametrize('size', [(1, 1), (1, 6), (5, 1), (4, 5)])
@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('sigma', [0.05, 1.0, 1e6])
@pytest.mark.parametrize('masked', [False, True])
def test_filter_is_the_mean_along_paths(size, ties, sigma, masked):
    values, features = random_maps(size, ties=ties)
    valid = torch.rand(2, *size) < 0.7 if masked else torch.ones(2, *size).bool()
    valid[:, 0, 0] = True
    rows = []
    for value, feature, mask in zip(values, features, valid):
        weights = affinities(feature, sigma) * mask.flatten()
        weights = weights / weights.sum(1, keepdim=True)
        rows.append((weights @ value.flatten(1).T).T.reshape(value.shape))
    expected = torch.stack(rows)
    upstream = torch.randn(expected.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(expected, values, upstream)
    found = tree_filter(values, features, sigma, valid if masked else None)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, values, upstream)[0], gradient
    )


@pytest.mark.parametrize('ties', [False, True])
def test_forest_is_minimal_and_rooted(ties):
    _, features = random_maps((6, 7), seed=3, number=3, ties=ties)
    forest = spanning_forest(features)
    assert sorted(forest.order.tolist()) == list(range(3 * 42))
    assert forest.levels[:2] == (0, 3)
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)[forest.order]
    weight = (rows - rows[forest.parent]).square().sum(1)
    minimal = sum(edge[0] for feature in features for edge in kruskal(feature))
    assert float(weight.sum()) == pytest.approx(minimal, rel=1e-6)
    for depth, (start, end) in enumerate(zip(forest.levels, forest.levels[1:])):
        parents = forest.parent[start:end]
        if depth == 0:
            assert (parents == torch.arange(end)).all()
        else:
            assert ((parents >= forest.levels[depth - 1]) & (parents < start)).all()


def test_filter_keeps_inside_edges():
    features = torch.zeros(1, 1, 4, 8)
    features[..., 4:] = 1
    values = torch.rand(1, 1, 4, 8)
    filtered = tree_filter(values, features, sigma=0.01)
    torch.testing.assert_close(
        filtered[..., :4], values[..., :4].mean().expand(1, 1, 4, 4)
    )


def test_nothing_valid():
    values = torch.rand(1, 1, 3, 3, requires_grad=True)
    nothing = torch.zeros(1, 3, 3, dtype=torch.bool)
    filtered = tree_filter(values, torch.zeros(1, 1, 3, 3), valid=nothing)
    filtered.sum().backward()
    assert (filtered == 0).all() and (values.grad == 0).all()


def test_bad_arguments():
    values = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match='features of the size'):
        tree_filter(values, torch.zeros(1, 1, 2, 3))
    with pytest.raises(ValueError, match='values .N, C, H, W.'):
        tree_filter(values[0], values[0])
    with pytest.raises(ValueError, match='expected valid'):
        tree_filter(values, values, valid=torch.ones(1, 2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match='sigma'):
        tree_filter(values, values, sigma=0.0)
    with pytest.raises(ValueError, match='sigma'):
        tree_energy_loss(
            *map(torch.zeros, ((1, 2, 8, 8), (1, 3, 8, 8))),
            torch.full((1, 8, 8), 2),
            sigma=-1,
        )


def test_distances_of_half_precision_do_not_overflow():
    features = torch.tensor([0.0, 300, 301]).view(1, 1, 1, 3)
    values = torch.tensor([1.0, 0, 0]).view(1, 1, 1, 3)
    wanted = tree_filter(values, features, sigma=1e5)
    assert torch.allclose(tree_filter(values, features.half(), sigma=1e5), wanted)
