"""The losses of SPML as they read, with whole P x S matrices: to compare with.

Slow and large on purpose: one product of all pixels and all segments, exponentials,
masks of label equality and of tag products (Ke et al., ICLR 2021, section 3). In
float64 the reference of tests; in float32 the baseline of ``tools/benchmark.py``.
Letters: P pixels, S segments, D embedding.
"""

import torch
from torch import Tensor

from .segments import Segments


def dense_pixel_to_segment_loss(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    same: Tensor,
    different: Tensor,
    concentration: float,
) -> Tensor:
    """Loss of each pixel, by sums of exponentials.

    Args:
        pixels: Features ``(P, D)``.
        prototypes: Segment means ``(S, D)``.
        own: Own segment ``(P,)``.
        same: ``(P, S)`` bool, positives; the own segment counts only if it is alone.
        different: ``(P, S)`` bool, negatives.
        concentration: Concentration; products of it and a similarity below 88 in
            float32.

    Returns:
        ``(P,)``.

    Example:
        >>> same = torch.eye(2, dtype=torch.bool)
        >>> dense_pixel_to_segment_loss(
        ...     torch.eye(2), torch.eye(2), torch.arange(2), same, ~same, 1.0)
        tensor([0.3133, 0.3133])
    """
    is_own = torch.zeros_like(same)
    is_own[torch.arange(len(own), device=own.device), own] = True
    positive = same & ~is_own
    positive |= is_own & ~positive.any(dim=1, keepdim=True)
    exponential = (pixels @ prototypes.t()).mul_(concentration).exp_()
    # faster than products with the masks, which are converted to floats
    numerator = exponential.masked_fill(~positive, 0).sum(dim=1)
    denominator = numerator + exponential.masked_fill(~different, 0).sum(dim=1)
    return denominator.log() - numerator.log()


def dense_annotation(segments: Segments, concentration: float) -> Tensor:
    """Mean loss of the labelled pixels by equality of labels.

    Args:
        segments: Pixels, and the segments that they are compared with.
        concentration: See :func:`dense_pixel_to_segment_loss`.
    """
    anchors = segments.pixel_label < segments.num_classes
    label = segments.pixel_label[anchors].unsqueeze(1)
    labelled = segments.label < segments.num_classes
    return dense_pixel_to_segment_loss(
        segments.pixels[anchors],
        segments.prototypes,
        segments.pixel_segment[anchors],
        label == segments.label,
        (label != segments.label) & labelled,
        concentration,
    ).mean()


def dense_cooccurrence(segments: Segments, concentration: float) -> Tensor:
    """Mean loss of all pixels by products of tags; background is no tag, all known."""
    tags = (segments.tags[:, 1:] > 0).to(segments.pixels.dtype)
    shared = tags[segments.pixel_segment] @ tags.t() > 0
    return dense_pixel_to_segment_loss(
        segments.pixels,
        segments.prototypes,
        segments.pixel_segment,
        shared,
        ~shared,
        concentration,
    ).mean()


def dense_image_similarity(segments: Segments, concentration: float) -> Tensor:
    """Loss of all pixels by region, mean within and then over images."""
    losses = []
    for image in segments.pixel_image.unique():
        pixels = segments.pixel_image == image
        chosen = (segments.image == image).nonzero().squeeze(1)
        own = torch.searchsorted(chosen, segments.pixel_segment[pixels])
        region = segments.region[chosen]
        same = region[own].unsqueeze(1) == region
        losses.append(
            dense_pixel_to_segment_loss(
                segments.pixels_loc[pixels],
                segments.prototypes_loc[chosen],
                own,
                same,
                ~same,
                concentration,
            ).mean()
        )
    return torch.stack(losses).mean()
