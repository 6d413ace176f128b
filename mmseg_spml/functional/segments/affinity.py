"""Feature affinity: label sets from the nearest labelled segments of the image."""

import torch
from torch import Tensor

from .retrieval import nearest_segments


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
    """Labels of the ``k`` nearest labelled segments in the query's own image.

    Args:
        queries: Vectors ``(Q, D)``.
        query_image: Image of each query ``(Q,)``, int64.
        prototypes: Segment vectors ``(S, D)``.
        label: Segment labels ``(S,)``; values below ``num_classes`` are labelled.
        image: Image of each segment ``(S,)``, int64.
        num_classes: ``C``.
        k: Number of neighbours K.
        threshold: Neighbours with a smaller dot product do not count.

    Returns:
        bool tensor ``(Q, C)``; a row without a hit is all False.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> vectors = torch.eye(2)
        >>> zero = torch.zeros(2, dtype=torch.long)
        >>> label = torch.tensor([1, 3])  # the second segment is unlabelled
        >>> nearest_label_sets(vectors, zero, vectors, label, zero, num_classes=3)
        tensor([[False,  True, False],
                [False, False, False]])
    """
    _check_shapes(queries, query_image, prototypes, label, image)
    sets = torch.zeros(len(queries), num_classes, dtype=torch.bool, device=label.device)
    labelled = label < num_classes
    for number in query_image.unique().tolist():
        rows = (query_image == number).nonzero().squeeze(1)
        bank = (labelled & (image == number)).nonzero().squeeze(1)
        if not len(bank):
            continue
        nearest = nearest_segments(queries[rows], prototypes[bank], min(k, len(bank)))
        neighbours = bank[nearest]
        dot = (queries[rows].unsqueeze(1) * prototypes[neighbours]).sum(-1)
        hits = dot >= threshold
        row_of_hit = rows.unsqueeze(1).expand_as(hits)[hits]
        sets[row_of_hit, label[neighbours][hits]] = True
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

    A segment takes the label of its nearest labelled segment in the same image
    (a labelled segment finds itself). One without a neighbour at ``threshold`` or
    above takes *all* classes: positive to everything, negative to nothing.

    Args:
        squeezed: Segment means of the squeezed features ``(S, D)``, unit vectors.
        label: Segment labels ``(S,)``.
        image: Image of each segment ``(S,)``.
        num_classes: ``C``, background included.
        threshold: Smallest dot product of a neighbour that counts.

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
    # Rounding must not lose a labelled segment's own label.
    labelled = (label < num_classes).nonzero().squeeze(1)
    sets[labelled] = False
    sets[labelled, label[labelled]] = True
    return sets | ~sets.any(dim=1, keepdim=True)
