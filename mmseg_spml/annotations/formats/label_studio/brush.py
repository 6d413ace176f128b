"""The run-length code of Label Studio's brush: the bit stream of thi.ng's rle-pack.

The head has 32 bits (the number of values), 5 bits (the bits of a value, less 1) and
four times 4 bits (the bits of a length, less 1). Blocks follow, each of 1 bit (one
value repeated, or values that differ), 2 bits (the choice among the four widths of a
length), the length less 1, and one value or as many values as the length states. Bits
go from the highest down. The values are the bytes R, G, B, A of the image's pixels, row
by row, and the editor paints the pixels whose A is not 0. The code is defined by
https://github.com/thi-ng/umbrella (packages/rle-pack) and
``label_studio_sdk.converter.brush``.

Letters: H, W image size.
"""

import numpy as np

from mmseg_spml.annotations.model import AnnotationError

_HEAD_BITS = 32 + 5 + 4 * 4
_VALUE_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)  # the widths that the tool itself writes
# A block begins at any bit of a byte and needs at most 27 bits up to its first value.
_WINDOW_BITS = 40


def decode_brush(code: object, size: tuple[int, int]) -> np.ndarray:
    """Decode the mask of a brush: the pixels that are not fully transparent.

    Args:
        code: The list of bytes.
        size: (H, W).

    Returns:
        (H, W) bool.

    Raises:
        AnnotationError: The code is malformed or has another size.

    Example:
        >>> decode_brush(encode_brush(np.array([[True, False]])), (1, 2)).tolist()
        [[True, False]]
    """
    height, width = size
    data = _checked_bytes(code)
    total, widths = _head(data)
    if total != 4 * height * width:
        raise AnnotationError(
            f'the brush has {total} values, its image {height} x {width} x 4 = '
            f'{4 * height * width}'
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    inside = np.zeros(height * width, bool)
    position, done = _HEAD_BITS, 0
    while done < total:
        first = position >> 3
        window = int.from_bytes(data[first : first + 5].ljust(5, b'\0'), 'big')
        window = window << (position & 7) & (1 << _WINDOW_BITS) - 1
        repeated = window >> 39
        digits = widths[window >> 37 & 3]
        length = (window >> 37 - digits & (1 << digits) - 1) + 1
        start = position + 3 + digits
        position = start + _VALUE_BITS * (1 if repeated else length)
        end = done + length
        if position > len(bits) or end > total:
            raise AnnotationError(
                f'the brush ends at value {done} of {total}, or runs over; export it '
                'again'
            )
        # The alpha values among the values done..end-1 belong to these pixels.
        pixels = slice(done >> 2, end >> 2)
        if repeated or length == 1:
            if window >> 29 - digits & 255:
                inside[pixels] = True
        else:
            values = bits[start:position].reshape(length, _VALUE_BITS)
            inside[pixels] = values[(3 - done) % 4 :: 4].any(axis=1)
        done = end
    return inside.reshape(height, width)


def encode_brush(mask: np.ndarray) -> list[int]:
    """Encode a (H, W) bool mask as ``label_studio_sdk``'s ``mask2rle`` does."""
    flat = np.asarray(mask, bool).ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = 4 * np.diff(np.concatenate([[0], changes, [len(flat)]]))
    text = [f'{4 * len(flat):032b}', f'{_VALUE_BITS - 1:05b}']
    text += [f'{digits - 1:04b}' for digits in _LENGTH_BITS]
    value = bool(flat[0])
    for length in lengths.tolist():
        text += _blocks(length, '1' * 8 if value else '0' * 8)
        value = not value
    stream = ''.join(text)
    stream += '0' * (8 - len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8, 'big'))


def _blocks(length: int, value: str) -> list[str]:
    blocks, longest = [], 1 << _LENGTH_BITS[-1]
    while length:
        part = min(length, longest)
        which = next(i for i, digits in enumerate(_LENGTH_BITS) if part <= 1 << digits)
        blocks.append(f'1{which:02b}{part - 1:0{_LENGTH_BITS[which]}b}{value}')
        length -= part
    return blocks


def _checked_bytes(code: object) -> bytes:
    if not isinstance(code, list) or set(map(type, code)) - {int}:
        raise AnnotationError(
            f'a brush is a list of whole numbers, got {str(code)[:40]!r}'
        )
    if not all(0 <= value <= 255 for value in code):
        raise AnnotationError('a brush is a list of bytes; a value is not in 0..255')
    return bytes(code)


def _head(data: bytes) -> tuple[int, list[int]]:
    if 8 * len(data) < _HEAD_BITS:
        raise AnnotationError(
            f'the brush has {len(data)} bytes, which is less than its head'
        )
    head = int.from_bytes(data[:7], 'big') >> 56 - _HEAD_BITS
    value_bits = (head >> 16 & 31) + 1
    if value_bits != _VALUE_BITS:
        raise AnnotationError(
            f'the brush has values of {value_bits} bits, expected bytes of R, G, B, A'
        )
    return head >> 21, [(head >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
