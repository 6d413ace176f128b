"""The values that a weak annotation accepts."""

import numpy as np
import pytest

from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    checked_image_name,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

NOT_NUMBERS = [float('nan'), float('inf'), 1e300, 10**400, -2e6, '3', None, True, [1]]


@pytest.mark.parametrize('value', NOT_NUMBERS)
def test_coordinates_are_finite_numbers_near_the_image(value):
    for build in (
        lambda: Point('cat', value, 0),
        lambda: Box('cat', value, 0, 5, 5),
        lambda: Stroke('cat', [(0, value)]),
        lambda: Polygon('cat', [[(0, 0), (1, 0), (0, value)]]),
    ):
        with pytest.raises(AnnotationError, match='coordinate'):
            build()


@pytest.mark.parametrize(
    'label', ['', ' ', '\ud800', 'a\nb', 'a\u2028b', 3, ['cat'], b'cat']
)
def test_labels_are_names(label):
    with pytest.raises(AnnotationError, match='class name'):
        Point(label, 0, 0)


def test_void_is_a_label():
    assert Point(None, 0, 0).label is None


@pytest.mark.parametrize(
    'build, what',
    [
        (lambda: Box('cat', 1, 0, 1, 5), 'x0 < x1'),
        (lambda: Box('cat', 0, 5, 1, 4), 'y0 < y1'),
        (lambda: Stroke('cat', []), 'at least 1'),
        (lambda: Stroke('cat', [(1, 2, 3)]), 'no .x, y.'),
        (lambda: Stroke('cat', [(1, 2)], 0), 'width'),
        (lambda: Stroke('cat', 'path'), 'expected a list'),
        (lambda: Polygon('cat', [[(0, 0), (1, 0)]]), 'at least 3'),
        (lambda: Polygon('cat', []), 'one ring'),
        (lambda: Mask('cat', np.zeros((2, 2), np.uint8)), 'bool'),
        (lambda: DenseMap(['a', 'a'], np.zeros((2, 2), np.uint8)), 'different'),
        (lambda: DenseMap(['a'], np.ones((2, 2), np.uint8)), r'values \[1\]'),
        (lambda: DenseMap(['a'], np.zeros((2, 2), int)), 'uint8'),
    ],
)
def test_malformed_shapes(build, what):
    with pytest.raises(AnnotationError, match=what):
        build()


@pytest.mark.parametrize(
    'size',
    [(0, 5), (5, -1), (65536, 1), (20000, 20000), (2.0, 2), ('2', 2), (True, 2)],
)
def test_sizes(size):
    with pytest.raises(AnnotationError, match='image'):
        WeakAnnotation('a.jpg', *size)


@pytest.mark.parametrize(
    'name', ['/etc/passwd', '../a.jpg', 'a/../../b.jpg', 'C:\\a.jpg',
             'C:a.jpg', '\\a.jpg', '..\\a.jpg', '', '.', 'x/..', 'a\0b', None, 5,
             ' a.jpg', 'a.jpg ', 'a\u2028b.jpg', 'a\nb.jpg'],
)  # fmt: skip
def test_names_stay_in_their_folder(name):
    with pytest.raises(AnnotationError, match='image'):
        checked_image_name(name)


def test_names_are_normal():
    assert checked_image_name('a\\b.jpg') == 'a/b.jpg'
    assert checked_image_name('./a//b..c.jpg') == 'a/b..c.jpg'


def test_parts_of_another_size_than_the_image():
    wrong = np.zeros((3, 2), bool)
    with pytest.raises(AnnotationError, match=r"mask of 'cat' is \(3, 2\).*\(2, 3\)"):
        WeakAnnotation('a.jpg', 2, 3, masks=[Mask('cat', wrong)])
    dense = DenseMap(['cat'], wrong.astype(np.uint8))
    with pytest.raises(AnnotationError, match='the dense map'):
        WeakAnnotation('a.jpg', 2, 3, dense=dense)


def test_tags():
    with pytest.raises(AnnotationError, match='present and absent'):
        WeakAnnotation('a.jpg', 2, 3, tags={'a', 'b'}, absent={'b'})
    for tags in ('cat', 3, [None], [['a']], ['']):
        with pytest.raises(AnnotationError):
            WeakAnnotation('a.jpg', 2, 3, tags=tags)


def test_what_is_known():
    nothing = WeakAnnotation('a.jpg', 2, 3)
    assert nothing.kinds() == []
    dense = DenseMap(['dog', 'cow'], np.array([[1, 1, 254]] * 2, np.uint8))
    full = WeakAnnotation(
        'a.jpg', 2, 3, tags={'cat'}, absent={'bird'}, boxes_complete=True,
        points=[Point(None, 1, 1), Point('sheep', 1, 1)], dense=dense,
    )  # fmt: skip
    assert full.kinds() == ['tags', 'absent', 'boxes_complete', 'points', 'dense']
    assert full.shown() == {'cat', 'sheep', 'cow'}
    assert full.class_names() == {'cat', 'sheep', 'cow', 'bird'}


def test_equality_of_arrays():
    mask = np.eye(2, dtype=bool)
    assert Mask('a', mask) == Mask('a', mask.copy())
    assert Mask('a', mask) != Mask('a', ~mask)
    assert Mask('a', mask) != Mask('b', mask)
    labels = mask.astype(np.uint8)
    assert DenseMap(['a', 'b'], labels) == DenseMap(('a', 'b'), labels.copy())
    assert DenseMap(['a', 'b'], labels) != DenseMap(['b', 'a'], labels)


def test_an_error_says_where():
    inner = AnnotationError('no box', place='boxes[3]')
    outer = inner.at(file='a.json', place='image 7')
    assert str(outer) == 'a.json, image 7, boxes[3]: no box'
    assert str(outer.at(file='b.json')) == str(outer)
