"""One function over many items in several processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2
import torch

T = TypeVar('T')
R = TypeVar('R')


def spread(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    """Results in the order of the items, as they come.

    Processes do not begin as copies of this one: neither OpenMP nor CUDA would survive
    that. Each computes on one thread, since they share the cores already.

    Args:
        work: A function of a module, or a partial of one: what can be pickled.
        items: What it is called with.
        processes: 1 works in this process.

    Raises:
        ValueError: ``processes`` is below 1.
        BrokenProcessPool: one of them was killed, or cannot import ``work``.

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
    context = multiprocessing.get_context(
        'forkserver' if 'forkserver' in known else 'spawn'
    )
    # imported once, not by each process
    context.set_forkserver_preload(['mmseg_spml'])
    with ProcessPoolExecutor(processes, context, _one_thread) as pool:
        yield from pool.map(work, items)


def _one_thread() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
