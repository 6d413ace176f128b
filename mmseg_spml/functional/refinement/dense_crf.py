"""Fully connected conditional random field with Gaussian edges.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NIPS 2011. Letters: H, W image size; C classes; N = H W pixels.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mmseg_spml.functional.refinement.permutohedral import (
    Lattice,
    build_lattice,
    filter_values,
    pixel_positions,
    scaled_lattice,
    shortened_lattice,
)
from mmseg_spml.functional.rgb_images import checked_rgb

# Probabilities are clamped to at least this value, so that no class is ever ruled out.
MIN_PROBABILITY = 1e-5
# Position kernels are kept of images of so many pixels: they take 200 bytes a pixel.
_PIXELS_KEPT = 300_000
# Pixels of the images that a GPU filters together; up to 3 GB with 21 classes.
_PIXELS_TOGETHER = 1_000_000
# On a CPU, PyTorch's softmax of fewer classes takes three to six times as long as its
# parts.
_CLASSES_IN_A_VECTOR = 16


def dense_crf(
    image: np.ndarray,
    probabilities: Tensor,
    *,
    iterations: int = 10,
    gaussian_xy: float = 1.0,
    gaussian_weight: float = 3.0,
    bilateral_xy: float = 67.0,
    bilateral_rgb: float = 3.0,
    bilateral_weight: float = 4.0,
) -> Tensor:
    """Marginals of one image after mean-field inference, equation 8 of the paper.

    See :func:`dense_crf_of_images`, which takes several images.

    Args:
        image: (H, W, 3) uint8, RGB.
        probabilities: (C, H, W) float, >= 0; they need not sum to 1.
        iterations: Number of mean-field iterations, >= 0.
        gaussian_xy: Standard deviation of the position kernel, in pixels.
        gaussian_weight: Weight of the position kernel; 0 disables it.
        bilateral_xy: Position standard deviation of the bilateral kernel, in pixels.
        bilateral_rgb: Color standard deviation of the bilateral kernel, in gray levels.
        bilateral_weight: Weight of the bilateral kernel; 0 disables it.

    Returns:
        Tensor: (C, H, W) float32, sums to 1 over the classes.

    Raises:
        ValueError: See :func:`dense_crf_of_images`.

    Example:
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 200
        >>> probabilities = torch.full((2, 4, 6), 0.5)
        >>> probabilities[:, 1, 1] = torch.tensor([0.9, 0.1])
        >>> marginals = dense_crf(image, probabilities)
        >>> marginals.argmax(0)[:, :3].unique().tolist()
        [0]
    """
    (marginals,) = dense_crf_of_images(
        [image],
        [probabilities],
        iterations=iterations,
        gaussian_xy=gaussian_xy,
        gaussian_weight=gaussian_weight,
        bilateral_xy=bilateral_xy,
        bilateral_rgb=bilateral_rgb,
        bilateral_weight=bilateral_weight,
    )
    return marginals


@torch.no_grad()
def dense_crf_of_images(
    images: Sequence[np.ndarray],
    probabilities: Sequence[Tensor],
    *,
    iterations: int = 10,
    gaussian_xy: float = 1.0,
    gaussian_weight: float = 3.0,
    bilateral_xy: float = 67.0,
    bilateral_rgb: float = 3.0,
    bilateral_weight: float = 4.0,
    pixels_together: int | None = None,
) -> list[Tensor]:
    """Marginals of each image after mean-field inference, equation 8 of the paper.

    The compatibility is the Potts model. One kernel compares positions, the other
    positions and colors; each is normalized symmetrically by the square root of its
    response to ones, as in the authors' code. The defaults are those of SPML. No
    gradient is computed. Memory use is up to 3 kB per pixel with 21 classes.

    Args:
        images: One (H, W, 3) uint8 RGB array per image; sizes may differ.
        probabilities: One (C, H, W) float tensor per image, >= 0; they need not sum to
            1. All have the same classes and are on the same device.
        iterations: Number of mean-field iterations, >= 0; with 0 the normalized
            ``probabilities`` are returned.
        gaussian_xy: Standard deviation of the position kernel, in pixels.
        gaussian_weight: Weight of the position kernel; 0 disables it.
        bilateral_xy: Position standard deviation of the bilateral kernel, in pixels.
        bilateral_rgb: Color standard deviation of the bilateral kernel, in gray levels.
        bilateral_weight: Weight of the bilateral kernel; 0 disables it.
        pixels_together: Largest total number of pixels of consecutive images that are
            filtered together; with 0 each image is filtered by itself. None: 1,000,000
            on a GPU and 0 on a CPU, where that is faster. Reduce it if there are many
            classes.

    Returns:
        list[Tensor]: (C, H, W) float32 for each image, which sums to 1
            over the classes.

    Raises:
        ValueError: If the numbers of images and probabilities differ, an image is not
            (H, W, 3) uint8, sizes or classes differ, a probability is negative or not
            finite, a standard deviation is not positive, ``iterations`` is negative, or
            the kernels are too narrow for so many images together.

    Example:
        >>> images = [np.zeros((4, 6, 3), np.uint8), np.zeros((2, 5, 3), np.uint8)]
        >>> even = [torch.full((3, 4, 6), 1 / 3), torch.full((3, 2, 5), 1 / 3)]
        >>> [tuple(of_image.shape) for of_image in dense_crf_of_images(images, even)]
        [(3, 4, 6), (3, 2, 5)]
    """
    if min(gaussian_xy, bilateral_xy, bilateral_rgb) <= 0 or iterations < 0:
        raise ValueError(
            'expected standard deviations above 0 and iterations >= 0, got '
            f'{gaussian_xy}, {bilateral_xy}, {bilateral_rgb} and {iterations}'
        )
    images = _checked_images(images, probabilities)
    if not images:
        return []
    device = probabilities[0].device
    if pixels_together is None:
        pixels_together = _PIXELS_TOGETHER if device.type == 'cuda' else 0
    pixels = [image.shape[0] * image.shape[1] for image in images]
    marginals: list[Tensor] = []
    for chosen in _in_batches(pixels, pixels_together):
        with torch.autocast(device.type, enabled=False):
            marginals += _mean_field(
                images[chosen],
                probabilities[chosen],
                iterations,
                (gaussian_xy, gaussian_weight),
                (bilateral_xy, bilateral_rgb, bilateral_weight),
            )
    return marginals


def _checked_images(
    images: Sequence[np.ndarray], probabilities: Sequence[Tensor]
) -> list[np.ndarray]:
    """Return the images after checking that the probabilities of each one fit it."""
    if len(images) != len(probabilities):
        raise ValueError(
            f'expected probabilities of each image, got {len(probabilities)} of them '
            f'and {len(images)} images (for one image use dense_crf)'
        )
    images = [checked_rgb(image) for image in images]
    for number, (image, scores) in enumerate(zip(images, probabilities)):
        height, width = image.shape[:2]
        if scores.dim() != 3 or tuple(scores.shape[1:]) != (height, width):
            raise ValueError(
                f'expected probabilities of (C, {height}, {width}) for image {number}, '
                f'got {tuple(scores.shape)}'
            )
        if not len(scores):
            raise ValueError(f'expected a class or more, got none in image {number}')
        if len(scores) != len(probabilities[0]):
            raise ValueError(
                f'expected {len(probabilities[0])} classes as in image 0, got '
                f'{len(scores)} in image {number}'
            )
        if not scores.isfinite().all() or (scores < 0).any():
            raise ValueError(
                'expected finite probabilities >= 0, got infinite, undefined or '
                f'negative ones in image {number}: are they logits?'
            )
    return images


def _in_batches(pixels: Sequence[int], most: int) -> Iterator[slice]:
    """Yield slices of consecutive images with at most ``most`` pixels in total.

    A larger image forms a slice by itself.
    """
    start, total = 0, 0
    for number, count in enumerate(pixels):
        if number > start and total + count > most:
            yield slice(start, number)
            start, total = number, 0
        total += count
    yield slice(start, len(pixels))


def _mean_field(
    images: Sequence[np.ndarray],
    probabilities: Sequence[Tensor],
    iterations: int,
    gaussian: tuple,
    bilateral: tuple,
) -> list[Tensor]:
    """Run mean-field inference on all images at once; N is their number of pixels."""
    gaussian_xy, gaussian_weight = gaussian
    bilateral_xy, bilateral_rgb, bilateral_weight = bilateral
    device = probabilities[0].device
    logits = torch.cat(  # (N, C)
        [
            scores.float().clamp_min(MIN_PROBABILITY).log().flatten(1).T
            for scores in probabilities
        ]
    )
    sizes = [image.shape[:2] for image in images]
    pixels = [height * width for height, width in sizes]
    group = torch.arange(len(images), device=device).repeat_interleave(
        torch.tensor(pixels, device=device), output_size=sum(pixels)
    )
    position = torch.cat([pixel_positions(size, device) for size in sizes])
    kernels = []
    if gaussian_weight and len(sizes) == 1 and pixels[0] <= _PIXELS_KEPT:
        kernels.append(
            _kept_position_kernel(sizes[0], gaussian_xy, gaussian_weight, device)
        )
    elif gaussian_weight:
        kernels.append(_position_kernel(position, gaussian_xy, gaussian_weight, group))
    if bilateral_weight:
        colors = np.concatenate([image.reshape(-1, 3) for image in images])
        color = torch.from_numpy(colors).to(device).float()
        joint = torch.cat([position / bilateral_xy, color / bilateral_rgb], dim=1)
        kernels.append(_kernel(joint, bilateral_weight, False, group))
    marginals, energy = torch.empty_like(logits), logits.clone()
    _softmax(energy, out=marginals)
    for _ in range(iterations):
        energy.copy_(logits)
        for kernel in kernels:
            filter_values(marginals, kernel, add_to=energy)
        _softmax(energy, out=marginals)
    # Copies: keeping one result must not keep the memory of the others.
    return [
        of_image.T.contiguous().view(scores.shape)
        for of_image, scores in zip(marginals.split(pixels), probabilities)
    ]


def _softmax(energy: Tensor, out: Tensor) -> None:
    """Write the softmax of each row (N, C) to ``out``; ``energy`` is overwritten."""
    if energy.is_cuda or energy.shape[1] >= _CLASSES_IN_A_VECTOR:
        torch.softmax(energy, dim=1, out=out)
        return
    energy -= energy.amax(dim=1, keepdim=True)
    torch.exp(energy, out=out)
    out /= out.sum(dim=1, keepdim=True)


@lru_cache(maxsize=3)
def _kept_position_kernel(
    size: tuple, xy: float, weight: float, device: torch.device
) -> Lattice:
    """Build the position kernel of an image; it is the same for all of one size."""
    position = pixel_positions(size, device)
    group = torch.zeros(len(position), dtype=torch.long, device=device)
    return _position_kernel(position, xy, weight, group)


def _position_kernel(
    position: Tensor, xy: float, weight: float, group: Tensor
) -> Lattice:
    kernel = _kernel(position / xy, weight, True, group)
    return kernel if position.is_cuda else shortened_lattice(kernel)


def _kernel(
    features: Tensor, weight: float, near_in_order: bool, group: Tensor
) -> Lattice:
    """Build a weighted Gaussian kernel, normalized symmetrically."""
    lattice = build_lattice(features, near_in_order, group)
    response = filter_values(features.new_ones(len(features), 1), lattice)
    return scaled_lattice(lattice, (response[:, 0] + 1e-20).rsqrt(), weight)
