"""Cross-entropy on sparse labels. Letters: N images, C classes, L labeled pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sparse_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the cross-entropy of resized logits over the labeled pixels.

    It equals the sum after ``F.interpolate(logits, (H, W), mode='bilinear')``, but
    computes the scores of the labeled pixels alone: of points and scribbles, these are
    few.

    Args:
        logits: Class scores ``(N, C, h, w)``, float; half precision is computed in
            float32.
        labels: Label maps ``(N, H, W)``, integers >= 0; pixels of ``C`` and above are
            not labeled.

    Returns:
        Scalar; 0 if no pixel is labeled.

    Raises:
        ValueError: If the numbers of images differ, or a map has no pixel.

    Example:
        >>> labels = torch.tensor([[[0, 2], [2, 2]]])   # two classes; 2 is unlabeled
        >>> sparse_cross_entropy(torch.zeros(1, 2, 1, 1), labels)
        tensor(0.6931)
    """
    if logits.dim() != 4 or labels.dim() != 3 or len(logits) != len(labels):
        raise ValueError(
            'expected logits (N, C, h, w) and labels (N, H, W), got '
            f'{tuple(logits.shape)} and {tuple(labels.shape)}'
        )
    if not labels.numel() or not logits.numel():
        raise ValueError('expected at least one image with a pixel, and one class')
    if logits.dtype != torch.float64:
        logits = logits.float()
    num_classes = logits.shape[1]
    size = logits.new_tensor(labels.shape[:0:-1])
    total = 0 * logits.sum()
    for scores, truth in zip(logits, labels):
        places = (truth < num_classes).nonzero()
        # In [-1, 1] over the borders of the image, x before y.
        centers = (2 * places.flip(1) + 1) / size - 1
        sampled = F.grid_sample(
            scores[None],
            centers[None, None],
            padding_mode='border',
            align_corners=False,
        )
        rows = sampled[0, :, 0].T
        total = total + F.cross_entropy(
            rows, truth[places.unbind(1)].long(), reduction='sum'
        )
    return total
