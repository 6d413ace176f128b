"""The random walk against matrix powers in float64 and the authors' values."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from goldens import Golden

from mmseg_spml.functional.refinement.random_walk import class_normalized, propagate
from mmseg_spml.functional.seeds.cam import scores_of_cams


def by_squaring(embeddings, scores, temperature=5, power=20, squarings=6):
    """As the authors do: the transition matrix, squared."""
    affinity = 0
    for embedding in embeddings:
        unit = embedding.double().flatten(1)
        unit = unit / unit.norm(dim=0)
        affinity = affinity + torch.exp(temperature * (unit.T @ unit - 1))
    matrix = (affinity / len(embeddings)) ** power
    matrix = matrix / matrix.sum(dim=0)
    for _ in range(squarings):
        matrix = matrix @ matrix
    return (scores.double().flatten(1) @ matrix).view_as(scores)


def random_case(views, classes, grid, seed=0, spread=0.3):
    generator = torch.Generator().manual_seed(seed)
    # near each other, so that the walk gets somewhere
    center = torch.randn(8, 1, 1, generator=generator)
    embeddings = [
        center + spread * torch.randn(8, *grid, generator=generator)
        for _ in range(views)
    ]
    return embeddings, torch.rand(classes, *grid, generator=generator)


@pytest.mark.parametrize('views', [1, 2, 4])
@pytest.mark.parametrize('grid', [(1, 1), (5, 7), (1, 13), (9, 11)])
def test_steps_equal_squarings(views, grid):
    embeddings, scores = random_case(views, 3, grid)
    expected = by_squaring(embeddings, scores)
    walked = propagate(embeddings, scores)
    assert walked.dtype == torch.float32
    assert torch.allclose(walked.double(), expected, rtol=1e-4, atol=1e-7)
    double = propagate([e.double() for e in embeddings], scores.double())
    assert torch.allclose(double, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('largest', [1, 50, 99 * 99 - 1])
def test_large_grids_in_blocks(largest):
    embeddings, scores = random_case(2, 4, (9, 11), seed=1)
    whole = propagate(embeddings, scores)
    blocks = propagate(embeddings, scores, largest_matrix=largest)
    assert torch.allclose(whole, blocks, rtol=1e-4)


def test_one_step_and_none():
    embeddings, scores = random_case(2, 3, (4, 5), seed=2)
    one = propagate(embeddings, scores, steps=1)
    expected = by_squaring(embeddings, scores, squarings=0)
    assert torch.allclose(one.double(), expected, rtol=1e-5)
    assert torch.equal(propagate(embeddings, scores, steps=0), scores)


def test_scores_stay_where_nothing_is_alike():
    embeddings = [torch.eye(12).view(12, 3, 4)]
    scores = torch.rand(2, 3, 4)
    assert torch.allclose(propagate(embeddings, scores), scores, atol=1e-6)


def test_nodes_all_alike_take_the_mean():
    scores = torch.rand(2, 3, 4)
    walked = propagate([torch.ones(5, 3, 4)], scores)
    mean = scores.mean(dim=(1, 2), keepdim=True).expand_as(scores)
    assert torch.allclose(walked, mean, atol=1e-6)


def test_degenerate_embeddings_stay_finite():
    scores = torch.rand(2, 3, 4)
    for embedding in (torch.zeros(5, 3, 4), torch.full((5, 3, 4), 1e30)):
        assert propagate([embedding], scores).isfinite().all()
    assert propagate([torch.zeros(5, 0, 4)], torch.zeros(2, 0, 4)).shape == (2, 0, 4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    embeddings, scores = random_case(2, 3, (5, 7))
    embeddings = [embedding.to(dtype) for embedding in embeddings]
    scores = scores.to(dtype)
    expected = by_squaring(embeddings, scores)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        walked = propagate(embeddings, scores)
    assert walked.dtype == dtype
    assert torch.allclose(walked.double(), expected, rtol=1e-2)
    zero = [torch.zeros(5, 3, 4, dtype=dtype)]
    assert propagate(zero, torch.rand(2, 3, 4).to(dtype), power=50).isfinite().all()


def test_class_normalized():
    scores = torch.rand(3, 4, 5)
    scores[2] = 0
    present = torch.tensor([True, False, True])
    normalized = class_normalized(scores, present)
    assert torch.equal(normalized[0], scores[0] / scores[0].max())
    assert not normalized[1:].any()
    kept = class_normalized(scores, present, floor=0.15, keep_absent=True)
    assert torch.equal(kept[1], scores[1])
    faint = class_normalized(0.01 * scores, present, floor=0.15)
    assert torch.allclose(faint[0], 0.01 * scores[0] / 0.15)


def test_mistakes():
    scores = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match='one view'):
        propagate([], scores)
    with pytest.raises(ValueError, match='share a grid'):
        propagate([torch.zeros(5, 3, 5)], scores)
    with pytest.raises(TypeError, match='floating-point'):
        propagate([torch.zeros(5, 3, 4)], scores.long())
    with pytest.raises(ValueError, match='steps'):
        propagate([torch.zeros(5, 3, 4)], scores, steps=-1)


def golden_inputs(golden):
    """Embeddings of both views on the grid, unflipped."""
    height, width = golden['hw'].tolist()
    grid = (height // 8, width // 8)
    views = [
        golden.tensor('emb_plain', torch.float64),
        golden.tensor('emb_flip', torch.float64).flip(-1),
    ]
    return [F.interpolate(view, size=grid, mode='bilinear')[0] for view in views]


def relative_error(value, expected):
    expected = torch.from_numpy(np.array(expected)).double()
    return ((value.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize('dtype, tolerance', [(torch.float64, 1e-6), (None, 1e-4)])
@pytest.mark.parametrize('variant', ['cam', 'sm'])
def test_the_authors_walk(variant, dtype, tolerance):
    golden = Golden('random_walk')
    dtype = dtype or torch.float32
    embeddings = [view.to(dtype) for view in golden_inputs(golden)]
    scores = golden.tensor(f'{variant}_low_in_64', dtype)
    walked = propagate(embeddings, scores)
    assert relative_error(walked, golden[f'{variant}_rw_low_64']) < tolerance


def test_the_authors_scores_of_activation_maps():
    golden = Golden('random_walk')
    keys = golden['cam_keys'].tolist()
    cams = {key + 1: cam for key, cam in zip(keys, golden['cams'])}
    scores = scores_of_cams(cams, 21, tuple(golden['hw'].tolist()))
    assert relative_error(scores, golden['cam_low_in_64']) < 1e-5


def test_the_authors_scores_of_a_classifier():
    golden = Golden('random_walk')
    height, width = golden['hw'].tolist()
    views = [golden.tensor(f'logit_{view}') for view in ('plain', 'flip')]
    grids = [
        F.interpolate(view, size=(height // 8, width // 8), mode='bilinear')[0]
        for view in views
    ]
    mean = (grids[0].softmax(0) + grids[1].softmax(0).flip(-1)) / 2
    scores = class_normalized(mean, golden.tensor('tags'))
    assert relative_error(scores, golden['sm_low_in_64']) < 1e-5


@pytest.mark.parametrize('variant', ['cam', 'sm'])
def test_the_authors_resizing(variant):
    golden = Golden('random_walk')
    low = golden.tensor(f'{variant}_rw_low_32')[None]
    size = tuple(golden['hw'].tolist())
    full = F.interpolate(low, size=size, mode='bilinear')[0].permute(1, 2, 0)
    assert relative_error(full, golden[f'{variant}_rw_full_32']) < 1e-5
