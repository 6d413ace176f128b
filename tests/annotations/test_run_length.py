"""COCO's run-length codes against pycocotools, and malformed codes."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.run_length import decode_mask, encode_counts, encode_mask


def masks():
    rng = np.random.default_rng(0)
    yield np.zeros((4, 3), bool)
    yield np.ones((3, 4), bool)
    yield np.eye(1, dtype=bool)
    yield np.zeros((1, 1), bool)
    yield np.array([[True, False, True, True, False]])  # one row
    yield np.array([[True], [False], [True]])  # one column
    yield np.zeros((1, 70_000), bool)
    yield np.ones((70_000, 1), bool)
    for _ in range(30):
        size = rng.integers(1, 40, 2)
        yield rng.random(size) < rng.choice([0.02, 0.5, 0.98])
    wide = np.zeros((300, 400), bool)  # long runs take several characters
    wide[17:260, 3:390] = True
    yield wide


def counts_by_hand(mask):
    counts, inside = [0], False
    for value in mask.T.ravel().tolist():
        if value != inside:
            counts.append(0)
            inside = value
        counts[-1] += 1
    return counts


def test_there_and_back():
    for mask in masks():
        assert encode_counts(mask) == counts_by_hand(mask)
        decoded = decode_mask(encode_counts(mask), mask.shape)
        assert decoded.dtype == bool and decoded.flags.writeable
        assert np.array_equal(decode_mask(encode_counts(mask), mask.shape), mask)
        assert np.array_equal(decode_mask(encode_mask(mask), mask.shape), mask)


@pytest.mark.parametrize('code', [[0, 0, 2, 0, 0, 4], [2, 4, 0, 0], [np.int64(2), 4]])
def test_runs_of_no_pixels(code):
    expected = [[False, True, True]] * 2
    assert decode_mask(code, (2, 3)).tolist() == expected


def test_masks_of_any_layout():
    mask = np.random.default_rng(0).random((30, 20)) < 0.5
    for view in (mask.T, mask[::2, ::-3], np.asfortranarray(mask), mask.astype(int)):
        assert np.array_equal(decode_mask(encode_mask(view), view.shape), view)


def test_text_of_pycocotools():
    for mask in masks():
        text = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))[
            'counts'
        ].decode()
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


def test_counts_beyond_32_bits():
    size = (2**16, 2**16)
    for counts in ([2**32], [2**31, 2**31], [2**32 + 5]):
        with pytest.raises(AnnotationError, match='pixels'):
            decode_mask(counts, size)
    with pytest.raises(AnnotationError, match='covers 429496729[67]'):
        decode_mask([2**32 + 1], (1, 1))  # 1 in 32 bits
    with pytest.raises(AnnotationError, match='covers 1'):
        decode_mask([10**4299] * 10, (1, 1))  # a sum with too many digits to print
