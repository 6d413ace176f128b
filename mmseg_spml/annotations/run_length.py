"""COCO's run-length codes of masks: list of counts, or compressed text.

Runs go down the columns, column by column, and alternate between outside and inside,
outside first. Unlike ``pycocotools``, which trusts its input, every code is checked
against the size before anything is allocated.

Letters: H, W image size.
"""

from collections.abc import Sequence
from typing import Union

import numpy as np

from mmseg_spml.annotations.model import AnnotationError

# A compressed count is spread over characters of 5 bits each: '0' is 0.
_BITS, _OFFSET = 5, 48
_LONGEST = 7


def decode_mask(code: Union[str, Sequence[int]], size: tuple[int, int]) -> np.ndarray:
    """Mask of a run-length code.

    Args:
        code: Counts, or COCO's compressed text.
        size: (H, W).

    Returns:
        (H, W) bool.

    Raises:
        AnnotationError: the code is malformed or its runs do not add up to H W.

    Example:
        >>> decode_mask([1, 2, 1], (2, 2)).tolist()
        [[False, True], [True, False]]
    """
    counts = _parse_text(code) if isinstance(code, str) else _checked_counts(code)
    height, width = size
    total = sum(counts)
    if total != height * width:
        raise AnnotationError(
            f'the run-length code covers {total} pixels, its image has {height} x '
            f'{width} = {height * width}'
        )
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def encode_counts(mask: np.ndarray) -> list[int]:
    """Counts of a (H, W) bool mask; the inverse of :func:`decode_mask`."""
    flat = np.asarray(mask, bool).ravel(order='F')
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return [0, *counts] if flat[0] else counts


def encode_mask(mask: np.ndarray) -> str:
    """COCO's compressed text of a (H, W) bool mask.

    Example:
        >>> encode_mask(np.array([[False, True], [True, False]]))
        '121'
    """
    text, counts = [], encode_counts(mask)
    for position, count in enumerate(counts):
        # from the third count on, the difference to the one before last
        value = count - counts[position - 2] if position > 2 else count
        more = True
        while more:
            piece = value & 31
            value >>= _BITS
            more = value != (-1 if piece & 16 else 0)
            text.append(chr((piece | (32 if more else 0)) + _OFFSET))
    return ''.join(text)


def _parse_text(text: str) -> list[int]:
    counts: list[int] = []
    value = shift = 0
    for character in text:
        piece = ord(character) - _OFFSET
        if not 0 <= piece < 64 or shift > _LONGEST * _BITS:
            raise AnnotationError(
                f'the run-length code has a malformed count at {character!r}'
            )
        value |= (piece & 31) << shift
        shift += _BITS
        if piece & 32:
            continue
        if piece & 16:  # the sign goes on to the left
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        value = shift = 0
    if shift:
        raise AnnotationError('the run-length code ends within a count')
    return _checked_counts(counts)


def _checked_counts(counts: Sequence[int]) -> list[int]:
    if not isinstance(counts, (list, tuple)):
        raise AnnotationError(
            f'a run-length code is a list or text, got {type(counts).__name__}'
        )
    for count in counts:
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        if not whole or count < 0:
            raise AnnotationError(
                f'a run length is a whole number of 0 or more, got {count!r}'
            )
    return list(counts)
