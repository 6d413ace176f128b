"""Sampling with augmentations that depend only on the seed and the draw number."""

import copy
import itertools
import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS


class Draw(int):
    """An index with the number of its draw in the training run.

    The operators ``%`` and ``-``, which data set wrappers apply to indices, keep the
    draw.

    Attributes:
        draw: Number of the draw over all ranks, from 0.
        seed: Seed of the sampler.
        attempt: Number of samples that have been replaced by another one, from 0.

    Example:
        >>> index = Draw(7, draw=40, seed=1)
        >>> index == 7, (index % 5).draw
        (True, 40)
    """

    draw: int
    seed: int
    attempt: int

    def __new__(cls, index: int, draw: int, seed: int, attempt: int = 0) -> 'Draw':
        """Create an int with attributes."""
        self = super().__new__(cls, index)
        self.draw = draw
        self.seed = seed
        self.attempt = attempt
        return self

    def __getnewargs__(self) -> tuple:
        """Arguments for pickling: loader workers receive pickled indices."""
        return int(self), self.draw, self.seed, self.attempt

    def at(self, index: int, attempt: int = 0) -> 'Draw':
        """Copy the draw with another index."""
        return Draw(index, self.draw, self.seed, attempt or self.attempt)

    def __mod__(self, other: int) -> 'Draw':
        """Remainder of the index, with the same draw."""
        return self.at(int(self) % other)

    def __sub__(self, other: int) -> 'Draw':
        """Difference of the index, with the same draw."""
        return self.at(int(self) - other)

    def generator_state(self, count: int) -> np.ndarray:
        """``count`` random uint32 words, determined by (seed, draw, attempt)."""
        key = [self.seed, self.draw, self.attempt]
        return np.random.SeedSequence(key).generate_state(count)


@contextmanager
def randomness_of(draw: Draw) -> Iterator[None]:
    """Seed ``random``, ``numpy.random`` and torch's CPU generator for one draw.

    The previous states are restored on exit.

    Args:
        draw: Draw whose seed, number and attempt determine the random state.

    Example:
        >>> with randomness_of(Draw(0, draw=3, seed=1)):
        ...     first = np.random.uniform()
        >>> with randomness_of(Draw(9, draw=3, seed=1)):
        ...     first == np.random.uniform()
        True
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = draw.generator_state(8)
    random.seed(words.tobytes())
    np.random.seed(words)
    torch.default_generator.manual_seed(int(words[0]))
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


class _Recorder:
    """Data set that records the requested indices."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        self.asked.append(index)
        return {}


def check_wrappers(dataset: Any) -> None:
    """Check that data set wrappers pass draws on, and not plain integers.

    MMEngine's ``RepeatDataset`` and PyTorch's ``ConcatDataset`` keep the draw;
    ``ClassBalancedDataset`` and others lose it, because they look the index up in a
    list.

    Args:
        dataset: Data set, possibly in wrappers with an attribute ``dataset`` or
            ``datasets``.

    Raises:
        ValueError: If a wrapper loses the draw, so that augmentation would differ
            between runs.
    """
    for name in ('dataset', 'datasets'):
        inner = getattr(dataset, name, None)
        if inner is None:
            continue
        members = list(inner) if name == 'datasets' else [inner]
        recorders = [_Recorder(len(member)) for member in members]
        probe = copy.copy(dataset)
        try:
            setattr(probe, name, recorders if name == 'datasets' else recorders[0])
            probe[Draw(0, draw=0, seed=0)]
        except Exception:  # the wrapper does more than look up an index
            asked: list[int] = [0]
        else:
            asked = [index for recorder in recorders for index in recorder.asked]
        if not all(isinstance(index, Draw) for index in asked):
            raise ValueError(
                f'{type(dataset).__name__} hands on indices without their draw, so '
                'augmentation would differ from run to run: leave the wrapper out, use '
                "RepeatDataset or ConcatDataset, or use MMEngine's InfiniteSampler, "
                'which does not promise exact resume'
            )
        for member in members:
            check_wrappers(member)


@DATA_SAMPLERS.register_module()
class DrawSampler(InfiniteSampler):
    """MMEngine's InfiniteSampler with indices that carry their draw number.

    Together with :class:`WeakSegDataset`, a sample and its augmentation depend
    only on the seed and the number of samples that all ranks have drawn before. They do
    not depend on the number of loader workers or on where a run was resumed.

    Args:
        dataset: Data set to sample from.
        shuffle: Whether to shuffle each pass over the data set.
        seed: Seed. None: a random seed, shared by all ranks.
        labeled_share: Fraction of each rank's draws, in (0, 1), that are images with
            labeled pixels; the others are images with only tags. Each kind is passed
            over separately. None: images are drawn regardless of their annotations.

    Raises:
        ValueError: If ``labeled_share`` is out of range, there is no image of one of
            the kinds, or a wrapper of the data set loses the draw of an index.

    Example:
        >>> sampler = DrawSampler(range(3), shuffle=False, seed=0)
        >>> sampler.skip(2)
        >>> [(int(i), i.draw) for i in itertools.islice(sampler, 3)]
        [(2, 2), (0, 3), (1, 4)]
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        labeled_share: float | None = None,
    ) -> None:
        check_wrappers(dataset)
        self.labeled_share = labeled_share
        self.kinds: list[np.ndarray] | None = None
        if labeled_share is not None:
            if not hasattr(dataset, 'labeled'):
                raise ValueError(
                    '`labeled_share` needs a WeakSegDataset, not one in a wrapper, got '
                    f'{type(dataset).__name__}'
                )
            labeled = dataset.labeled()
            self.kinds = [np.flatnonzero(labeled), np.flatnonzero(~labeled)]
            if not 0 < labeled_share < 1 or not all(map(len, self.kinds)):
                raise ValueError(
                    '`labeled_share` must lie in (0, 1), and the data set hold images '
                    f'with labels and images with tags alone; got {labeled_share}, '
                    f'{len(self.kinds[0])} and {len(self.kinds[1])} images. Without '
                    'one of them, remove `labeled_share`'
                )
        super().__init__(dataset, shuffle, seed)

    def _infinite_indices(self) -> Iterator[int]:
        """Indices for all ranks, in the order of the draws."""
        if self.kinds is None:
            yield from super()._infinite_indices()
            return
        streams = [self._passes(kind, i) for i, kind in enumerate(self.kinds)]
        for draw in itertools.count():
            # All ranks draw the same kind in a turn, so that they have equal fractions.
            turn = draw // self.world_size
            share = self.labeled_share
            is_labeled = int((turn + 1) * share) > int(turn * share)
            yield next(streams[0 if is_labeled else 1])

    def _passes(self, indices: np.ndarray, stream: int) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, stream])
        while True:
            order = generator.permutation(indices) if self.shuffle else indices
            yield from order.tolist()

    def _indices_of_rank(self, start: int = 0) -> Iterator[Draw]:
        first = self.rank + start * self.world_size
        indices = itertools.islice(
            self._infinite_indices(), first, None, self.world_size
        )
        draws = itertools.count(first, self.world_size)
        for index, draw in zip(indices, draws):
            yield Draw(index, draw, self.seed)

    def skip(self, num_samples: int) -> None:
        """Skip to a position of this rank's stream, counted from its start.

        Args:
            num_samples: Number of samples that this rank has consumed.

        Raises:
            ValueError: If ``num_samples`` is negative.
        """
        if num_samples < 0:
            raise ValueError(f'`num_samples` must be >= 0, got {num_samples}')
        self.indices = self._indices_of_rank(num_samples)
