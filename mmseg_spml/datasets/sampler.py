"""Sampling whose augmentations depend on the seed and the draw number only."""

import itertools
import random
from contextlib import contextmanager
from typing import Iterator

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

    Example:
        >>> sampler = DrawSampler(range(3), shuffle=False, seed=0)
        >>> sampler.skip(2)
        >>> [(int(i), i.draw) for i in itertools.islice(sampler, 3)]
        [(2, 2), (0, 3), (1, 4)]
    """

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
