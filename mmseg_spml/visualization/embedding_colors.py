"""Colors of embeddings by their first three principal components.

Letters: H, W map size, D embedding, P pixels.
"""

from typing import NamedTuple

import numpy as np


class EmbeddingColors(NamedTuple):
    """Projection of embeddings to RGB; pictures that share it can be compared.

    Attributes:
        mean: (D,) vector that is subtracted from the embedding.
        axes: (D, 3) axes on which the embedding is projected.
        low: (3,) projected values that become 0.
        high: (3,) projected values that become 255.
    """

    mean: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray


def embedding_to_rgb(
    embedding: np.ndarray, components: EmbeddingColors | None = None
) -> tuple[np.ndarray, EmbeddingColors]:
    """Color an embedding by its first three principal components.

    Args:
        embedding: (D, H, W) float.
        components: The components of an earlier call, for comparable colors. None fits
            them to this embedding.

    Returns:
        (H, W, 3) uint8 RGB, each channel stretched from the 2nd to the 98th
        percentile, and the components.

    Raises:
        ValueError: The shape or D is wrong, or a value is not finite.
    """
    embedding = np.asarray(embedding, np.float64)
    if embedding.ndim != 3 or not np.isfinite(embedding).all():
        raise ValueError(
            f'embedding must be (D, H, W) and finite, got shape {embedding.shape}'
        )
    points = embedding.reshape(len(embedding), -1).T
    if components is None:
        components = fit_colors(points)
    elif len(components.mean) != len(embedding):
        raise ValueError(
            f'components are for D = {len(components.mean)}, '
            f'the embedding has D = {len(embedding)}'
        )
    span = components.high - components.low
    projected = (points - components.mean) @ components.axes - components.low
    flat = span < 1e-9  # all values are equal: draw them in mid-gray
    unit = np.where(flat, 0.5, projected / np.where(flat, 1, span))
    rgb = np.round(255 * np.clip(unit, 0, 1)).astype(np.uint8)
    return rgb.reshape(*embedding.shape[1:], 3), components


def fit_colors(
    points: np.ndarray, earlier: np.ndarray | None = None
) -> EmbeddingColors:
    """Fit colors to the first three principal components of points.

    Args:
        points: (P, D) float.
        earlier: (P, 3) projections of the same points in an earlier picture, such as
            ``points @ axes``. The components are rotated as near to them as possible,
            so that the colors of a network in training do not jump.

    Raises:
        ValueError: ``earlier`` has another shape than the projections of the points.
    """
    mean = points.mean(axis=0)
    centered = points - mean
    _, vectors = np.linalg.eigh(centered.T @ centered)
    axes = np.zeros((points.shape[1], 3))
    count = min(3, points.shape[1])
    axes[:, :count] = vectors[:, ::-1][:, :count]
    # The sign of an eigenvector is arbitrary: make its largest entry positive.
    strongest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[strongest, np.arange(3)] < 0, -1.0, 1.0)
    if earlier is not None:
        axes = axes @ _rotation(centered @ axes, earlier)
    low, high = np.percentile(centered @ axes, (2, 98), axis=0)
    return EmbeddingColors(mean, axes, low, high)


def _rotation(points: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Find the (3, 3) rotation from points to earlier ones (orthogonal Procrustes)."""
    if earlier.shape != points.shape:
        raise ValueError(
            f'expected {points.shape} earlier projections, got {earlier.shape}'
        )
    left, _, right = np.linalg.svd(points.T @ (earlier - earlier.mean(axis=0)))
    return left @ right
