"""Loss that a tight box is crossed by its object in every row and column.

Letters: N images, C classes, H, W map size, L lines, R runs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Means of probabilities of 16 bits may be rounded up to more than 1.
_HIGHEST_ROUNDED = 1.01


def box_tightness_loss(
    probabilities: Tensor, boxes: Tensor, valid: Tensor | None = None
) -> Tensor:
    """Box tightness loss: each line through a tight box meets an object of its class.

    The mean of ``-log max_i p_i`` over all lines: ``p_i`` are the probabilities of the
    class of a box at the pixels of one row or one column inside of the box. This is the
    unary term for the positive bags of Hsu et al., "Weakly Supervised Instance
    Segmentation using the Bounding Box Tightness Prior", NeurIPS 2019, here for classes
    instead of objects: boxes of one class that overlap in a row or column count as one.
    A line that ends at the border of the map is left out, because a crop may have cut
    off the object there, as is one with an invalid pixel. (So objects at the border of
    the image itself lose the lines that end there, too, unless padding follows.)

    Args:
        probabilities: Class probabilities ``(N, C, H, W)``, float; those of 16 bits are
            computed in float32.
        boxes: Pixels in the tight, axis-parallel boxes of each class ``(N, C, H, W)``,
            bool.
        valid: ``(N, H, W)``, bool. None: all pixels.

    Returns:
        Scalar, >= 0; 0 if no line counts.

    Raises:
        TypeError: If ``boxes`` or ``valid`` is not bool.
        ValueError: If shapes disagree, or a probability on the CPU is not in 0 to 1.

    Example:
        >>> probabilities = torch.full((1, 2, 5, 5), 0.5)
        >>> boxes = torch.zeros(1, 2, 5, 5, dtype=torch.bool)
        >>> boxes[0, 1, 1:4, 1:3] = True
        >>> box_tightness_loss(probabilities, boxes)
        tensor(0.6931)
    """
    _check(probabilities, boxes, valid)
    if probabilities.dtype != torch.float64:
        probabilities = probabilities.float()
    if valid is None:
        valid = boxes.new_ones(len(boxes), *boxes.shape[2:])
    usable = valid[:, None].expand_as(boxes)
    terms = torch.cat(
        [
            _terms_of_rows(*(maps.reshape(-1, maps.shape[-1]) for maps in lines))
            for lines in (
                (probabilities, boxes, usable),
                (maps.transpose(2, 3) for maps in (probabilities, boxes, usable)),
            )
        ]
    )
    if not len(terms):
        return 0 * probabilities.sum()
    return terms.mean()


def _terms_of_rows(probabilities: Tensor, inside: Tensor, valid: Tensor) -> Tensor:
    """``-log max`` of the runs of pixels inside, ``(R,)``; the maps are (L, W)."""
    begins = inside & ~F.pad(inside, (1, 0))[:, :-1]
    runs = int(begins.sum())
    run_of_pixel = begins.flatten().cumsum(0).view_as(begins) - 1
    counts = torch.ones(runs, dtype=torch.bool, device=inside.device)
    for column in (0, -1):
        counts[run_of_pixel[:, column][inside[:, column]]] = False
    counts[run_of_pixel[inside & ~valid]] = False
    largest = probabilities.new_zeros(runs).scatter_reduce(
        0, run_of_pixel[inside], probabilities[inside], 'amax'
    )
    # As small as possible: below it the gradient is 0, where it is needed most.
    smallest = torch.finfo(largest.dtype).tiny
    return -largest[counts].clamp_min(smallest).log()


def _check(probabilities: Tensor, boxes: Tensor, valid: Tensor | None) -> None:
    if probabilities.dim() != 4 or boxes.shape != probabilities.shape:
        raise ValueError(
            'expected probabilities and boxes (N, C, H, W), got '
            f'{tuple(probabilities.shape)} and {tuple(boxes.shape)}'
        )
    size = (len(boxes), *boxes.shape[2:])
    if valid is not None and valid.shape != size:
        raise ValueError(f'expected valid {size}, got {tuple(valid.shape)}')
    for name, mask in (('boxes', boxes), ('valid', valid)):
        if mask is not None and mask.dtype != torch.bool:
            raise TypeError(f'{name} must be bool, got {mask.dtype}')
    # On a GPU the check would wait for what is computed there.
    if probabilities.device.type == 'cpu' and probabilities.numel():
        low, high = probabilities.detach().aminmax()
        if low < 0 or high > _HIGHEST_ROUNDED:
            raise ValueError(
                f'expected probabilities in 0 to 1, got values of {low:.3g} to '
                f'{high:.3g}: apply a softmax to logits'
            )
