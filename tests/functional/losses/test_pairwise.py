"""The energies of dense and gated CRF against loops over all pairs of pixels."""

import math

import pytest
import torch

from mmseg_spml.functional import dense_crf_loss, gated_crf_loss, tree_energy_loss
from mmseg_spml.functional.losses.pairwise import dense_crf_energy, gated_crf_energy


def scene(seed=0, size=(5, 6), number=2, classes=3, dtype=torch.float64):
    """Probabilities that take a gradient, images of few colors, a mask."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(number, classes, *size, generator=generator, dtype=dtype)
    coarse = torch.rand(number, 3, 2, 2, generator=generator)
    images = 255 * torch.nn.functional.interpolate(coarse, size=size)
    valid = torch.rand(number, *size, generator=generator) > 0.2
    return logits.softmax(1).requires_grad_(), images, valid


def pairs(images, valid, sigma_xy, sigma_rgb, window=None):
    """(n, i, j, affinity) of each ordered pair, by the definition."""
    number, _, height, width = images.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    for n in range(number):
        for a in places:
            for b in places:
                if not (valid[n][a] and valid[n][b]):
                    continue
                apart = max(abs(a[0] - b[0]), abs(a[1] - b[1]))
                if window is not None and not 0 < apart <= window:
                    continue
                color = (images[n, :, a[0], a[1]] - images[n, :, b[0], b[1]]).double()
                squared = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
                exponent = squared / sigma_xy**2 + float(color @ color) / sigma_rgb**2
                yield n, a, b, math.exp(-exponent / 2)


def potts(probabilities, listed):
    """Weighted sums over pairs: of the disagreement, of one."""
    energy = total = 0
    for n, a, b, weight in listed:
        y, z = probabilities[n, :, a[0], a[1]], probabilities[n, :, b[0], b[1]]
        energy = energy + weight * (y.sum() * z.sum() - (y * z).sum())
        total += weight
    return energy, total


@pytest.mark.parametrize('radius', [1, 2, 9])
@pytest.mark.parametrize('size', [(5, 6), (1, 7), (4, 1)])
def test_gated_crf_is_the_sum_over_pairs(radius, size):
    probabilities, images, valid = scene(size=size)
    energy, _ = potts(probabilities, pairs(images, valid, 3.0, 60.0, radius))
    expected = energy / valid.sum()
    (gradient,) = torch.autograd.grad(expected, probabilities)
    found = gated_crf_energy(probabilities, images, valid, radius, 3.0, 60.0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, probabilities)[0], gradient)


def test_dense_crf_is_the_mean_over_pairs():
    # the lattice approximates a Gaussian: its error is that of its authors' code
    probabilities, images, valid = scene(size=(12, 14))
    energy, total = potts(probabilities, pairs(images, valid, 6.0, 40.0))
    expected = energy / total
    (gradient,) = torch.autograd.grad(expected, probabilities)
    found = dense_crf_energy(probabilities, images, valid, 6.0, 40.0)
    assert float(found) == pytest.approx(float(expected), rel=0.02)
    found.backward()
    # a shift by pixel is lost in the softmax: compare what is left
    expected, found = (
        g - g.mean(1, keepdim=True) for g in (gradient, probabilities.grad)
    )
    similarity = torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0)
    assert similarity > 0.98


def test_dense_crf_gradient_is_nearly_that_of_its_value():
    # nearly: the order of its blurs makes the lattice a little asymmetric
    probabilities, images, valid = scene(size=(6, 7))
    dense_crf_energy(probabilities, images, valid, 3.0, 60.0).backward()
    slope = probabilities.grad.norm()
    step = 0.5 * probabilities.grad / slope
    # the energy is quadratic: the difference over a step is the slope in its middle
    above, below = (
        dense_crf_energy(probabilities.detach() + s, images, valid, 3.0, 60.0)
        for s in (step, -step)
    )
    assert float(above - below) == pytest.approx(float(slope), rel=0.01)


@pytest.mark.parametrize('one', [dense_crf_energy, gated_crf_energy])
def test_certain_and_uniform_predictions(one):
    options = (2, 4.0, 20.0) if one is gated_crf_energy else (4.0, 20.0)
    images = torch.zeros(1, 3, 6, 6)
    valid = torch.ones(1, 6, 6, dtype=torch.bool)
    certain = torch.zeros(1, 2, 6, 6)
    certain[:, 0] = 1
    assert one(certain, images, valid, *options).abs() < 1e-6
    uniform = torch.full_like(certain, 0.5).requires_grad_()
    assert one(uniform, images, valid, *options) > 0.4
    nothing = one(uniform, images, ~valid, *options)
    nothing.backward()
    assert nothing == 0
    assert (uniform.grad == 0).all()


def test_border_of_colors_is_cheaper_than_a_border_elsewhere():
    images = torch.zeros(1, 3, 4, 8)
    images[..., 4:] = 255
    valid = torch.ones(1, 4, 8, dtype=torch.bool)

    def split(column):
        left = (torch.arange(8) < column).float().expand(1, 1, 4, 8)
        return torch.cat([left, 1 - left], dim=1)

    for energy in (
        lambda p: dense_crf_energy(p, images, valid, 5.0, 15.0),
        lambda p: gated_crf_energy(p, images, valid, 3, 5.0, 15.0),
    ):
        assert energy(split(4)) < 1e-4 < energy(split(3))


@pytest.mark.parametrize('one', [dense_crf_energy, gated_crf_energy])
def test_mask_must_be_bool(one):
    probabilities, images, valid = scene()
    options = dict(sigma_xy=3.0, sigma_rgb=9.0)
    if one is gated_crf_energy:
        options['radius'] = 2
    with pytest.raises(TypeError, match='bool'):
        one(probabilities, images, valid.float(), **options)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(images=torch.zeros(2, 3, 5, 7)), 'expected images'),
        (dict(valid=torch.zeros(2, 5, 7, dtype=torch.bool)), 'expected images'),
        (dict(sigma_xy=0.0), 'positive'),
        (dict(sigma_rgb=-1.0), 'positive'),
    ],
)
@pytest.mark.parametrize('one', [dense_crf_energy, gated_crf_energy])
def test_bad_arguments(one, change, message):
    probabilities, images, valid = scene()
    options = dict(images=images, valid=valid, sigma_xy=3.0, sigma_rgb=9.0)
    if one is gated_crf_energy:
        options['radius'] = 2
    with pytest.raises(ValueError, match=message):
        one(probabilities, **{**options, **change})


def test_radius_of_zero():
    probabilities, images, valid = scene()
    with pytest.raises(ValueError, match='at least 1 pixel'):
        gated_crf_energy(probabilities, images, valid, 0, 3.0, 9.0)


def test_no_second_derivative():
    """None would be taken for zero."""
    probabilities = torch.full((1, 2, 3, 3), 0.5, requires_grad=True)
    images = torch.zeros(1, 3, 3, 3)
    energy = dense_crf_energy(probabilities, images, images[:, 0] == 0, 3.0, 15.0)
    (gradient,) = torch.autograd.grad(energy**2, probabilities, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss, tree_energy_loss])
def test_negative_labels(loss):
    """Marks of other libraries for unlabeled pixels, which would not count as such."""
    logits, images = torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8)
    labels = torch.full((1, 8, 8), -100)
    with pytest.raises(ValueError, match='must not be negative, got -100'):
        loss(logits, images, labels)
