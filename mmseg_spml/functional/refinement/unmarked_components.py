"""Parts of a class map that no annotator has marked.

Letters: N images, C classes, H, W size of the labels, h, w size of the class map.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

# Of the eight neighbors of a pixel, these four come after it.
_LATER_NEIGHBORS = ((0, 1), (1, -1), (1, 0), (1, 1))


@torch.no_grad()
def unmarked_components(classes: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Find the connected components of a class map that have no label of their class.

    People who label an image mark each object that they see. A component of a class
    without a label of this class is therefore doubtful where the image has such labels
    elsewhere. If it has none, nothing is known, for example because the image has tags
    alone, and its components are not found.

    Pixels of a class are connected to their eight neighbors. A label belongs to the
    pixel of the class map in which it lies, and marks its component if the pixel has
    the same class. Components are searched on the CPU.

    Args:
        classes: Class map ``(N, h, w)``, int64; values outside of 0 to C - 1 belong to
            no component.
        labels: Labels ``(N, H, W)``, int64, 0 to C - 1; other values are no label.
        num_classes: ``C``.

    Returns:
        True in components without a label of their class, ``(N, h, w)`` bool.

    Raises:
        TypeError: If a map is not of whole numbers.
        ValueError: If a map does not have three dimensions, the numbers of images
            differ, or ``num_classes`` is below 1.

    Example:
        >>> classes = torch.tensor([[[0, 1, 1, 0, 1]]])
        >>> labels = torch.tensor([[[0, 1, 2, 2, 2]]])     # 2 is unlabeled
        >>> unmarked_components(classes, labels, num_classes=2)
        tensor([[[False, False, False,  True,  True]]])
    """
    if classes.ndim != 3 or labels.ndim != 3 or len(classes) != len(labels):
        raise ValueError(
            'classes and labels must be (N, h, w) and (N, H, W), got '
            f'{tuple(classes.shape)} and {tuple(labels.shape)}'
        )
    for name, value in (('classes', classes), ('labels', labels)):
        if value.is_floating_point() or value.is_complex():
            raise TypeError(f'{name} must be whole numbers, got {value.dtype}')
    if num_classes < 1:
        raise ValueError(f'num_classes must be 1 or more, got {num_classes}')
    if not classes.numel():
        return torch.zeros_like(classes, dtype=torch.bool)
    classes, labels = classes.long(), labels.long()
    known = (classes >= 0) & (classes < num_classes)
    marks = _marks(labels, classes.shape[1:], num_classes)
    class_of_known = torch.where(known, classes, 0)[..., None]
    agrees = known & marks.gather(3, class_of_known)[..., 0]
    component = _components(classes, known)
    # There are no more components than pixels.
    is_marked = known.new_zeros(classes.numel())
    is_marked[component[agrees]] = True
    has_marks = marks.any(dim=2).any(dim=1)[:, None, None].expand_as(marks)
    expected = known & has_marks.gather(3, class_of_known)[..., 0]
    return expected & ~is_marked[component]


def _marks(labels: Tensor, size: Sequence[int], num_classes: int) -> Tensor:
    """Whether each class has a label in each pixel of a smaller map, (N, h, w, C)."""
    labeled = (labels >= 0) & (labels < num_classes)
    image, row, column = labeled.nonzero(as_tuple=True)
    row = row * size[0] // labels.shape[1]
    column = column * size[1] // labels.shape[2]
    marks = labeled.new_zeros(len(labels), *size, num_classes)
    marks[image, row, column, labels[labeled]] = True
    return marks


def _components(classes: Tensor, known: Tensor) -> Tensor:
    """Number the connected components of all images, (N, h, w) int64."""
    maps, valid = classes.cpu().numpy(), known.cpu().numpy()
    _, height, width = maps.shape
    places = np.arange(maps.size).reshape(maps.shape)
    edges = []
    for down, right in _LATER_NEIGHBORS:
        here = np.s_[:, : height - down, max(-right, 0) : width - max(right, 0)]
        there = np.s_[:, down:, max(right, 0) : width + min(right, 0)]
        equal = valid[here] & (maps[here] == maps[there])
        edges.append((places[here][equal], places[there][equal]))
    rows, columns = (np.concatenate(side) for side in zip(*edges))
    ones = np.ones(len(rows), bool)
    graph = coo_array((ones, (rows, columns)), shape=(maps.size, maps.size))
    _, numbers = connected_components(graph, directed=False)
    component = torch.from_numpy(numbers.astype(np.int64)).to(classes.device)
    return component.reshape(classes.shape)
