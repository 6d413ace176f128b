"""Choice of the images and segments that are worth labeling next.

Letters: S segments, D embedding, K known segments.
"""

import torch
from torch import Tensor

# Number of similarities held at a time: 64 MB in float32.
_CHUNK_ELEMENTS = 1 << 24


def novelty(prototypes: Tensor, known: Tensor) -> Tensor:
    r"""Distance of segments to the nearest known one.

    .. math:: (1 - \max_k v_s \cdot u_k) / 2

    Args:
        prototypes: (S, D) float unit vectors.
        known: (K, D) float unit vectors.

    Returns:
        (S,) float, 0 (equal to a known segment) to 1 (opposite to all, or none is
        known).

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> novelty(torch.eye(2), torch.tensor([[1.0, 0.0]])).tolist()
        [0.0, 0.5]
    """
    if (
        prototypes.dim() != 2
        or known.dim() != 2
        or prototypes.shape[1] != known.shape[1]
    ):
        raise ValueError(
            'expected prototypes (S, D) and known segments (K, D), got '
            f'{tuple(prototypes.shape)} and {tuple(known.shape)}'
        )
    if not len(known) or not len(prototypes):
        return prototypes.new_ones(len(prototypes))
    rows = max(_CHUNK_ELEMENTS // len(known), 1)
    nearest = [(part @ known.T).amax(dim=1) for part in prototypes.split(rows)]
    return ((1 - torch.cat(nearest)) / 2).clamp(0, 1)


def select_images(
    prototypes: Tensor, weights: Tensor, images: Tensor, known: Tensor, count: int
) -> list[tuple[int, float]]:
    """Choose images one by one, so that their segments are important and new.

    The score of an image is the sum of weight times :func:`novelty` over its segments.
    The segments of an image that was chosen are known from then on, which spreads the
    choice over the embedding, as the greedy k-center (core-set) choice of Sener and
    Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach",
    ICLR 2018, does with images.

    Args:
        prototypes: (S, D) float unit vectors.
        weights: (S,) float, at least 0, such as share of the image times uncertainty.
        images: (S,) int64, the image of each segment, from 0.
        known: (K, D) float unit vectors of segments with a label.
        count: How many images to choose.

    Returns:
        The number of each chosen image and its score when it was chosen, the best
        first; fewer if there are no more images.

    Raises:
        ValueError: The shapes do not fit, or a weight is negative.

    Example:
        >>> prototypes = torch.eye(3)[[0, 0, 1, 2]]
        >>> images = torch.tensor([0, 1, 2, 2])
        >>> chosen = select_images(
        ...     prototypes, torch.ones(4), images, torch.eye(3)[:1], count=2)
        >>> [image for image, _ in chosen]
        [2, 0]
    """
    if weights.shape != images.shape or len(weights) != len(prototypes):
        raise ValueError(
            'expected a weight and an image for each of the '
            f'{len(prototypes)} segments, got {tuple(weights.shape)} and '
            f'{tuple(images.shape)}'
        )
    if len(weights) and weights.min() < 0:
        raise ValueError(f'weights must be 0 or more, got {weights.min().item()}')
    new = novelty(prototypes, known)
    number = int(images.max()) + 1 if len(images) else 0
    present = images.bincount(minlength=number) > 0
    chosen: list[tuple[int, float]] = []
    for _ in range(min(count, int(present.sum()))):
        scores = weights.new_zeros(number).index_add_(0, images, weights * new)
        best = int(scores.masked_fill(~present, -1).argmax())
        chosen.append((best, float(scores[best])))
        present[best] = False
        new = torch.minimum(new, novelty(prototypes, prototypes[images == best]))
    return chosen


def select_segments(
    prototypes: Tensor, weights: Tensor, known: Tensor, count: int
) -> list[int]:
    """Choose segments one by one by weight times :func:`novelty`.

    Args:
        prototypes: (S, D) float unit vectors.
        weights: (S,) float, at least 0.
        known: (K, D) float unit vectors of segments with a label.
        count: How many segments to choose.

    Returns:
        The numbers of the chosen segments, the best first; fewer if there are no more.

    Example:
        >>> select_segments(torch.eye(3), torch.tensor([1.0, 3.0, 2.0]),
        ...                 torch.empty(0, 3), count=2)
        [1, 2]
    """
    each = torch.arange(len(prototypes))
    return [
        segment for segment, _ in select_images(prototypes, weights, each, known, count)
    ]
