"""Feature affinity: label sets from the nearest labeled segments of the image."""

import torch
from torch import Tensor

from mmseg_spml.functional.segments.retrieval import nearest_segments


@torch.no_grad()
def nearest_label_sets(
    queries: Tensor,
    query_image: Tensor,
    prototypes: Tensor,
    label: Tensor,
    image: Tensor,
    num_classes: int,
    k: int = 1,
    threshold: float = 0.95,
) -> Tensor:
    """Set of the labels of the ``k`` nearest labeled segments in the query's own image.

    Args:
        queries: Vectors ``(Q, D)``.
        query_image: Image of each query ``(Q,)``, int64.
        prototypes: Segment vectors ``(S, D)``.
        label: Segment labels ``(S,)``; values from ``num_classes`` on are unlabeled.
        image: Image of each segment ``(S,)``, int64.
        num_classes: ``C``.
        k: Number of neighbors K.
        threshold: Neighbors with a smaller dot product are ignored.

    Returns:
        bool tensor ``(Q, C)``; a row is all False if no neighbor reaches ``threshold``.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> vectors = torch.eye(2)
        >>> zero = torch.zeros(2, dtype=torch.long)
        >>> label = torch.tensor([1, 3])  # the second segment is unlabeled
        >>> nearest_label_sets(vectors, zero, vectors, label, zero, num_classes=3)
        tensor([[False,  True, False],
                [False, False, False]])
    """
    _check_shapes(queries, query_image, prototypes, label, image)
    sets = torch.zeros(len(queries), num_classes, dtype=torch.bool, device=label.device)
    labeled = label < num_classes
    for number in query_image.unique().tolist():
        rows = (query_image == number).nonzero().squeeze(1)
        bank = (labeled & (image == number)).nonzero().squeeze(1)
        if not len(bank):
            continue
        nearest = nearest_segments(queries[rows], prototypes[bank], min(k, len(bank)))
        neighbors = bank[nearest]
        dot = (queries[rows].unsqueeze(1) * prototypes[neighbors]).sum(-1)
        hits = dot >= threshold
        row_of_hit = rows.unsqueeze(1).expand_as(hits)[hits]
        sets[row_of_hit, label[neighbors][hits]] = True
    return sets


def _check_shapes(
    queries: Tensor,
    query_image: Tensor,
    prototypes: Tensor,
    label: Tensor,
    image: Tensor,
) -> None:
    matching = (
        queries.dim() == prototypes.dim() == 2
        and queries.shape[1] == prototypes.shape[1]
        and query_image.shape == queries.shape[:1]
        and label.shape == image.shape == prototypes.shape[:1]
    )
    if not matching:
        raise ValueError(
            'expected queries (Q, D), query_image (Q,), prototypes (S, D), label (S,) '
            'and image (S,), got '
            + ', '.join(
                str(tuple(t.shape))
                for t in (queries, query_image, prototypes, label, image)
            )
        )


def affinity_label_sets(
    squeezed: Tensor,
    label: Tensor,
    image: Tensor,
    num_classes: int,
    threshold: float = 0.95,
) -> Tensor:
    """Label set of each segment for the feature affinity relation.

    A segment takes the label of the nearest labeled segment in the same image, which
    for a labeled segment is the segment itself. A segment without a neighbor at
    ``threshold`` or above takes *all* classes: it is positive to every segment and
    negative to none.

    Args:
        squeezed: Segment means of the squeezed features ``(S, D)``, unit vectors.
        label: Segment labels ``(S,)``.
        image: Image of each segment ``(S,)``.
        num_classes: ``C``, background included.
        threshold: Neighbors with a smaller dot product are ignored.

    Returns:
        bool tensor ``(S, C)`` without an empty row.

    Example:
        >>> zero = torch.zeros(2, dtype=torch.long)
        >>> affinity_label_sets(torch.eye(2), torch.tensor([1, 3]), zero, 3)
        tensor([[False,  True, False],
                [ True,  True,  True]])
    """
    sets = nearest_label_sets(
        squeezed, image, squeezed, label, image, num_classes, 1, threshold
    )
    # Rounding must not lose a labeled segment's own label.
    labeled = (label < num_classes).nonzero().squeeze(1)
    sets[labeled] = False
    sets[labeled, label[labeled]] = True
    return sets | ~sets.any(dim=1, keepdim=True)
