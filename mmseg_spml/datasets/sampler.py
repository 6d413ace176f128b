"""Sampling whose augmentations depend on the seed and the draw number only."""

import itertools
import random
from contextlib import contextmanager
from typing import Iterator, List, Optional, Sized

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS


class Draw(int):
    """An index that remembers which draw of the training run it is.

    ``%`` and ``-``, which data set wrappers apply to indices, keep the draw.

    Attributes:
        draw: Number of the draw over all ranks, from 0.
        seed: The sampler's seed.
        attempt (int): 0, or how often another sample was taken in its place.

    Example:
        >>> index = Draw(7, draw=40, seed=1)
        >>> index == 7, (index % 5).draw
        (True, 40)
    """

    draw: int
    seed: int
    attempt: int

    def __new__(cls, index: int, draw: int, seed: int, attempt: int = 0) -> 'Draw':
        """Make an int with attributes."""
        self = super().__new__(cls, index)
        self.draw = draw
        self.seed = seed
        self.attempt = attempt
        return self

    def __getnewargs__(self) -> tuple:
        """What to pickle: workers receive their indices as pickles."""
        return int(self), self.draw, self.seed, self.attempt

    def at(self, index: int, attempt: int = 0) -> 'Draw':
        """The same draw with another index."""
        return Draw(index, self.draw, self.seed, attempt or self.attempt)

    def __mod__(self, other: int) -> 'Draw':
        """Remainder, the same draw."""
        return self.at(int(self) % other)

    def __sub__(self, other: int) -> 'Draw':
        """Difference, the same draw."""
        return self.at(int(self) - other)

    def generator_state(self, count: int) -> np.ndarray:
        """``count`` random 32-bit words of (seed, draw, attempt), uint32."""
        key = [self.seed, self.draw, self.attempt]
        return np.random.SeedSequence(key).generate_state(count)


@contextmanager
def randomness_of(draw: Draw) -> Iterator[None]:
    """Seed ``random``, ``numpy.random`` and torch's CPU generator for one draw.

    The former states come back at the end.

    Args:
        draw: Its seed, draw number and attempt make the state.

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


@DATA_SAMPLERS.register_module()
class DrawSampler(InfiniteSampler):
    """MMEngine's InfiniteSampler, whose indices know their draw number.

    Together with :class:`WeakSegDataset`, a sample and its augmentation depend
    only on the seed and on how many samples were drawn before it on all ranks: not
    on the number of loader workers, nor on where a run was resumed.

    Args:
        dataset: The data set.
        shuffle: Whether each pass takes a new order.
        seed: None: a random one, shared by all ranks.
        marked_share: Share of each rank's draws, in (0, 1), that are images with marks;
            the others have tags alone. Each kind has passes of its own. None draws all
            images alike, whatever is known of them.

    Raises:
        ValueError: ``marked_share`` is out of range, or one of the kinds is missing.

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
        seed: Optional[int] = None,
        marked_share: Optional[float] = None,
    ) -> None:
        self.marked_share = marked_share
        self.kinds: Optional[List[np.ndarray]] = None
        if marked_share is not None:
            if not hasattr(dataset, 'marked'):
                raise ValueError(
                    '`marked_share` needs a WeakSegDataset, not one in a wrapper, got '
                    f'{type(dataset).__name__}'
                )
            marked = dataset.marked()
            self.kinds = [np.flatnonzero(marked), np.flatnonzero(~marked)]
            if not 0 < marked_share < 1 or not all(map(len, self.kinds)):
                raise ValueError(
                    '`marked_share` must lie in (0, 1), and the data set hold images '
                    f'with marks and images with tags alone; got {marked_share}, '
                    f'{len(self.kinds[0])} and {len(self.kinds[1])} images'
                )
        super().__init__(dataset, shuffle, seed)

    def _infinite_indices(self) -> Iterator[int]:
        """Indices for all ranks, in the order of the draws."""
        if self.kinds is None:
            yield from super()._infinite_indices()
            return
        streams = [self._passes(kind, i) for i, kind in enumerate(self.kinds)]
        for draw in itertools.count():
            # one turn for all ranks, so that each of them has its share
            turn = draw // self.world_size
            share = self.marked_share
            is_marked = int((turn + 1) * share) > int(turn * share)
            yield next(streams[0 if is_marked else 1])

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
        """Go to a position of this rank's stream, counted from its start.

        Args:
            num_samples: How many samples this rank has consumed.

        Raises:
            ValueError: ``num_samples`` is negative.
        """
        if num_samples < 0:
            raise ValueError(f'`num_samples` must be >= 0, got {num_samples}')
        self.indices = self._indices_of_rank(num_samples)
