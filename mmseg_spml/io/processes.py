"""Application of a function to many items in several processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2
import torch

from mmseg_spml.io.parent import exit_with_parent

T = TypeVar('T')
R = TypeVar('R')


def spread(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    """Yield the results of a function in the order of the items, as they come.

    The processes are not forks of this one: neither OpenMP nor CUDA would survive that.
    Each process computes on one thread, since the processes already share the cores,
    and ends with this one.

    Args:
        work: A function that can be pickled: one of a module, or a partial of one.
        items: The arguments of the function, one for each call.
        processes: The number of processes. 1 works in this process.

    Raises:
        ValueError: ``processes`` is below 1.
        BrokenProcessPool: A process was killed or cannot import ``work``.

    Example:
        >>> list(spread(abs, [-1, 2], processes=1))
        [1, 2]
    """
    if processes < 1:
        raise ValueError(f'processes must be 1 or more, got {processes}')
    if processes == 1:
        yield from map(work, items)
        return
    known = multiprocessing.get_all_start_methods()
    # Asking for a GPU, as imports of the package do, is enough to keep forks from it.
    forks = 'forkserver' in known and not torch.cuda.is_available()
    context = multiprocessing.get_context('forkserver' if forks else 'spawn')
    if forks:
        # The server of the forks imports the package once, not each process anew.
        context.set_forkserver_preload(['mmseg_spml'])
    with ProcessPoolExecutor(processes, context, _prepare) as pool:
        yield from pool.map(work, items)


def _prepare() -> None:
    exit_with_parent()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
