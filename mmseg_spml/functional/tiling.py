"""Overlapping tiles of images that are too large for a network, and their blending.

Letters: H, W image size; h, w tile size; C classes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels of maps that are resized at once.
_PIXELS_TOGETHER = 1_000_000


class Tile(NamedTuple):
    """A rectangle of an image: rows top to bottom, columns left to right.

    The ends are exclusive, as in slices.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns, to index an array (H, W)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        """The (h, w) of the tile."""
        return self.bottom - self.top, self.right - self.left


def intervals(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Cover ``length`` pixels by intervals of one length that overlap evenly.

    There are as few as possible. Neighbors overlap by ``overlap`` or more pixels; what
    is left over is shared out, so that no interval is shorter than another.

    Args:
        length: The pixels to cover, 1 or more.
        tile: The length of an interval. An image that is not longer is one interval.
        overlap: The least overlap of neighbors, from 0 to ``tile`` - 1.

    Returns:
        The start and the end (exclusive) of each interval, in order.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> intervals(10, 6, 1)
        [(0, 6), (4, 10)]
        >>> intervals(5, 6, 1)
        [(0, 5)]
    """
    if length < 1 or tile < 1 or not 0 <= overlap < tile:
        raise ValueError(
            'expected a length and a tile of 1 or more and an overlap in 0..tile-1, '
            f'got {length}, {tile} and {overlap}'
        )
    if length <= tile:
        return [(0, length)]
    number = -(-(length - overlap) // (tile - overlap))
    starts = [(length - tile) * index // (number - 1) for index in range(number)]
    return [(start, start + tile) for start in starts]


def tile_rows(
    size: tuple[int, int], tile: tuple[int, int], overlap: int
) -> Iterator[list[Tile]]:
    """Yield the tiles of an image, row by row.

    Args:
        size: The (H, W) of the image.
        tile: The (h, w) of a tile.
        overlap: The least overlap of neighbors in pixels.

    Raises:
        ValueError: See :func:`intervals`.

    Example:
        >>> [row] = tile_rows((4, 10), (6, 6), 1)
        >>> [tuple(tile) for tile in row]
        [(0, 4, 0, 6), (0, 4, 4, 10)]
    """
    columns = intervals(size[1], tile[1], overlap)
    for top, bottom in intervals(size[0], tile[0], overlap):
        yield [Tile(top, bottom, left, right) for left, right in columns]


def tiles_with_cores(
    size: tuple[int, int], tile: int, overlap: int
) -> Iterator[tuple[Tile, Tile]]:
    """Yield the tiles of an image, each with the part of it that is its own.

    Neighbors share their overlap out by halves, so that each pixel is in one core.

    Args:
        size: The (H, W) of the image.
        tile: The side of a tile in pixels.
        overlap: The least overlap of neighbors in pixels.

    Raises:
        ValueError: See :func:`intervals`.

    Example:
        >>> for one, core in tiles_with_cores((4, 10), 6, 2):
        ...     print(tuple(one), tuple(core))
        (0, 4, 0, 6) (0, 4, 0, 5)
        (0, 4, 4, 10) (0, 4, 5, 10)
    """
    rows, columns = (intervals(length, tile, overlap) for length in size)
    for (top, bottom), (above, below) in zip(rows, _cores(rows)):
        for (left, right), (first, last) in zip(columns, _cores(columns)):
            yield Tile(top, bottom, left, right), Tile(above, below, first, last)


def _cores(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    cuts = [(end + start) // 2 for (_, end), (start, _) in zip(parts, parts[1:])]
    return list(zip([parts[0][0], *cuts], [*cuts, parts[-1][1]]))


def blending_weights(size: tuple[int, int], overlap: int) -> np.ndarray:
    """Weights of a tile that fall linearly to its borders.

    A pixel at a border counts least, since a network sees the least of its
    surroundings. Weighted means over tiles are without steps at the borders of tiles.

    Args:
        size: The (h, w) of the tile.
        overlap: The pixels from a border over which the weights rise to 1.

    Returns:
        (h, w) float32, above 0.

    Example:
        >>> [f'{weight:.2f}' for weight in blending_weights((5, 5), 2)[2]]
        ['0.33', '0.67', '1.00', '0.67', '0.33']
    """

    def ramp(length: int) -> np.ndarray:
        distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
        return np.minimum(distance / (overlap + 1), 1).astype(np.float32)

    # Along a side that one tile covers, the weights change nothing.
    return ramp(size[0])[:, None] * ramp(size[1])


def blended_bands(
    size: tuple[int, int],
    tile: int,
    overlap: int,
    predict: Callable[[Sequence[Tile]], Sequence[Tensor]],
    together: int = 1,
) -> Iterator[Tensor]:
    """Predict maps tile by tile, and blend them where tiles overlap.

    A pixel is the mean over its tiles by :func:`blending_weights`. Memory is that of
    two rows of tiles, whatever H is.

    Args:
        size: The (H, W) of the maps.
        tile: The side of a tile in pixels.
        overlap: The least overlap of neighboring tiles.
        predict: A function of up to ``together`` tiles of one size that returns the
            maps (C, h, w) float of each.
        together: The number of tiles that are predicted together.

    Yields:
        Consecutive bands (C, rows, W) float32, from top to bottom.

    Raises:
        ValueError: See :func:`intervals`.

    Example:
        >>> bands = blended_bands((1, 3), 2, 1, lambda tiles: [torch.ones(1, 1, 2)])
        >>> [band.tolist() for band in bands]
        [[[[1.0, 1.0, 1.0]]]]
    """
    rows = list(tile_rows(size, (tile, tile), overlap))
    below: tuple[Tensor, Tensor] | None = None
    for row, next_row in zip(rows, [*rows[1:], None]):
        sums, count = _blended_row(row, size[1], overlap, predict, together)
        if below is not None:
            shared = below[1].shape[0]
            sums[:, :shared] += below[0]
            count[:shared] += below[1]
        top = row[0].top
        done = (size[0] if next_row is None else next_row[0].top) - top
        yield sums[:, :done].div_(count[:done])  # in place: a band may take gigabytes
        below = sums[:, done:], count[done:]


def _blended_row(
    row: Sequence[Tile],
    width: int,
    overlap: int,
    predict: Callable[[Sequence[Tile]], Sequence[Tensor]],
    together: int,
) -> tuple[Tensor, Tensor]:
    """Sum the weighted maps (C, h, W) and the weights (h, W) of a row of tiles."""
    height = row[0].size[0]
    count = torch.zeros(height, width)
    sums = torch.zeros(0, height, width)  # C is known from a tile
    weights = torch.from_numpy(blending_weights(row[0].size, overlap))
    for start in range(0, len(row), together):
        tiles = row[start : start + together]
        for one, maps in zip(tiles, predict(tiles)):
            if not len(sums):
                sums = torch.zeros(len(maps), height, width)
            columns = one.slices[1]
            sums[:, :, columns] += maps * weights
            count[:, columns] += weights
    return sums, count


@torch.no_grad()
def most_probable(maps: Tensor) -> Tensor:
    """Class of the largest value at each pixel, the first one of several.

    On the CPU this is several times as fast as ``argmax``, for which the values of a
    pixel lie too far apart.

    Args:
        maps: Probabilities or logits (C, H, W), C >= 1, without NaN.

    Returns:
        (H, W) int64.

    Example:
        >>> most_probable(torch.tensor([[[0.1, 0.5]], [[0.7, 0.5]]]))
        tensor([[1, 0]])
    """
    if maps.is_cuda:
        return maps.argmax(dim=0)
    best = maps[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.int16)
    for index in range(1, len(maps)):
        labels.masked_fill_(maps[index] > best, index)
        torch.maximum(best, maps[index], out=best)
    return labels.long()


def resized_strips(
    strips: Iterable[Tensor], size: tuple[int, int], target: tuple[int, int]
) -> Iterator[Tensor]:
    """Resize maps that come in horizontal strips, bilinearly.

    The result is that of ``torch.nn.functional.interpolate(mode='bilinear')`` of the
    whole maps, which are never held.

    Args:
        strips: Consecutive strips (C, h, W) float, from top to bottom.
        size: (H, W) of the whole maps.
        target: Height and width to resize to.

    Yields:
        Consecutive strips of the resized maps, of about a megapixel or less.

    Raises:
        ValueError: If the strips have another width, or in total another height.

    Example:
        >>> strips = torch.tensor([[[0.0, 4.0]]]), torch.tensor([[[8.0, 8.0]]])
        >>> for strip in resized_strips(strips, (2, 2), (4, 2)):
        ...     print(strip.tolist())
        [[[0.0, 4.0]]]
        [[[2.0, 5.0], [6.0, 7.0], [8.0, 8.0]]]
    """
    rows = torch.arange(target[0], dtype=torch.float64)
    position = ((rows + 0.5) * size[0] / target[0] - 0.5).clamp_min(0)
    above = position.floor().long()
    share = position - above
    below = (above + (share > 0)).clamp_max(size[0] - 1)
    step = max(_PIXELS_TOGETHER // target[1], 1)
    kept, top, done = None, 0, 0
    for strip in strips:
        if strip.shape[2] != size[1]:
            raise ValueError(
                f'expected strips {size[1]} pixels wide, got {strip.shape[2]}'
            )
        kept = strip if kept is None else torch.cat([kept, strip], dim=1)
        ready = int(torch.searchsorted(below, top + kept.shape[1]))
        for first in range(done, ready, step):
            chosen = slice(first, min(first + step, ready))
            mixed = torch.lerp(
                kept[:, above[chosen] - top],
                kept[:, below[chosen] - top],
                share[chosen, None].to(kept),
            )
            yield _with_width(mixed, target[1])
        done = ready
        # The next row needs these rows of the strips.
        end = top + kept.shape[1]
        needed = min(int(above[done]), end) if done < target[0] else end
        kept, top = kept[:, needed - top :], needed
    height = top + (0 if kept is None else kept.shape[1])
    if height != size[0]:
        raise ValueError(f'expected strips of {size[0]} rows in total, got {height}')


def _with_width(maps: Tensor, width: int) -> Tensor:
    if maps.shape[2] == width:
        return maps
    size = (maps.shape[1], width)
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=False)[0]
