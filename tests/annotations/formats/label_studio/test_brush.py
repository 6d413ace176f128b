"""Label Studio's brush: codes of the tool, written codes, and malformed codes."""

import numpy as np
import pytest
from annotations.formats.label_studio.documents import (
    BRUSHED,
    EDITOR_COLORED,
    EDITOR_GRAY,
    SDK_COLORED,
    SDK_MASK,
    read,
    rectangle,
    region,
    task,
)

from mmseg_spml.annotations.formats.label_studio.brush import decode_brush, encode_brush
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.pixel_maps import Mask


@pytest.mark.parametrize('code', [EDITOR_COLORED, EDITOR_GRAY, SDK_MASK])
def test_brush(code, tmp_path):
    value = {'format': 'rle', 'rle': code}
    (annotation,) = read(tmp_path, task(region('brushlabels', value, size=(3, 5))))
    assert annotation.masks == [Mask('cat', BRUSHED)]


def test_brush_codes():
    assert encode_brush(BRUSHED) == SDK_MASK
    colored = [[False, True, False], [True, True, False]]
    assert decode_brush(SDK_COLORED, (2, 3)).tolist() == colored
    rng = np.random.default_rng(0)
    for density in (0, 0.02, 0.5, 1):
        mask = rng.random(rng.integers(1, 90, 2)) < density
        assert np.array_equal(decode_brush(encode_brush(mask), mask.shape), mask)
    large = np.zeros((400, 500), bool)  # runs longer than a length can be
    large[200:399] = True
    assert np.array_equal(decode_brush(encode_brush(large), large.shape), large)


def test_brush_streams_of_any_widths():
    """Codes of repeated and differing values decode to the encoded values."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        size = tuple(rng.integers(1, 12, 2))
        widths, values = rng.integers(1, 17, 4), []
        text = f'{4 * size[0] * size[1]:032b}00111'
        text += ''.join(f'{width - 1:04b}' for width in widths)
        while len(values) < 4 * size[0] * size[1]:
            which, repeated = rng.integers(4), rng.integers(2)
            most = min(1 << int(widths[which]), 4 * size[0] * size[1] - len(values))
            length = int(rng.integers(1, min(most, 40) + 1))
            block = rng.integers(0, 3, 1 if repeated else length).tolist()
            text += f'{repeated}{which:02b}{length - 1:0{widths[which]}b}'
            text += ''.join(f'{value:08b}' for value in block)
            values += block * length if repeated else block
        text += '0' * (-len(text) % 8)
        code = list(int(text, 2).to_bytes(len(text) // 8, 'big'))
        expected = np.reshape(values, (*size, 4))[..., 3] > 0
        assert np.array_equal(decode_brush(code, size), expected)


@pytest.mark.parametrize(
    'code, what',
    [
        (None, 'list of whole numbers'),
        ('AAAA', 'list of whole numbers'),
        ({'0': 1}, 'list of whole numbers'),
        ([0.0] * 16, 'list of whole numbers'),
        ([True] * 16, 'list of whole numbers'),
        ([256] * 16, 'not in 0..255'),
        ([-1] * 16, 'not in 0..255'),
        ([10**30] * 16, 'not in 0..255'),
        ([], 'less than its head'),
        (SDK_MASK[:6], 'less than its head'),
        (SDK_MASK[:7], 'ends at value 0 of 60'),
        (SDK_MASK[:14], 'ends at value 40 of 60'),
        ([255] * 16, 'values of 32 bits'),
        ([0, 0, 0, 56, *SDK_MASK[4:]], '56 values, its image 3 x 5 x 4 = 60'),
        ([255, 255, 255, 255, *SDK_MASK[4:]], '4294967295 values'),
        # There are 65536 equal values.
        ([0, 0, 0, 60, 57, 27, 255, 255, 255, 0], 'value 0 of 60, or runs over'),
    ],
)
def test_malformed_brushes(code, what, tmp_path):
    value = {'format': 'rle', 'rle': code}
    bad = task(rectangle(0, 0, 9, 9, size=(3, 5)),
               region('brushlabels', value, size=(3, 5)))  # fmt: skip
    with pytest.raises(
        AnnotationError,
        match=rf'export\.json, task\[0\] \(id 7\), result\[1\]: .*{what}',
    ):
        read(tmp_path, bad)
