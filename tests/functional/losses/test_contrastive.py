import gc
import math
import weakref

import numpy as np
import pytest
import reference
import torch
from contrastive_problems import make, reference_losses
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmseg_spml.functional.losses import contrastive_blockwise
from mmseg_spml.functional.losses.contrastive import (
    pixel_to_segment_loss,
    pixel_to_segment_nll,
)

CONCENTRATIONS = (0.0, 1e-3, 1.0, 12.0, 44.0, 64.0, 200.0)


def dense(pixels, prototypes, own, row, comparison, concentration):
    table = comparison[row]
    return reference.dense_losses(
        pixels, prototypes, own, table == 1, table == -1, concentration
    )


def leaves(*tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def value_and_gradients(function, pixels, prototypes, *rest, **more):
    pixels, prototypes = leaves(pixels, prototypes)
    loss = function(pixels, prototypes, *rest, **more)
    loss.backward()
    return loss.detach(), pixels.grad, prototypes.grad


def agree(left, right, tolerance):
    for a, b in zip(left, right):
        assert a.shape == b.shape
        assert torch.isfinite(a).all()
        assert (a.double() - b.double()).abs().max() <= tolerance * max(
            1, b.abs().max()
        )


def reference_mean(*arguments):
    return reference_losses(*arguments).mean()


# ------------------------------------------------------------- the expression


@pytest.mark.parametrize('concentration', CONCENTRATIONS)
@pytest.mark.parametrize(
    'count, segments, dim, rows',
    [(1, 1, 1, 1), (1, 5, 3, 2), (7, 1, 2, 3), (17, 9, 5, 4), (13, 11, 1, 13)],
)
def test_value_and_gradients(count, segments, dim, rows, concentration):
    problem = (*make(count, segments, dim, rows, seed=count), concentration)
    out = value_and_gradients(pixel_to_segment_loss, *problem)
    agree(out, value_and_gradients(reference_mean, *problem), 1e-10)
    values = pixel_to_segment_nll(*problem)
    agree([values], [reference_losses(*problem)], 1e-10)
    assert not values.requires_grad


@pytest.mark.parametrize('seed', range(3))
def test_dense_path_of_the_reference_is_the_loops(seed):
    problem = (*make(19, 8, 4, 5, seed=seed), 6.0)
    agree([dense(*problem)], [reference_losses(*problem)], 1e-12)


@pytest.mark.parametrize('weighted', [False, True])
def test_gradcheck(weighted):
    pixels, prototypes, own, row, comparison = make(9, 6, 4, 3, seed=5)
    weight = torch.rand(9, dtype=torch.float64) if weighted else None
    pixels, prototypes = leaves(pixels, prototypes)

    def function(pixels, prototypes):
        return pixel_to_segment_loss(
            pixels, prototypes, own, row, comparison, 3.0, weight
        )

    assert torch.autograd.gradcheck(
        function, (pixels, prototypes), nondet_tol=1e-12, atol=1e-7
    )


@pytest.mark.parametrize('concentration', CONCENTRATIONS)
@pytest.mark.parametrize('unit', [True, False])
@pytest.mark.parametrize('rows', [1, 6, 300])
def test_float32_is_as_good_as_the_dense_path(concentration, unit, rows):
    """At most twice the error of plain dense float32, for value and gradients."""
    problem = make(301, 67, 19, rows, seed=3, dtype=torch.float32, unit=unit)
    wide = (problem[0].double(), problem[1].double(), *problem[2:], concentration)
    narrow = (*problem, concentration)
    target = value_and_gradients(lambda *a: dense(*a).mean(), *wide)
    plain = value_and_gradients(lambda *a: dense(*a).mean(), *narrow)
    out = value_and_gradients(pixel_to_segment_loss, *narrow)
    for value, rough, exact in zip(out, plain, target):
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()
        floor = 2e-6 * exact.norm() + 1e-9
        allowed = 2 * (rough.double() - exact).norm() + floor
        assert (value.double() - exact).norm() <= allowed
    exact = dense(*wide)
    values = pixel_to_segment_nll(*narrow)
    allowed = 2 * (dense(*narrow) - exact).abs().max() + 2e-6 * exact.abs().max()
    assert (values - exact).abs().max() <= allowed + 1e-9


# ------------------------------------------------------------ the 4 relations


def batch(seed=0, classes=4):
    """Pixels and segments of 3 images; the last has no foreground tag."""
    rng = np.random.default_rng(seed)
    image = np.repeat([0, 1, 2], [5, 4, 3])
    label = rng.integers(0, classes + 1, len(image))
    label[image == 2] = np.where(rng.random(3) < 0.5, 0, classes)
    region = rng.integers(0, 3, len(image))
    tags = np.zeros((3, classes), dtype=bool)
    for n in range(3):
        tags[n, [c for c in label[image == n] if c < classes]] = True
    own = rng.integers(0, len(image), 16)
    pixels = rng.standard_normal((len(own), 5))
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    prototypes = rng.standard_normal((len(image), 5))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    return (
        torch.from_numpy(pixels),
        torch.from_numpy(prototypes),
        torch.from_numpy(own),
        dict(label=label, region=region, image=image, tags=tags[image]),
    )


def compare(pixels, prototypes, own, rule, row, comparison, concentration, **more):
    """Product against double loops: per pixel, mean, and gradients."""
    same, different = reference.tables(len(pixels), len(prototypes), rule)
    row = torch.as_tensor(row)
    comparison = torch.as_tensor(comparison, dtype=torch.int8)

    def by_loops(pixels, prototypes):
        return reference.losses(
            pixels, prototypes, own, same, different, concentration
        ).mean()

    arguments = (own, row, comparison, concentration)
    out = value_and_gradients(
        pixel_to_segment_loss, pixels, prototypes, *arguments, **more
    )
    agree(out, value_and_gradients(by_loops, pixels, prototypes), 1e-10)
    values = pixel_to_segment_nll(pixels, prototypes, *arguments, **more)
    expected = reference.losses(pixels, prototypes, own, same, different, concentration)
    agree([values], [expected], 1e-10)
    return values


@pytest.mark.parametrize('seed', range(4))
def test_semantic_annotation(seed):
    pixels, prototypes, own, table = batch(seed)
    label = table['label']
    anchor = label[own] < 4
    pixels, own = pixels[anchor], own[anchor]
    comparison = np.zeros((4, len(label)))
    for c in range(4):
        comparison[c] = np.where(label >= 4, 0, np.where(label == c, 1, -1))
    rule = reference.annotation_rule(label[own], label, 4)
    compare(pixels, prototypes, own, rule, label[own], comparison, 6.0)


@pytest.mark.parametrize('seed', range(4))
def test_semantic_cooccurrence_with_tagless_images(seed):
    """Without a foreground tag the own segment counts on both sides."""
    pixels, prototypes, own, table = batch(seed)
    tags, image = table['tags'], table['image']
    rule = reference.cooccurrence_rule(tags[own], tags)
    comparison = np.full((3, len(image)), -1)
    for n in range(3):
        mine = tags[image == n][0, 1:]
        comparison[n, (tags[:, 1:] & mine).any(1)] = 1
    values = compare(pixels, prototypes, own, rule, image[own], comparison, 8.0)
    tagless = ~tags[own][:, 1:].any(1)
    assert (values[torch.from_numpy(tagless)] >= math.log(2)).all()


@pytest.mark.parametrize('grouped', [False, True])
@pytest.mark.parametrize('seed', range(4))
def test_image_similarity(seed, grouped):
    pixels, prototypes, own, table = batch(seed)
    region, image = table['region'], table['image']
    rule = reference.similarity_rule(region[own], image[own], region, image)
    comparison = np.zeros((9, len(image)))
    for n in range(3):
        for r in range(3):
            values = np.where(region == r, 1, -1)
            comparison[3 * n + r] = np.where(image == n, values, 0)
    row = 3 * image[own] + region[own]
    more = dict(group=torch.arange(9) // 3) if grouped else {}
    values = compare(pixels, prototypes, own, rule, row, comparison, 16.0, **more)
    # mean over images of the mean over pixels, by weights
    counts = np.bincount(image[own], minlength=3)
    weight = 1 / (counts[image[own]] * (counts > 0).sum())
    loss = pixel_to_segment_loss(
        pixels,
        prototypes,
        own,
        torch.from_numpy(row),
        torch.from_numpy(comparison).to(torch.int8),
        16.0,
        torch.from_numpy(weight),
        **more,
    )
    agree([loss], [reference.image_mean(values, image[own])], 1e-10)


@pytest.mark.parametrize('seed', range(4))
def test_feature_affinity(seed):
    pixels, prototypes, own, table = batch(seed)
    rng = np.random.default_rng(seed + 10)
    sets = reference.fill_label_sets(rng.random((len(prototypes), 4)) < 0.25)
    rule = reference.set_rule(sets[own], sets)
    comparison = np.where((sets.astype(int) @ sets.T.astype(int)) > 0, 1, -1)
    values = compare(pixels, prototypes, own, rule, own, comparison, 12.0)
    neutral = torch.from_numpy(sets.all(1))[own]
    assert (values[neutral].abs() <= 1e-12).all()


# ------------------------------------------------------------- special cases


def small(comparison, own=0, concentration=5.0, pixels=None, prototypes=None):
    """One pixel against the segments of one table row."""
    segments = len(comparison)
    g = torch.Generator().manual_seed(1)
    if pixels is None:
        pixels = torch.randn(1, 3, generator=g, dtype=torch.float64)
    if prototypes is None:
        prototypes = torch.randn(segments, 3, generator=g, dtype=torch.float64)
    return (
        pixels,
        prototypes,
        torch.tensor([own]),
        torch.tensor([0]),
        torch.tensor([comparison], dtype=torch.int8),
        concentration,
    )


@pytest.mark.parametrize(
    'comparison, own',
    [
        ([1, -1, -1], 0),  # only the own segment is positive
        ([1, 1, -1], 0),  # another positive: own leaves
        ([0, 1, -1], 0),  # own not compared, another positive
        ([0, 0, -1], 0),  # own not compared, no other positive
        ([-1, 1, -1], 0),  # own among the different ones, another positive
        ([-1, -1, -1], 1),  # own counts twice
        ([1, -1, -1], 2),
        ([1, 1, 0], 1),  # no negative
        ([0, 0, 0], 1),  # nothing is compared
        ([1], 0),
        ([0], 0),
        ([-1], 0),
    ],
)
@pytest.mark.parametrize('dtype, tolerance', [('float64', 1e-12), ('float32', 2e-5)])
def test_own_segment(comparison, own, dtype, tolerance):
    problem = small(comparison, own)
    wide = value_and_gradients(reference_mean, *problem)
    pixels, prototypes = (t.to(getattr(torch, dtype)) for t in problem[:2])
    out = value_and_gradients(pixel_to_segment_loss, pixels, prototypes, *problem[2:])
    agree(out, wide, tolerance)


@pytest.mark.parametrize('comparison', [[1, 1, 1], [0, 0, 0], [1, 0, 0], [1]])
def test_no_negative_is_exactly_zero(comparison):
    out = value_and_gradients(pixel_to_segment_loss, *small(comparison, 0, 16.0))
    for value in out:
        assert (value == 0).all()


def test_tagless_image_alone_gives_log_2():
    loss = pixel_to_segment_loss(*small([-1]))
    assert loss.item() == pytest.approx(math.log(2), abs=1e-12)


@pytest.mark.parametrize('concentration', [-1.0, float('nan'), float('inf')])
def test_concentrations_are_checked(concentration):
    problem = make(5, 4, 3, 2)
    with pytest.raises(ValueError, match='concentration'):
        pixel_to_segment_loss(*problem, concentration)
    with pytest.raises(ValueError, match='concentration'):
        pixel_to_segment_nll(*problem, concentration)


def test_zero_concentration_counts_segments():
    loss = pixel_to_segment_loss(*small([1, 1, 1, -1, -1], 0, 0.0))
    assert loss.item() == pytest.approx(math.log(4 / 2), abs=1e-12)


def test_far_apart_logits():
    """The loss is the logit difference when a negative wins by far."""
    pixels = torch.tensor([[1.0, 0.0]])
    prototypes = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    problem = small([1, 1, -1], 0, 200.0, pixels, prototypes)
    loss, grad, _ = value_and_gradients(pixel_to_segment_loss, *problem)
    assert loss.item() == pytest.approx(400.0, rel=1e-6)
    assert torch.allclose(grad, torch.tensor([[400.0, 0.0]]))
    problem = small([1, -1, 1], 0, 200.0, pixels, prototypes)
    for value in value_and_gradients(pixel_to_segment_loss, *problem):
        assert torch.isfinite(value).all()
        assert value.abs().max() == 0


@pytest.mark.parametrize('scale', [0.0, 1e-20, 1e3])
@pytest.mark.parametrize('concentration', [0.0, 16.0, 200.0])
def test_odd_magnitudes(scale, concentration):
    """Zero, tiny and huge vectors: finite everywhere, right where it is exact."""
    pixels, prototypes, *rest = make(23, 7, 3, 4, seed=8, dtype=torch.float32)
    pixels, prototypes = pixels * scale, prototypes * scale
    out = value_and_gradients(
        pixel_to_segment_loss, pixels, prototypes, *rest, concentration
    )
    wide = value_and_gradients(
        reference_mean, pixels.double(), prototypes.double(), *rest, concentration
    )
    for value, exact in zip(out, wide):
        assert torch.isfinite(value).all()
        if scale <= 1:
            assert (value - exact).abs().max() <= 1e-5 * max(1, exact.abs().max())
    assert abs(out[0] - wide[0]) <= 1e-5 * max(1, wide[0])


def test_duplicated_segments_and_pixels():
    pixels, prototypes, own, row, comparison = make(12, 5, 4, 3, seed=2)
    problem = (
        pixels[[0, 0, 1, 1, 2, 2, 3]],
        prototypes[[0, 0, 1, 1, 2, 0]],
        torch.tensor([0, 1, 2, 3, 4, 5, 5]),
        row[[0, 0, 1, 1, 2, 2, 3]],
        comparison[:, [0, 0, 1, 1, 2, 0]],
        16.0,
    )
    out = value_and_gradients(pixel_to_segment_loss, *problem)
    agree(out, value_and_gradients(reference_mean, *problem), 1e-10)


def test_pixel_that_equals_its_prototype():
    """The own term dominates every sum by e^32: cancellation would lose the rest."""
    prototypes = torch.eye(6)
    prototypes[5] = -prototypes[0]
    pixels = prototypes[:1].clone()
    problem = small([1, -1, -1, -1, -1, 1], 0, 16.0, pixels, prototypes)
    loss, *_ = value_and_gradients(pixel_to_segment_loss, *problem)
    # numerator e^-16 alone, denominator e^-16 + 4
    assert loss.item() == pytest.approx(math.log(4 + math.exp(-16)) + 16, rel=1e-6)


@pytest.mark.parametrize('segments', [0, 4])
@pytest.mark.parametrize('weighted', [False, True])
def test_no_pixels(segments, weighted):
    pixels, prototypes = leaves(torch.zeros(0, 3), torch.randn(segments, 3))
    none = torch.zeros(0, dtype=torch.int64)
    comparison = torch.ones(2, segments, dtype=torch.int8)
    weight = torch.zeros(0) if weighted else None
    loss = pixel_to_segment_loss(
        pixels, prototypes, none, none, comparison, 6.0, weight
    )
    assert loss.shape == () and loss.item() == 0 and loss.requires_grad
    loss.backward()
    assert pixels.grad.shape == (0, 3)
    assert prototypes.grad.shape == (segments, 3)
    assert (prototypes.grad == 0).all()
    values = pixel_to_segment_nll(pixels, prototypes, none, none, comparison, 6.0)
    assert values.shape == (0,)


def test_no_rows_and_no_pixels():
    none = torch.zeros(0, dtype=torch.int64)
    prototypes = torch.randn(3, 2, requires_grad=True)
    loss = pixel_to_segment_loss(
        torch.zeros(0, 2), prototypes, none, none, torch.zeros(0, 3).to(torch.int8), 6.0
    )
    loss.backward()
    assert loss.item() == 0


def test_pixels_without_segments_are_refused():
    index = torch.zeros(2, dtype=torch.int64)
    with pytest.raises((ValueError, IndexError)):
        pixel_to_segment_loss(
            torch.randn(2, 3),
            torch.zeros(0, 3),
            index,
            index,
            torch.zeros(1, 0, dtype=torch.int8),
            6.0,
        )


# ------------------------------------------------------- rows, groups, weights


@pytest.mark.parametrize('rows', [1, 2, 40, 400])
@pytest.mark.parametrize('seed', range(2))
def test_rows_of_all_sizes(rows, seed):
    """One row for all, rows of few pixels, rows without any pixel."""
    problem = (*make(160, 23, 6, rows, seed=seed), 8.0)
    out = value_and_gradients(pixel_to_segment_loss, *problem)
    expected = value_and_gradients(lambda *a: dense(*a).mean(), *problem)
    agree(out, expected, 1e-10)


def test_many_pixels_cross_the_chunks():
    problem = (*make(9001, 130, 3, 5, seed=4), 8.0)
    out = value_and_gradients(pixel_to_segment_loss, *problem)
    expected = value_and_gradients(lambda *a: dense(*a).mean(), *problem)
    agree(out, expected, 1e-10)
    agree([pixel_to_segment_nll(*problem)], [dense(*problem)], 1e-10)


@pytest.mark.parametrize('seed', range(3))
def test_groups_change_nothing(seed):
    """Rows of one group compare the same segments, with other signs."""
    g = torch.Generator().manual_seed(seed)
    pixels, prototypes, own, row, _ = make(90, 40, 5, 24, seed=seed)
    group = torch.randint(4, (24,), generator=g)
    compared = torch.rand(4, 40, generator=g) < 0.4
    compared[3] = False
    sign = torch.randint(2, (24, 40), generator=g) * 2 - 1
    comparison = (sign * compared[group]).to(torch.int8)
    problem = (pixels, prototypes, own, row, comparison, 8.0)
    expected = value_and_gradients(lambda *a: dense(*a).mean(), *problem)
    for groups in (None, group, torch.arange(24), group * 1000 + 7):
        out = value_and_gradients(pixel_to_segment_loss, *problem, group=groups)
        agree(out, expected, 1e-10)
        values = pixel_to_segment_nll(*problem, group=groups)
        agree([values], [dense(*problem)], 1e-10)


@pytest.mark.parametrize('seed', range(3))
def test_rows_that_are_kinds_of_segments(seed):
    """As classes: each segment is the same for one row, or for none."""
    g = torch.Generator().manual_seed(seed)
    pixels, prototypes, own, row, _ = make(90, 40, 5, 6, seed=seed)
    row = row.clamp(max=4)  # one without pixels
    kind = torch.randint(8, (40,), generator=g)
    compared = torch.rand(40, generator=g) < 0.7
    comparison = torch.where(torch.arange(6)[:, None] == kind, 1, -1) * compared
    comparison[3, comparison[3] > 0] = -1  # one with negatives alone
    problem = (pixels, prototypes, own, row, comparison.to(torch.int8), 8.0)
    out = value_and_gradients(pixel_to_segment_loss, *problem)
    expected = value_and_gradients(lambda *a: dense(*a).mean(), *problem)
    agree(out, expected, 1e-10)


def test_weights_give_the_weighted_sum():
    problem = (*make(21, 9, 4, 5, seed=6), 8.0)
    weight = torch.rand(21, dtype=torch.float64)
    weight[::3] = 0
    out = value_and_gradients(pixel_to_segment_loss, *problem, weight)
    expected = value_and_gradients(
        lambda *a: (reference_losses(*a) * weight).sum(), *problem
    )
    agree(out, expected, 1e-10)
    assert (out[1][::3] == 0).all()
    narrow = value_and_gradients(pixel_to_segment_loss, *problem, weight.float())
    agree(narrow, expected, 1e-6)
    spread = torch.stack([weight, -weight], 1)[:, 0]
    agree(value_and_gradients(pixel_to_segment_loss, *problem, spread), expected, 1e-10)
    agree(
        value_and_gradients(pixel_to_segment_loss, *problem, torch.full((21,), 1 / 21)),
        value_and_gradients(pixel_to_segment_loss, *problem),
        1e-6,
    )


@pytest.mark.parametrize('order', ['pixels', 'segments', 'rows'])
def test_order_does_not_matter(order):
    pixels, prototypes, own, row, comparison = make(33, 12, 4, 6, seed=9)
    g = torch.Generator().manual_seed(0)
    base = pixel_to_segment_loss(pixels, prototypes, own, row, comparison, 8.0)
    if order == 'pixels':
        p = torch.randperm(33, generator=g)
        pixels, own, row = pixels[p], own[p], row[p]
    elif order == 'segments':
        p = torch.randperm(12, generator=g)
        prototypes, comparison = prototypes[p], comparison[:, p]
        own = p.argsort()[own]
    else:
        p = torch.randperm(6, generator=g)
        comparison, row = comparison[p], p.argsort()[row]
    loss = pixel_to_segment_loss(pixels, prototypes, own, row, comparison, 8.0)
    assert loss.item() == pytest.approx(base.item(), abs=1e-12)


# --------------------------------------------------------- tensors and autograd


def test_inputs_stay_as_they_are():
    problem = make(30, 9, 4, 5, dtype=torch.float32)
    weight, group = torch.rand(30), torch.arange(5)
    tensors = (*problem, weight, group)
    copies = [tensor.clone() for tensor in tensors]
    versions = [tensor._version for tensor in tensors]
    problem[0].requires_grad_(), problem[1].requires_grad_()
    arguments = (*problem, 6.0)
    pixel_to_segment_loss(*arguments, weight, group=group).backward()
    pixel_to_segment_nll(*arguments, group=group)
    for tensor, copy, version in zip(tensors, copies, versions):
        assert tensor._version == version
        assert torch.equal(tensor.detach(), copy)


def test_non_contiguous_inputs():
    pixels, prototypes, own, row, comparison = make(20, 8, 6, 4, seed=3)
    expected = value_and_gradients(
        pixel_to_segment_loss, pixels, prototypes, own, row, comparison, 6.0
    )

    def strided(tensor):
        return torch.stack([tensor, tensor], -1)[..., 0]

    loose = [strided(t) for t in (own, row)] + [comparison.t().contiguous().t()]
    wide_pixels, turned = leaves(strided(pixels), prototypes.t().contiguous())
    loss = pixel_to_segment_loss(wide_pixels, turned.t(), *loose, 6.0)
    loss.backward()
    agree([loss, wide_pixels.grad, turned.grad.t()], expected, 1e-12)
    # one vector for all pixels
    one = pixels[:1].clone().requires_grad_()
    problem = (own, row, comparison, 6.0)
    pixel_to_segment_loss(one.expand(20, -1), prototypes, *problem).backward()
    repeated = pixels[:1].repeat(20, 1).requires_grad_()
    pixel_to_segment_loss(repeated, prototypes, *problem).backward()
    agree([one.grad], [repeated.grad.sum(0, keepdim=True)], 1e-12)


@pytest.mark.parametrize('which', ['own', 'row', 'both', 'comparison'])
def test_other_integers_work_or_are_refused(which):
    pixels, prototypes, own, row, comparison = make(12, 5, 3, 4)
    expected = pixel_to_segment_loss(pixels, prototypes, own, row, comparison, 6.0)
    if which in ('own', 'both'):
        own = own.int()
    if which in ('row', 'both'):
        row = row.int()
    if which == 'comparison':
        comparison = comparison.long()
    try:
        loss = pixel_to_segment_loss(pixels, prototypes, own, row, comparison, 6.0)
    except (TypeError, ValueError) as error:
        assert 'int' in str(error)
    else:
        assert loss.item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize(
    'change',
    [
        dict(pixels=torch.randn(6, 4)),  # D differs
        dict(pixels=torch.randn(5, 3)),  # P differs
        dict(pixels=torch.randn(6)),
        dict(prototypes=torch.randn(5, 3)),  # S differs from the table
        dict(own=torch.zeros(7, dtype=torch.int64)),
        dict(own=torch.zeros(6, 1, dtype=torch.int64)),
        dict(row=torch.zeros(5, dtype=torch.int64)),
        dict(comparison=torch.zeros(2, 5, dtype=torch.int8)),
        dict(comparison=torch.zeros(4, dtype=torch.int8)),
        dict(weight=torch.ones(5)),
        dict(weight=torch.ones(6, 1)),
        dict(group=torch.zeros(3, dtype=torch.int64)),
    ],
    ids=lambda change: ' '.join(f'{k}{tuple(v.shape)}' for k, v in change.items()),
)
def test_wrong_shapes_are_named(change):
    arguments = dict(
        pixels=torch.randn(6, 3),
        prototypes=torch.randn(4, 3),
        own=torch.zeros(6, dtype=torch.int64),
        row=torch.zeros(6, dtype=torch.int64),
        comparison=torch.ones(2, 4, dtype=torch.int8),
        concentration=6.0,
    )
    pixel_to_segment_loss(**arguments)
    with pytest.raises(ValueError) as error:
        pixel_to_segment_loss(**{**arguments, **change})
    text = str(error.value)
    assert any(character.isdigit() for character in text), text
    assert any(name in text for name in (*arguments, *change)), text


@pytest.mark.parametrize('function', [pixel_to_segment_loss, pixel_to_segment_nll])
@pytest.mark.parametrize(
    'place, value, error, message',
    [
        (4, lambda table: table > 0, TypeError, 'comparison must be int8.*torch.bool'),
        (4, lambda table: table.float(), TypeError, 'comparison must be int8'),
        (2, lambda own: own - 1, ValueError, r'own must hold integers in \[0, 9\).*-1'),
        (2, lambda own: own + 1, ValueError, r'own must hold integers in \[0, 9\).*9'),
        (2, lambda own: own > 3, TypeError, 'own must hold integers, got torch.bool'),
        (3, lambda row: row - 1, ValueError, r'row must hold integers in \[0, 4\).*-1'),
        (3, lambda row: row.float(), TypeError, 'row must hold integers'),
    ],
)
def test_wrong_indices_and_tables_are_refused(function, place, value, error, message):
    problem = list(make(60, 9, 4, 4))
    problem[2][:2] = torch.tensor([0, 8])
    problem[3][0] = 0
    problem[place] = value(problem[place])
    with pytest.raises(error, match=message):
        function(*problem, 6.0)


@pytest.mark.parametrize('factor', [0.0, 1.0, -2.5])
def test_upstream_gradient(factor):
    problem = (*make(15, 6, 4, 3), 6.0)
    _, pixels, prototypes = value_and_gradients(pixel_to_segment_loss, *problem)
    _, *scaled = value_and_gradients(
        lambda *a: factor * pixel_to_segment_loss(*a), *problem
    )
    agree(scaled, [factor * pixels, factor * prototypes], 1e-12)


@pytest.mark.parametrize('wanted', [(True, False), (False, True), (False, False)])
def test_only_the_wanted_gradients(wanted):
    pixels, prototypes, *rest = make(15, 6, 4, 3)
    _, *expected = value_and_gradients(
        pixel_to_segment_loss, pixels, prototypes, *rest, 6.0
    )
    inputs = [
        tensor.clone().requires_grad_(want)
        for tensor, want in zip((pixels, prototypes), wanted)
    ]
    loss = pixel_to_segment_loss(*inputs, *rest, 6.0)
    assert loss.requires_grad == any(wanted)
    if any(wanted):
        loss.backward()
    for tensor, want, grad in zip(inputs, wanted, expected):
        assert (tensor.grad is not None) == want
        if want:
            agree([tensor.grad], [grad], 1e-12)
    with torch.no_grad():
        assert not pixel_to_segment_loss(*inputs, *rest, 6.0).requires_grad


def test_one_tensor_on_both_sides():
    _, prototypes, _, _, _ = make(1, 8, 4, 1)
    own = torch.arange(8)
    comparison = make(1, 8, 4, 8)[4]

    def both(function):
        tensor = prototypes.clone().requires_grad_()
        function(tensor, tensor, own, own, comparison, 6.0).backward()
        return tensor.grad

    agree([both(pixel_to_segment_loss)], [both(reference_mean)], 1e-10)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(dtype):
    problem = (*make(64, 20, 16, 5, dtype=torch.float32), 16.0)
    expected = value_and_gradients(pixel_to_segment_loss, *problem)
    with torch.autocast('cpu', dtype=dtype):
        out = value_and_gradients(pixel_to_segment_loss, *problem)
        values = pixel_to_segment_nll(*problem)
    assert all(a.dtype == torch.float32 for a in out)
    assert all(torch.equal(a, b) for a, b in zip(out, expected))
    assert torch.equal(values, pixel_to_segment_nll(*problem))
    pixels, prototypes = leaves(*problem[:2])
    with torch.autocast('cpu', dtype=dtype):
        loss = pixel_to_segment_loss(pixels, prototypes, *problem[2:])
    loss.backward()
    assert torch.equal(pixels.grad, expected[1])
    assert torch.equal(prototypes.grad, expected[2])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_inputs(dtype):
    """Computed in float32; e^64 would overflow float16 at once."""
    pixels, prototypes, *rest = make(64, 20, 16, 5, dtype=dtype)
    out = value_and_gradients(pixel_to_segment_loss, pixels, prototypes, *rest, 64.0)
    wide = value_and_gradients(
        lambda *a: dense(*a).mean(), pixels.double(), prototypes.double(), *rest, 64.0
    )
    assert out[0].dtype == torch.float32
    assert abs(out[0] - wide[0]) <= 1e-5 * wide[0]
    for grad, exact in zip(out[1:], wide[1:]):
        assert grad.dtype == dtype
        assert (grad - exact).norm() <= 1e-2 * exact.norm()


def test_second_backward_raises():
    pixels, prototypes, *rest = make(10, 5, 3, 2)
    pixels, prototypes = leaves(pixels, prototypes)
    loss = pixel_to_segment_loss(pixels, prototypes, *rest, 6.0)
    loss.backward()
    with pytest.raises(RuntimeError, match='second time|twice'):
        loss.backward()


def test_retained_graph_gives_the_gradient_again():
    pixels, prototypes, *rest = make(10, 5, 3, 2)
    pixels, prototypes = leaves(pixels, prototypes)
    loss = pixel_to_segment_loss(pixels, prototypes, *rest, 6.0)
    loss.backward(retain_graph=True)
    once = pixels.grad.clone(), prototypes.grad.clone()
    loss.backward()
    agree([pixels.grad, prototypes.grad], [2 * grad for grad in once], 1e-12)


def test_gradient_of_the_gradient_raises():
    pixels, prototypes, *rest = make(10, 5, 3, 2)
    pixels, prototypes = leaves(pixels, prototypes)
    loss = pixel_to_segment_loss(pixels, prototypes, *rest, 6.0)
    (grad,) = torch.autograd.grad(loss, pixels, create_graph=True)
    with pytest.raises(RuntimeError):
        grad.square().sum().backward()


# -------------------------------------------------------------------- memory


class Storages(TorchDispatchMode):
    """Largest tensor made (elements) and most bytes alive at once."""

    def __init__(self):
        super().__init__()
        self.largest = self.alive = self.peak = 0
        self.known = set()

    def _dead(self, key, size):
        self.known.discard(key)
        self.alive -= size

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if not isinstance(tensor, torch.Tensor):
                continue
            self.largest = max(self.largest, tensor.numel())
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self.known:
                self.known.add(key)
                self.alive += storage.nbytes()
                self.peak = max(self.peak, self.alive)
                weakref.finalize(storage, self._dead, key, storage.nbytes())
        return out


def track(count, segments, rows, backward=True):
    problem = make(count, segments, 4, rows, dtype=torch.float32)
    pixels, prototypes = leaves(*problem[:2])
    gc.collect()
    with Storages() as seen:
        if backward:
            pixel_to_segment_loss(pixels, prototypes, *problem[2:], 6.0).backward()
        else:
            pixel_to_segment_nll(pixels, prototypes, *problem[2:], 6.0)
    return seen


def test_the_tracker_sees_the_dense_path():
    problem = make(3_000, 500, 4, 3, dtype=torch.float32)
    pixels, prototypes = leaves(*problem[:2])
    with Storages() as seen:
        dense(pixels, prototypes, *problem[2:], 6.0).mean().backward()
    assert seen.largest >= 3_000 * 500
    assert seen.peak >= 4 * 3_000 * 500
    assert seen.alive < seen.peak / 4  # and sees memory that is given back


@pytest.mark.parametrize('rows', [3, 600])
def test_nothing_of_size_pixels_by_segments(rows):
    count, segments = 40_000, 5_000
    seen = track(count, segments, rows)
    assert seen.largest < count * segments / 8
    assert seen.peak < 4 * count * segments / 4


def test_nothing_of_size_pixels_by_segments_without_gradient():
    count, segments = 40_000, 5_000
    seen = track(count, segments, 3, backward=False)
    assert seen.largest < count * segments / 8
    assert seen.peak < 4 * count * segments / 4


def test_memory_grows_at_most_linearly():
    track(1_000, 500, 3)
    half, full = track(20_000, 1_500, 3), track(40_000, 3_000, 3)
    assert full.largest <= 2.2 * half.largest
    assert full.peak <= 2.2 * half.peak


def test_where_nothing_repels_nothing_is_computed(monkeypatch):
    pixels, prototypes, own, row, comparison = make(40, 9, 4, 3)
    comparison[1] = comparison[1].abs()
    expected = dense(pixels, prototypes, own, row, comparison, 6.0)
    chunks = []
    chunk = contrastive_blockwise._Blockwise._chunk

    def counted(blockwise, pixels, *rest):
        chunks.extend(row[pixels].unique().tolist())
        chunk(blockwise, pixels, *rest)

    monkeypatch.setattr(contrastive_blockwise._Blockwise, '_chunk', counted)
    out = pixel_to_segment_nll(pixels, prototypes, own, row, comparison, 6.0)
    assert torch.allclose(out, expected)
    assert (out[row == 1] == 0).all()
    assert sorted(chunks) == [0, 2]


@pytest.mark.parametrize('group', [None, torch.tensor([0, 0])])
def test_a_heavy_pixel_without_a_positive(group):
    """The sum of its positives is 0, by which its weight must not be divided."""
    comparison = torch.tensor([[-1, -1, -1], [1, -1, -1]], dtype=torch.int8)
    pixels, prototypes = leaves(torch.eye(3)[:2], torch.eye(3))
    own, row = torch.tensor([2, 1]), torch.tensor([0, 1])
    weight = torch.full((2,), 8.0)
    loss = pixel_to_segment_loss(
        pixels, prototypes, own, row, comparison, 6.0, weight, group=group
    )
    loss.backward()
    assert pixels.grad.isfinite().all() and prototypes.grad.isfinite().all()
