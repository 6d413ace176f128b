"""Propagation of class scores from pixels to segments and back, for training targets.

Letters: N images, C classes, D embedding, F features, P pixels, S segments.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from mmseg_spml.functional.refinement.random_walk import class_normalized
from mmseg_spml.functional.segments.segments import Segments

# Affinities of an image with up to this many pairs are kept for all rounds.
_LARGEST_MATRIX = 2**22


@torch.no_grad()
def propagate_to_targets(
    segments: Segments,
    colors: Tensor,
    positions: Tensor,
    probabilities: Tensor,
    allowed: Tensor,
    *,
    extents: Tensor | None = None,
    rounds: int = 3,
    damping: float = 0.9,
    sigma_rgb: float = 25.0,
    sigma_xy: float = 100.0,
    concentration: float = 10.0,
    floor: float = 0.3,
    sharpness: float = 2.0,
    largest_matrix: int = _LARGEST_MATRIX,
) -> Tensor:
    """Propagate class probabilities within each image to targets for all its pixels.

    A pixel ``i`` has the features ``f_i = [color / sigma_rgb, position / sigma_xy,
    sqrt(concentration) v_i]`` with its unit embedding ``v``; a segment ``s`` of
    ``n_s`` pixels has their mean ``f_s``. With the affinity
    ``A_is = n_s exp(-|f_i - f_s|^2 / 2)``, divided by its sum over the segments of the
    image, a round is

    ``q_i <- damping sum_s A_is mean_{j in s} q_j + (1 - damping) p_i``.

    ``p`` are the probabilities after classes that are not allowed in the image are set
    to 0 and each class is divided by its maximum in the image, or by ``floor`` if that
    is larger. Labeled pixels are one-hot in ``p`` and after each round. The targets are
    ``q ** sharpness``, divided by its sum over the classes. Where boxes rule a class
    out, ``p`` and the targets of unlabeled pixels are 0.

    Pairs of pixels and segments, not of pixels and pixels, are compared, and no more
    than ``largest_matrix`` at a time, so that memory is linear in P + S. All rounds but
    the last one are computed for the means of the segments, by a matrix of their pairs
    if that is no larger.

    Args:
        segments: Segments of the batch. The classes of labeled pixels are allowed.
        colors: Colors of the pixels ``(P, 3)``, in 0 to 255.
        positions: Positions of the pixels ``(P, 2)``, in the units of ``sigma_xy``.
        probabilities: Class probabilities ``(P, C)``, float.
        allowed: Classes that may occur in each image ``(N, C)``, bool. An image in
            which none is allowed may have all.
        extents: Classes that may occur at each pixel ``(P, C)``, bool, such as those of
            the boxes that cover it. None: all.
        rounds: Number of rounds, 0 or more.
        damping: Weight of the propagated scores, in [0, 1].
        sigma_rgb: Standard deviation of colors, > 0.
        sigma_xy: Standard deviation of positions, in pixels of the image, > 0.
        concentration: Weight of the embedding, >= 0.
        floor: Smallest divisor of the scores of a class, > 0.
        sharpness: Exponent of the targets, > 0.
        largest_matrix: Largest number of pairs that are compared at a time.

    Returns:
        Targets ``(P, C)``; each row sums to 1, or to 0 if all scores of the
        pixel are 0.

    Raises:
        TypeError: If ``allowed`` or ``extents`` is not bool.
        ValueError: If shapes disagree, or an option is out of range.

    Example:
        >>> from mmseg_spml.functional import pool_segments
        >>> labels = torch.tensor([[[0, 2, 2, 1]]])     # two classes; 2 is unlabeled
        >>> segments = pool_segments(
        ...     torch.tensor([[[[1., 1., -1., -1.]]]]), labels, labels * 0,
        ...     torch.ones(1, 2), grid=(1, 2), num_classes=2)
        >>> propagate_to_targets(segments, torch.zeros(4, 3), torch.zeros(4, 2),
        ...     torch.full((4, 2), 0.5), segments.image_tags > 0).argmax(dim=1)
        tensor([0, 0, 1, 1])
    """
    _check_inputs(segments, colors, positions, probabilities, allowed, extents)
    check_propagation_options(
        rounds, damping, sigma_rgb, sigma_xy, concentration, floor, sharpness
    )
    units = segments.pixels
    with torch.autocast(units.device.type, enabled=False):
        features = torch.cat(
            [
                colors.to(units.dtype) / sigma_rgb,
                positions.to(units.dtype) / sigma_xy,
                units * concentration**0.5,
            ],
            dim=1,
        )
        probabilities = probabilities.to(units.dtype)
        if extents is not None:
            probabilities = probabilities * extents
        labels = segments.pixel_label
        targets = torch.empty_like(probabilities)
        for image, (pixels, members) in enumerate(_slices_of_images(segments)):
            if pixels.start == pixels.stop:
                continue
            start, fixed = _start(
                probabilities[pixels], labels[pixels], allowed[image], floor
            )
            own = segments.pixel_segment[pixels] - members.start
            walk = _Walk(
                features[pixels], own, members.stop - members.start, largest_matrix
            )
            scores = walk.scores_after(rounds, start, fixed, damping)
            if extents is not None:
                scores = scores * (extents[pixels] | fixed[:, None])
            targets[pixels] = _sharpened(scores, sharpness)
    return targets


class _Walk:
    """Steps from the pixels of an image to its segments and back.

    Args:
        features: ``(P, F)``.
        own: Segment of each pixel ``(P,)``, in ``[0, S)``.
        num_segments: ``S``.
        largest_matrix: Largest number of affinities that are stored.
    """

    def __init__(
        self, features: Tensor, own: Tensor, num_segments: int, largest_matrix: int
    ) -> None:
        self.own = own
        self.size = own.bincount(minlength=num_segments).to(features.dtype)[:, None]
        # Differences alone matter; small numbers lose fewer digits.
        self.features = features - features.mean(dim=0)
        self.means = self._segment_means(self.features)
        # The square of f_i is the same for all segments, so that the softmax drops it.
        self.bias = self.size[:, 0].log() - self.means.square().sum(dim=1) / 2
        rows = max(largest_matrix // max(num_segments, 1), 1)
        self.blocks = [slice(i, i + rows) for i in range(0, len(features), rows)]
        self.kept = self._affinity(self.blocks[0]) if len(self.blocks) == 1 else None
        self.fits = num_segments**2 <= largest_matrix

    def scores_after(
        self, rounds: int, start: Tensor, fixed: Tensor, damping: float
    ) -> Tensor:
        """Scores ``(P, C)`` after some rounds, see :func:`propagate_to_targets`.

        Args:
            rounds: Number of rounds, 0 or more.
            start: Scores before the first round ``(P, C)``.
            fixed: Pixels that keep their scores ``(P,)``, bool.
            damping: Weight of the propagated scores.
        """
        scores = start
        if rounds > 1 and self.fits:
            means = self._means_after(rounds - 1, start, fixed, damping)
            return self._round(means, start, fixed, damping)
        for _ in range(rounds):
            means = self._segment_means(scores)
            scores = self._round(means, start, fixed, damping)
        return scores

    def _means_after(
        self, rounds: int, start: Tensor, fixed: Tensor, damping: float
    ) -> Tensor:
        """Means ``(S, C)`` of the scores after some rounds, without those scores.

        Each round is affine in the means, so that pairs of segments suffice.
        """
        count = len(self.size)
        steps = start.new_zeros(count + 1, count)
        place = torch.where(fixed, count, self.own)  # labeled pixels move nothing
        for block in self.blocks:
            steps.index_add_(0, place[block], self._affinity_of(block))
        steps = steps[:-1] * (damping / self.size)
        rest = torch.where(fixed[:, None], start, (1 - damping) * start)
        means, rest = self._segment_means(start), self._segment_means(rest)
        for _ in range(rounds):
            means = torch.addmm(rest, steps, means)
        return means

    def _round(
        self, means: Tensor, start: Tensor, fixed: Tensor, damping: float
    ) -> Tensor:
        """Scores after a round that begins with scores of these means."""
        blocks = [self._affinity_of(block) @ means for block in self.blocks]
        scores = damping * torch.cat(blocks) + (1 - damping) * start
        return torch.where(fixed[:, None], start, scores)

    def _segment_means(self, values: Tensor) -> Tensor:
        sums = values.new_zeros(len(self.size), values.shape[1])
        return sums.index_add_(0, self.own, values) / self.size

    def _affinity_of(self, rows: slice) -> Tensor:
        return self._affinity(rows) if self.kept is None else self.kept

    def _affinity(self, rows: slice) -> Tensor:
        """Affinities of some pixels to all segments, each row divided by its sum."""
        logits = torch.addmm(self.bias, self.features[rows], self.means.T)
        return logits.softmax(dim=1)


def _slices_of_images(segments: Segments) -> Iterator[tuple[slice, slice]]:
    """Pixels and segments of each image, which are stored image by image."""
    counts = torch.stack(
        [
            image.bincount(minlength=segments.num_images)
            for image in (segments.pixel_image, segments.image)
        ]
    )
    pixel = segment = 0
    for pixels, members in counts.T.tolist():  # a single host sync
        yield slice(pixel, pixel + pixels), slice(segment, segment + members)
        pixel, segment = pixel + pixels, segment + members


def _start(
    probabilities: Tensor, labels: Tensor, allowed: Tensor, floor: float
) -> tuple[Tensor, Tensor]:
    """Scores before the first round ``(P, C)``, and the labeled pixels ``(P,)``."""
    num_classes = probabilities.shape[1]
    fixed = labels < num_classes
    one_hot = torch.nn.functional.one_hot(
        labels.clamp(max=num_classes), num_classes + 1
    )[:, :num_classes]
    allowed = allowed | one_hot.any(dim=0)
    allowed = allowed | ~allowed.any()
    scores = class_normalized(probabilities.T, allowed, floor).T
    return torch.where(fixed[:, None], one_hot.to(scores.dtype), scores), fixed


def _sharpened(scores: Tensor, sharpness: float) -> Tensor:
    """Powers of the scores, divided by their sum; rows of zeros stay zero."""
    # Divide first, because the power of small scores would underflow.
    tiny = torch.finfo(scores.dtype).tiny
    powers = (scores / scores.amax(dim=1, keepdim=True).clamp_min(tiny)) ** sharpness
    return powers / powers.sum(dim=1, keepdim=True).clamp_min(tiny)


def _check_inputs(
    segments: Segments,
    colors: Tensor,
    positions: Tensor,
    probabilities: Tensor,
    allowed: Tensor,
    extents: Tensor | None,
) -> None:
    count, classes = len(segments.pixels), segments.num_classes
    expected = dict(
        colors=(colors, (count, 3)),
        positions=(positions, (count, 2)),
        probabilities=(probabilities, (count, classes)),
        allowed=(allowed, (segments.num_images, classes)),
    )
    masks = dict(allowed=allowed)
    if extents is not None:
        expected['extents'] = (extents, (count, classes))
        masks['extents'] = extents
    for name, (value, shape) in expected.items():
        if tuple(value.shape) != shape:
            raise ValueError(f'{name} must be {shape}, got {tuple(value.shape)}')
    for name, mask in masks.items():
        if mask.dtype != torch.bool:
            raise TypeError(f'{name} must be bool, got {mask.dtype}')


def check_propagation_options(
    rounds: int,
    damping: float,
    sigma_rgb: float,
    sigma_xy: float,
    concentration: float,
    floor: float,
    sharpness: float,
) -> None:
    """Raise a ValueError if an option of the propagation is out of range."""
    if sharpness <= 0:
        raise ValueError(f'sharpness must be positive, got {sharpness}')
    if rounds < 0:
        raise ValueError(f'rounds must be 0 or more, got {rounds}')
    if not 0 <= damping <= 1:
        raise ValueError(f'damping must lie in [0, 1], got {damping}')
    if min(sigma_rgb, sigma_xy, floor) <= 0 or concentration < 0:
        raise ValueError(
            'sigma_rgb, sigma_xy and floor must be positive and concentration 0 or '
            f'more, got {sigma_rgb}, {sigma_xy}, {floor} and {concentration}'
        )
