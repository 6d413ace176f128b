"""COCO's run-length codes of masks: lists of counts, or compressed text.

Runs go down the columns, column by column, and alternate between outside and inside,
outside first. ``pycocotools`` decodes and encodes them, but it trusts its input: every
code is first checked against the size of its image.

Letters: H, W image size.
"""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from mmseg_spml.annotations.model import AnnotationError

# Each character of a compressed count holds 5 bits; the character '0' stands for 0.
_BITS, _OFFSET = 5, 48
_MOST_CHARACTERS = 8
# pycocotools counts in 32 bits.
_MOST_PIXELS = 2**31 - 1
_LONGEST_PRINTED = 10**40


def decode_mask(code: str | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Decode the mask of a run-length code.

    Args:
        code: Counts, or COCO's compressed text.
        size: (H, W).

    Returns:
        (H, W) bool.

    Raises:
        AnnotationError: The code is malformed, its runs do not add up to H W, or H W
            is 2^31 or more.

    Example:
        >>> decode_mask([1, 2, 1], (2, 2)).tolist()
        [[False, True], [True, False]]
    """
    counts = _parse_text(code) if isinstance(code, str) else _checked_counts(code)
    height, width = size
    total = sum(counts)
    if total != height * width:
        raise AnnotationError(
            f'the run-length code covers {min(total, _LONGEST_PRINTED)} pixels, its '
            f'image has {height} x {width} = {height * width}'
        )
    if total > _MOST_PIXELS:
        raise AnnotationError(
            f'a mask of {height} x {width} has more than {_MOST_PIXELS} pixels'
        )
    checked = {'size': [height, width], 'counts': counts}
    return coco_mask.decode(coco_mask.frPyObjects(checked, height, width)).view(bool)


def encode_counts(mask: np.ndarray) -> list[int]:
    """Encode a (H, W) bool mask as counts; the inverse of :func:`decode_mask`."""
    return _parse_text(encode_mask(mask))


def encode_mask(mask: np.ndarray) -> str:
    """Encode a (H, W) bool mask as COCO's compressed text.

    Example:
        >>> encode_mask(np.array([[False, True], [True, False]]))
        '121'
    """
    columns = np.asfortranarray(mask, bool).view(np.uint8)
    return coco_mask.encode(columns)['counts'].decode()


def _parse_text(text: str) -> list[int]:
    counts: list[int] = []
    value = shift = 0
    for character in text:
        piece = ord(character) - _OFFSET
        if not 0 <= piece < 64 or shift >= _MOST_CHARACTERS * _BITS:
            raise AnnotationError(
                f'the run-length code has a malformed count at {character!r}'
            )
        value |= (piece & 31) << shift
        shift += _BITS
        if piece & 32:
            continue
        if piece & 16:  # the highest bit is the sign
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
    return [int(count) for count in counts]
