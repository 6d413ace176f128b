"""COCO's run-length codes against pycocotools, and malformed ones."""

import numpy as np
import pytest

from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.run_length import decode_mask, encode_counts, encode_mask


def masks():
    rng = np.random.default_rng(0)
    yield np.zeros((4, 3), bool)
    yield np.ones((3, 4), bool)
    yield np.eye(1, dtype=bool)
    for _ in range(30):
        size = rng.integers(1, 40, 2)
        yield rng.random(size) < rng.choice([0.02, 0.5, 0.98])
    wide = np.zeros((300, 400), bool)  # long runs take several characters
    wide[17:260, 3:390] = True
    yield wide


def test_there_and_back():
    for mask in masks():
        assert np.array_equal(decode_mask(encode_counts(mask), mask.shape), mask)
        assert np.array_equal(decode_mask(encode_mask(mask), mask.shape), mask)


def test_text_of_pycocotools():
    coco = pytest.importorskip('pycocotools.mask')
    for mask in masks():
        text = coco.encode(np.asfortranarray(mask.astype(np.uint8)))['counts'].decode()
        assert encode_mask(mask) == text
        assert np.array_equal(decode_mask(text, mask.shape), mask)


@pytest.mark.parametrize(
    'code, what',
    [
        ([5], 'covers 5 pixels'),
        ([2, 2, 3], 'covers 7'),
        ([], 'covers 0'),
        ([-1, 7], 'got -1'),
        ([2.0, 4], 'got 2.0'),
        (['6'], "got '6'"),
        ([True, 5], 'got True'),
        ([10**30], 'covers 1'),
        ('7', 'covers 7'),
        ('P', 'within a count'),  # says that another character follows
        ('2~', 'malformed'),
        ('2\u20ac', 'malformed'),
        ('o' * 50, 'malformed'),
        ('N8', 'got -2'),
        (None, 'list or text'),
        ({'counts': []}, 'list or text'),
    ],
)
def test_malformed_codes(code, what):
    with pytest.raises(AnnotationError, match=what):
        decode_mask(code, (2, 3))
