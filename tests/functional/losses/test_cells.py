"""Class probabilities of cells against loops over images and classes."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional.losses.cells import cell_means
from mmseg_spml.functional.losses.pairwise import dense_crf_loss


def masked_means(logits, images, scale, allowed):
    """Probabilities by loops over images, cells and pixels, with minus infinity."""
    size = [max(round(side * scale), 1) for side in images.shape[2:]]
    resized = F.interpolate(logits, images.shape[2:], mode='bilinear')
    rows = []
    for scores, may in zip(resized, allowed):
        if may.any():
            scores = scores.masked_fill(~may[:, None, None], -torch.inf)
        rows.append(F.adaptive_avg_pool2d(scores.softmax(0), size))
    return torch.stack(rows)


@pytest.mark.parametrize('size', [(8, 12), (7, 9), (3, 5)])
@pytest.mark.parametrize('scale', [0.25, 0.5, 1.0])
def test_probabilities_among_allowed_classes(size, scale):
    generator = torch.Generator().manual_seed(0)
    shape = 4, 3, 2, 3
    logits = torch.randn(shape, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    images = torch.rand(4, 3, *size, generator=generator, dtype=torch.float64)
    # All, some, one, and none, which counts as all.
    allowed = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]).bool()
    found, small = cell_means(logits, images, scale, allowed)
    expected = masked_means(logits, images, scale, allowed)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(1), torch.ones_like(found[:, 0]))
    torch.testing.assert_close(small, F.adaptive_avg_pool2d(images, small.shape[2:]))
    upstream = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    gradient, reference = (
        torch.autograd.grad((value * upstream).sum(), logits)[0]
        for value in (found, expected)
    )
    torch.testing.assert_close(gradient, reference)


def test_no_images():
    found, small = cell_means(torch.zeros(0, 3, 2, 2), torch.zeros(0, 3, 8, 8), 0.5)
    assert found.shape == (0, 3, 4, 4) and small.shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    'allowed, error, words',
    [
        (torch.ones(2, 3), TypeError, 'must be bool'),
        (torch.ones(2, 4).bool(), ValueError, r'\(2, 3\), got \(2, 4\)'),
    ],
)
def test_bad_allowed_classes(allowed, error, words):
    with pytest.raises(error, match=words):
        dense_crf_loss(
            torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8), allowed=allowed
        )
