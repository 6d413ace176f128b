"""Averaging of losses over the pixels of one rank, or of all ranks."""

from mmengine.dist import all_reduce
from torch import Tensor

from mmseg_spml.functional.losses.relations import at_least_tiny

REDUCTIONS = ('rank_mean', 'global_mean')


def checked_reduction(reduction: str) -> str:
    """Return a known reduction.

    Raises:
        ValueError: If it is unknown.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be one of {REDUCTIONS}, got {reduction!r}')
    return reduction


def divisor(count: Tensor, reduction: str) -> Tensor:
    """Divisor of a sum: the count of this rank, or its mean over all ranks.

    With ``'global_mean'``, averaging the losses of the ranks (as DDP does) gives the
    mean over the items of all ranks.
    """
    count = count.float()
    if reduction == 'global_mean':
        count = count.clone()
        all_reduce(count, op='mean')
    return at_least_tiny(count)
