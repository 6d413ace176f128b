"""Fully connected conditional random field with Gaussian edges.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NIPS 2011. Letters: H, W image size; C classes; N = H W pixels.
"""

from typing import Any, Iterator, List, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from .oversegmentation import checked_rgb
from .permutohedral import (
    Lattice,
    build_lattice,
    filter_values,
    scaled_lattice,
)

# Probabilities are taken for this at least: a class is never ruled out.
LEAST_PROBABILITY = 1e-5
# Of images that a GPU filters together, which takes up to 3 GB with 21 classes.
_PIXELS_TOGETHER = 1_000_000


def dense_crf(image: np.ndarray, probabilities: Tensor, **options: Any) -> Tensor:
    """Marginals of one image after mean-field inference.

    Args:
        image: (H, W, 3) uint8, RGB.
        probabilities: (C, H, W) float, >= 0; they need not sum to 1.
        options: See :func:`dense_crf_of_images`.

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
    return dense_crf_of_images([image], [probabilities], **options)[0]


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
    pixels_together: Optional[int] = None,
) -> List[Tensor]:
    """Marginals of each image after mean-field inference, equation 8 of the paper.

    Potts compatibility; two kernels, of positions (weight ``gaussian_weight``) and of
    positions and colours; each normalised symmetrically by the root of its response
    to ones, as the authors' code does. The defaults are those of SPML. Without
    gradient; takes up to 3 kB of memory a pixel with 21 classes.

    Args:
        images: Each (H, W, 3) uint8, RGB; of any sizes.
        probabilities: For each (C, H, W) float, >= 0; they need not sum to 1. Of the
            same classes, on one device.
        iterations: >= 0; with 0 the normalised ``probabilities`` are returned.
        gaussian_xy: Standard deviation of the first kernel, in pixels.
        gaussian_weight: Its weight; 0 leaves it out.
        bilateral_xy: Standard deviation of positions of the second one, in pixels.
        bilateral_rgb: That of colours, in grey levels.
        bilateral_weight: Its weight; 0 leaves it out.
        pixels_together: Images that follow each other are filtered together as long as
            they have no more pixels than this; 0: one by one. None: a million on a GPU,
            0 on a CPU, where that is faster. Many classes want fewer.

    Returns:
        List[Tensor]: (C, H, W) float32 for each image, sums to 1 over the classes.

    Raises:
        ValueError: the numbers of images and probabilities differ, an image is no RGB
            image, sizes or classes differ, a probability is not finite, a standard
            deviation is not positive, ``iterations`` is negative, or kernels are too
            narrow for so many images together.

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
    marginals: List[Tensor] = []
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
) -> List[np.ndarray]:
    """The images, if each has probabilities that fit it."""
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
        if len(scores) != len(probabilities[0]):
            raise ValueError(
                f'expected {len(probabilities[0])} classes as in image 0, got '
                f'{len(scores)} in image {number}'
            )
        if not scores.isfinite().all():
            raise ValueError(
                'expected finite probabilities, got infinite or undefined ones in '
                f'image {number}'
            )
    return images


def _in_batches(pixels: Sequence[int], most: int) -> Iterator[slice]:
    """Images that follow each other, one or more with at most ``most`` pixels."""
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
) -> List[Tensor]:
    """Of the images as of one: their pixels in one list, N of all of them."""
    gaussian_xy, gaussian_weight = gaussian
    bilateral_xy, bilateral_rgb, bilateral_weight = bilateral
    device = probabilities[0].device
    logits = torch.cat(  # (N, C)
        [
            scores.float().clamp(LEAST_PROBABILITY, 1).log().flatten(1).T
            for scores in probabilities
        ]
    )
    sizes = [image.shape[:2] for image in images]
    pixels = [height * width for height, width in sizes]
    position = torch.cat([pixel_positions(size, device) for size in sizes])
    colours = np.concatenate([image.reshape(-1, 3) for image in images])
    colour = torch.from_numpy(colours).to(device).float()
    group = torch.arange(len(images), device=device).repeat_interleave(
        torch.tensor(pixels, device=device), output_size=sum(pixels)
    )
    joint = torch.cat([position / bilateral_xy, colour / bilateral_rgb], dim=1)
    kernels = [
        _kernel(features, weight, near_in_order, group)
        for features, weight, near_in_order in (
            (position / gaussian_xy, gaussian_weight, True),
            (joint, bilateral_weight, False),
        )
        if weight
    ]
    marginals = logits.softmax(dim=1)
    for _ in range(iterations):
        energy = logits
        for kernel in kernels:
            energy = filter_values(marginals, kernel, add_to=energy)
        marginals = energy.softmax(dim=1)
    # copies, so that one which is kept does not keep the others
    return [
        of_image.T.contiguous().view(scores.shape)
        for of_image, scores in zip(marginals.split(pixels), probabilities)
    ]


def _kernel(
    features: Tensor, weight: float, near_in_order: bool, group: Tensor
) -> Lattice:
    """A weighted Gaussian kernel, normalised symmetrically."""
    lattice = build_lattice(features, near_in_order, group)
    response = filter_values(features.new_ones(len(features), 1), lattice)
    return scaled_lattice(lattice, (response[:, 0] + 1e-20).rsqrt(), weight)


def pixel_positions(size: tuple, device: torch.device) -> Tensor:
    """(N, 2): column and row of each pixel."""
    rows, columns = torch.meshgrid(
        *(torch.arange(length, device=device) for length in size), indexing='ij'
    )
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2).float()
