"""The cross-entropy of labeled pixels against that of resized logits."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional import sparse_cross_entropy

C = 3


def case(small, large, labeled=0.3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, C, *small, generator=generator, dtype=dtype)
    labels = torch.randint(C, (2, *large), generator=generator)
    draw = torch.rand(2, *large, generator=generator)
    labels[draw > labeled] = C
    labels[draw > (1 + labeled) / 2] = 255
    return logits.requires_grad_(), labels


def by_resizing(logits, labels):
    resized = F.interpolate(
        logits, labels.shape[1:], mode='bilinear', align_corners=False
    )
    rows = resized.permute(0, 2, 3, 1)[labels < C]
    return F.cross_entropy(rows, labels[labels < C], reduction='sum')


@pytest.mark.parametrize(
    'small, large',
    [
        ((5, 7), (20, 28)),
        ((5, 7), (17, 31)),
        ((1, 1), (4, 4)),
        ((9, 9), (9, 9)),
        ((8, 6), (3, 2)),
        ((3, 4), (1, 1)),
    ],
)
def test_value_and_gradient(small, large):
    logits, labels = case(small, large, labeled=0.6)
    value = sparse_cross_entropy(logits, labels)
    expected = by_resizing(logits, labels)
    assert torch.allclose(value, expected, rtol=1e-10)
    (found,) = torch.autograd.grad(value, logits, retain_graph=True)
    (target,) = torch.autograd.grad(expected, logits)
    assert torch.allclose(found, target, rtol=1e-8, atol=1e-12)


def test_gradcheck():
    logits, labels = case((3, 4), (7, 9))
    assert torch.autograd.gradcheck(lambda x: sparse_cross_entropy(x, labels), logits)


@pytest.mark.parametrize('value', [C, 200, 255])
def test_no_label_is_an_attached_zero(value):
    logits, labels = case((5, 7), (20, 28))
    total = sparse_cross_entropy(logits, torch.full_like(labels, value))
    assert total == 0
    total.backward()
    assert not logits.grad.any()


def test_one_image_without_labels():
    logits, labels = case((5, 7), (20, 28))
    labels[0] = C
    value = sparse_cross_entropy(logits, labels)
    assert torch.allclose(value, by_resizing(logits[1:], labels[1:]))


def test_half_precision_is_computed_in_float32():
    logits, labels = case((5, 7), (20, 28), dtype=torch.float32)
    found = sparse_cross_entropy(logits.half(), labels)
    assert found.dtype == torch.float32
    expected = sparse_cross_entropy(logits.half().float(), labels)
    assert torch.equal(found, expected)


def test_label_maps_of_one_byte():
    logits, labels = case((5, 7), (20, 28))
    found = sparse_cross_entropy(logits, labels.byte())
    assert torch.equal(found, sparse_cross_entropy(logits, labels))


@pytest.mark.parametrize(
    'shapes',
    [((2, C, 4), (2, 4, 4)), ((2, C, 4, 4), (3, 4, 4)), ((0, C, 4, 4), (0, 4, 4))],
)
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match='expected'):
        sparse_cross_entropy(torch.zeros(shapes[0]), torch.zeros(shapes[1]).long())
