"""Reference implementation of the losses of SPML with whole P x S matrices.

The losses are written as in the paper (Ke et al., ICLR 2021, section 3), and are
therefore slow and large: one product of all pixels and all segments, exponentials,
masks of label equality and of tag products. In float64 they are the reference of tests,
in float32 the baseline of ``python -m benchmarks``.

Letters: P pixels, S segments, D embedding.
"""

import torch
from torch import Tensor

from mmseg_spml.functional.segments.segments import Segments


def dense_pixel_to_segment_loss(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    same: Tensor,
    different: Tensor,
    concentration: float,
) -> Tensor:
    """Compute the loss of each pixel by sums of exponentials.

    Args:
        pixels: ``(P, D)`` features.
        prototypes: ``(S, D)`` segment means.
        own: ``(P,)`` segment of each pixel.
        same: ``(P, S)`` bool, the positives; the own segment counts only if there is
            no other.
        different: ``(P, S)`` bool, the negatives.
        concentration: The concentration; its product with a similarity must stay
            below 88 in float32.

    Returns:
        ``(P,)`` losses.

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
    # Masking is faster than products with the masks converted to floats.
    numerator = exponential.masked_fill(~positive, 0).sum(dim=1)
    denominator = numerator + exponential.masked_fill(~different, 0).sum(dim=1)
    return denominator.log() - numerator.log()


def dense_annotation(segments: Segments, concentration: float) -> Tensor:
    """Compute the mean loss of the labeled pixels by equality of labels.

    Args:
        segments: The pixels and the segments that they are compared with.
        concentration: See :func:`dense_pixel_to_segment_loss`.
    """
    anchors = segments.pixel_label < segments.num_classes
    label = segments.pixel_label[anchors].unsqueeze(1)
    labeled = segments.label < segments.num_classes
    return dense_pixel_to_segment_loss(
        segments.pixels[anchors],
        segments.prototypes,
        segments.pixel_segment[anchors],
        label == segments.label,
        (label != segments.label) & labeled,
        concentration,
    ).mean()


def dense_cooccurrence(segments: Segments, concentration: float) -> Tensor:
    """Compute the mean loss of all pixels by products of tags.

    All tags are taken as known, and background does not count as a tag.
    """
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
    """Compute the mean loss by region within each image, then the mean over images."""
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
