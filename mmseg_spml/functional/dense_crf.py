"""Fully connected conditional random field with Gaussian edges.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NIPS 2011. Letters: H, W image size; C classes; N = H W pixels.
"""

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


@torch.no_grad()
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
    """Marginals after mean-field inference, equation 8 of the paper.

    Potts compatibility; two kernels, of positions (weight ``gaussian_weight``) and of
    positions and colours; each normalised symmetrically by the root of its response
    to ones, as the authors' code does. The defaults are those of SPML. Without
    gradient; takes up to 3 kB of memory a pixel with 21 classes.

    Args:
        image: (H, W, 3) uint8, RGB.
        probabilities: (C, H, W) float, >= 0; they need not sum to 1.
        iterations: >= 0; with 0 the normalised ``probabilities`` are returned.
        gaussian_xy: Standard deviation of the first kernel, in pixels.
        gaussian_weight: Its weight; 0 leaves it out.
        bilateral_xy: Standard deviation of positions of the second one, in pixels.
        bilateral_rgb: That of colours, in grey levels.
        bilateral_weight: Its weight; 0 leaves it out.

    Returns:
        Tensor: (C, H, W) float32, sums to 1 over the classes.

    Raises:
        ValueError: the image is no RGB image, the sizes differ, a probability is not
            finite, a standard deviation is not positive, or ``iterations`` is negative.

    Example:
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 200
        >>> probabilities = torch.full((2, 4, 6), 0.5)
        >>> probabilities[:, 1, 1] = torch.tensor([0.9, 0.1])
        >>> marginals = dense_crf(image, probabilities)
        >>> marginals.argmax(0)[:, :3].unique().tolist()
        [0]
    """
    image = checked_rgb(image)
    size = image.shape[:2]
    if probabilities.dim() != 3 or tuple(probabilities.shape[1:]) != size:
        raise ValueError(
            f'expected probabilities of (C, {size[0]}, {size[1]}) for this image, got '
            f'{tuple(probabilities.shape)}'
        )
    if min(gaussian_xy, bilateral_xy, bilateral_rgb) <= 0 or iterations < 0:
        raise ValueError(
            'expected standard deviations above 0 and iterations >= 0, got '
            f'{gaussian_xy}, {bilateral_xy}, {bilateral_rgb} and {iterations}'
        )
    if not probabilities.isfinite().all():
        raise ValueError(
            'expected finite probabilities, got infinite or undefined ones'
        )
    with torch.autocast(probabilities.device.type, enabled=False):
        return _mean_field(
            image,
            probabilities.float(),
            iterations,
            (gaussian_xy, gaussian_weight),
            (bilateral_xy, bilateral_rgb, bilateral_weight),
        )


def _mean_field(
    image: np.ndarray,
    probabilities: Tensor,
    iterations: int,
    gaussian: tuple,
    bilateral: tuple,
) -> Tensor:
    size = image.shape[:2]
    gaussian_xy, gaussian_weight = gaussian
    bilateral_xy, bilateral_rgb, bilateral_weight = bilateral
    rows = probabilities.flatten(1).T  # (N, C)
    logits = rows.clamp(LEAST_PROBABILITY, 1).log()
    position = pixel_positions(size, rows.device)
    colour = torch.from_numpy(image.copy()).to(rows.device).reshape(-1, 3).float()
    joint = torch.cat([position / bilateral_xy, colour / bilateral_rgb], dim=1)
    kernels = [
        _kernel(features, weight, near_in_order)
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
    return marginals.T.reshape(probabilities.shape)


def _kernel(features: Tensor, weight: float, near_in_order: bool) -> Lattice:
    """A weighted Gaussian kernel, normalised symmetrically."""
    lattice = build_lattice(features, near_in_order)
    response = filter_values(features.new_ones(len(features), 1), lattice)
    return scaled_lattice(lattice, (response[:, 0] + 1e-20).rsqrt(), weight)


def pixel_positions(size: tuple, device: torch.device) -> Tensor:
    """(N, 2): column and row of each pixel."""
    rows, columns = torch.meshgrid(
        *(torch.arange(length, device=device) for length in size), indexing='ij'
    )
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2).float()
