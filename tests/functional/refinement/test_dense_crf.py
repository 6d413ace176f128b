"""Mean field against a brute-force one, and against the authors' C++ code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmseg_spml.functional.refinement.dense_crf import dense_crf, dense_crf_of_images
from mmseg_spml.functional.refinement.permutohedral import build_lattice, filter_values


def noisy_case(size, classes, seed=0):
    """An image of two colors and uncertain probabilities."""
    rng = np.random.default_rng(seed)
    image = np.full((*size, 3), 60)
    image[:, size[1] // 2 :] = (180, 120, 40)
    image = (image + rng.integers(-3, 4, image.shape)).astype(np.uint8)
    probabilities = rng.random((classes, *size)).astype(np.float32) ** 3
    return image, torch.from_numpy(probabilities / probabilities.sum(0))


def kernel_matrix(features):
    """What the lattice does to each pixel, as an (N, N) matrix in float64."""
    lattice = build_lattice(torch.from_numpy(features.astype(np.float32)))
    return filter_values(torch.eye(len(features)), lattice).double().numpy()


def brute_force(image, probabilities, iterations, kernels):
    """Equation 8 with dense matrices."""
    height, width = image.shape[:2]
    y, x = np.divmod(np.arange(height * width), width)
    place = np.stack([x, y], axis=1)
    color = image.reshape(-1, 3).astype(float)
    unary = -np.log(
        np.clip(probabilities.numpy().reshape(len(probabilities), -1), 1e-5, 1)
    )
    matrices = []
    for weight, xy, rgb in kernels:
        features = place / xy if rgb is None else np.hstack([place / xy, color / rgb])
        matrix = kernel_matrix(features)
        scale = 1 / np.sqrt(matrix.sum(axis=1))
        matrices.append(weight * scale[:, None] * matrix * scale)
    q = np.exp(-unary) / np.exp(-unary).sum(0)
    for _ in range(iterations):
        energy = unary - sum(q @ matrix.T for matrix in matrices)
        q = np.exp(-energy) / np.exp(-energy).sum(0)
    return q.reshape(probabilities.shape)


@pytest.mark.parametrize('iterations', [0, 1, 10])
@pytest.mark.parametrize(
    'size, classes',
    [((9, 12), 3), ((1, 7), 2), ((3, 4), 1), ((3, 4), 15), ((3, 4), 16), ((5, 4), 21)],
)
def test_by_brute_force(size, classes, iterations):
    image, probabilities = noisy_case(size, classes)
    given = probabilities.clone()
    marginals = dense_crf(
        image, probabilities, iterations=iterations, bilateral_xy=5, bilateral_rgb=8
    )
    assert torch.equal(probabilities, given)
    kernels = [(3, 1, None), (4, 5, 8)]
    expected = brute_force(image, probabilities, iterations, kernels)
    assert marginals.shape == probabilities.shape
    assert np.allclose(marginals.numpy(), expected, atol=1e-4)
    assert torch.allclose(marginals.sum(0), torch.ones(size), atol=1e-5)


def test_kernels_of_weight_zero_are_left_out():
    image, probabilities = noisy_case((6, 8), 3)
    none = dense_crf(image, probabilities, gaussian_weight=0, bilateral_weight=0)
    assert torch.allclose(none, probabilities.clamp(min=1e-5).log().softmax(0))
    one = dense_crf(image, probabilities, bilateral_weight=0, iterations=3)
    expected = brute_force(image, probabilities, 3, [(3, 1, None)])
    assert np.allclose(one.numpy(), expected, atol=1e-4)


def test_noise_inside_of_a_color_is_removed():
    image, _ = noisy_case((24, 32), 2)
    truth = np.zeros((24, 32), int)
    truth[:, 16:] = 1
    wrong = np.random.default_rng(1).random(truth.shape) < 0.2
    seen = np.where(wrong, 1 - truth, truth)
    probabilities = torch.from_numpy(np.where(seen == 1, 0.7, 0.3)).float()
    marginals = dense_crf(image, torch.stack([1 - probabilities, probabilities]))
    assert (marginals.argmax(0).numpy() == truth).all()


def test_scores_that_do_not_sum_to_one_or_vanish():
    image, probabilities = noisy_case((6, 8), 3)
    assert dense_crf(image, 0 * probabilities).isfinite().all()
    scaled = dense_crf(image, 0.5 * probabilities, iterations=0)
    clipped = (0.5 * probabilities).clamp(min=1e-5)
    assert torch.allclose(scaled, clipped / clipped.sum(0))


def test_scores_above_one_keep_their_ratio():
    image = np.zeros((2, 3, 3), np.uint8)
    scores = torch.tensor([2.0, 4.0]).view(2, 1, 1).expand(2, 2, 3)
    found = dense_crf(image, scores, iterations=0)
    torch.testing.assert_close(found, scores / 6)


@pytest.mark.parametrize('pixels_together', [None, 0, 60, 150, 10**6])
def test_images_together(pixels_together):
    sizes = [(6, 8), (1, 7), (9, 12), (5, 5)]
    cases = [noisy_case(size, 3, seed) for seed, size in enumerate(sizes)]
    options = dict(iterations=4, bilateral_xy=5, bilateral_rgb=8)
    found = dense_crf_of_images(
        *zip(*cases), **options, pixels_together=pixels_together
    )
    assert len(found) == len(cases)
    for marginals, (image, probabilities) in zip(found, cases):
        expected = brute_force(image, probabilities, 4, [(3, 1, None), (4, 5, 8)])
        assert np.allclose(marginals.numpy(), expected, atol=1e-4)
        alone = dense_crf(image, probabilities, **options)
        assert torch.allclose(marginals, alone, atol=1e-6)
    assert dense_crf_of_images([], []) == []


def test_mistakes():
    image, probabilities = noisy_case((6, 8), 3)
    with pytest.raises(ValueError, match='1 of them and 2 images'):
        dense_crf_of_images([image, image], [probabilities])
    with pytest.raises(ValueError, match='3 classes as in image 0, got 2 in image 1'):
        dense_crf_of_images([image, image], [probabilities, probabilities[:2]])
    with pytest.raises(ValueError, match='RGB'):
        dense_crf(image.astype(float), probabilities)
    with pytest.raises(ValueError, match=r'\(C, 6, 8\)'):
        dense_crf(image, probabilities[:, :5])
    for options in (dict(gaussian_xy=0), dict(bilateral_rgb=-1), dict(iterations=-1)):
        with pytest.raises(ValueError, match='above 0'):
            dense_crf(image, probabilities, **options)


def test_under_autocast_and_with_gradients():
    image, probabilities = noisy_case((6, 8), 3)
    expected = dense_crf(image, probabilities)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        marginals = dense_crf(image, probabilities.requires_grad_())
    assert torch.equal(marginals, expected)
    assert not marginals.requires_grad
    with pytest.raises(ValueError, match='finite'):
        dense_crf(image, torch.full((2, 6, 8), float('nan')))
    with pytest.raises(ValueError, match='negative.*are they logits'):
        dense_crf(image, probabilities.detach() - 0.5)


def test_the_authors_code():
    """Marginals of pydensecrf2 1.1 for this case, which were kept."""
    image, probabilities = noisy_case((40, 56), 5)
    kept = np.load(Path(__file__).with_name('dense_crf_of_pydensecrf2.npz'))
    assert kept['image_sum'] == image.sum()
    assert kept['probability_sum'] == pytest.approx(probabilities.double().sum().item())
    marginals = dense_crf(image, probabilities).numpy()
    expected = kept['marginals'].astype(np.float32)
    assert np.abs(marginals - expected).max() < 2e-3  # kept in half precision
    assert (marginals.argmax(0) == expected.argmax(0)).mean() > 0.999
