"""Masks in colors, as CVAT's "Segmentation mask 1.1" has them."""

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import detect_format, read_annotations
from mmseg_spml.annotations.mask_values import parse_values
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.datasets.full_masks import masks_of_folder

COLORS = np.array([[0, 0, 0], [250, 50, 83], [36, 179, 83]], np.uint8)
IDS = np.array([[0, 1, 2], [2, 2, 0]])
LABELMAP = '# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n'


@pytest.fixture
def masks(tmp_path):
    """The folder of the masks in CVAT's archive."""
    folder = tmp_path / 'SegmentationClass'
    folder.mkdir()
    Image.fromarray(COLORS[IDS]).save(folder / 'a.png')
    (tmp_path / 'labelmap.txt').write_text(LABELMAP + 'dog:36,179,83::\n')
    return folder


@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_colors_are_classes(masks, mode):
    Image.open(masks / 'a.png').convert(mode).save(masks / 'a.png')
    assert detect_format(masks) == 'index_png'
    (annotation,) = read_annotations(masks)
    assert annotation.dense.classes == ('background', 'cat', 'dog')
    assert np.array_equal(annotation.dense.labels, IDS)
    (other,) = read_annotations(masks, classes=('dog', 'background', 'cat'))
    assert np.array_equal(other.dense.labels, np.array([1, 2, 0])[IDS])
    (single,) = read_annotations(masks / 'a.png')
    assert single == annotation


def test_the_file_beside_the_masks(masks):
    (masks.parent / 'labelmap.txt').rename(masks / 'labelmap.txt')
    assert len(list(read_annotations(masks))) == 1


def test_colors_without_a_class(masks):
    (masks.parent / 'labelmap.txt').write_text(LABELMAP)
    with pytest.raises(
        AnnotationError, match=r'a.png: .*\(36, 179, 83\) \(3 pixels\) are not in'
    ):
        list(read_annotations(masks))
    with pytest.raises(AnnotationError, match="is 'cat' by labelmap.txt"):
        list(read_annotations(masks, classes=('background', 'dog')))


def test_values_are_not_for_colors(masks):
    with pytest.raises(AnnotationError, match='a.png: is in colors'):
        list(read_annotations(masks, values={255: 'cat'}))


def test_without_the_file_the_masks_are_named(masks):
    (masks.parent / 'labelmap.txt').unlink()
    with pytest.raises(AnnotationError, match='several channels'):
        detect_format(masks)


@pytest.mark.parametrize(
    'text, what',
    [
        ('cat 1 2 3\n', 'line 1: expected'),
        ('cat:1,2,3::\ndog:1,2,3::\n', r"line 2: 'dog' and 'cat' have the color"),
        ('cat:1,2::\n', 'line 1: expected'),
    ],
)
def test_bad_files_of_colors(masks, text, what):
    (masks.parent / 'labelmap.txt').write_text(text)
    with pytest.raises(AnnotationError, match=f'labelmap.txt, {what}'):
        list(read_annotations(masks))
    (masks.parent / 'labelmap.txt').write_bytes('ä:1,2,3'.encode('latin-1'))
    with pytest.raises(AnnotationError, match='not UTF-8'):
        list(read_annotations(masks, 'index_png'))


def test_index_maps_beside_a_file_of_colors_keep_their_rule(masks):
    Image.fromarray(IDS.astype(np.uint8)).save(masks / 'a.png')
    (annotation,) = read_annotations(masks)
    assert np.array_equal(annotation.dense.labels, IDS)


def with_palette(file, order, ids=IDS):
    """Save a mask whose palette has the colors in another order."""
    place = np.argsort(order)
    image = Image.fromarray(place[ids].astype(np.uint8), 'P')
    image.putpalette(COLORS[list(order)].tobytes())
    image.save(file)


@pytest.mark.parametrize('order', [(2, 0, 1), (0, 1, 2)])
def test_a_palette_that_an_editor_made(masks, order):
    with_palette(masks / 'a.png', order)
    assert detect_format(masks) == 'index_png'
    (annotation,) = read_annotations(masks)
    assert np.array_equal(annotation.dense.labels, IDS)
    # Stated values are those of the file.
    values = dict(enumerate(np.array(['x', 'y', 'z'])[list(order)].tolist()))
    (stated,) = read_annotations(masks, values=values, classes=('x', 'y', 'z'))
    assert np.array_equal(stated.dense.labels, IDS)
    (named,) = read_annotations(masks, values=VALUES)
    assert np.array_equal(named.dense.labels, IDS)


def test_a_palette_that_contradicts_the_file_of_colors(masks):
    (masks.parent / 'labelmap.txt').write_text(LABELMAP)  # without the dog
    with_palette(masks / 'a.png', (0, 1, 2))
    (annotation,) = read_annotations(masks)  # by value: 2 is unlabeled
    assert np.array_equal(annotation.dense.labels == 254, IDS == 2)
    with_palette(masks / 'a.png', (2, 1, 0))
    with pytest.raises(
        AnnotationError, match="a.png: the value 2 has the color of 'background'"
    ):
        list(read_annotations(masks))


VALUES = {(0, 0, 0): 'background', (250, 50, 83): 'cat', (36, 179, 83): 'dog'}


def test_values_name_colors(masks):
    (masks.parent / 'labelmap.txt').unlink()
    (annotation,) = read_annotations(masks, values=VALUES)
    assert annotation.dense.classes == ('background', 'cat', 'dog')
    assert np.array_equal(annotation.dense.labels, IDS)
    values = {**VALUES, (250, 50, 83): 'void', (36, 179, 83): 'unlabeled'}
    (other,) = read_annotations(masks, values=values, classes=('background', 'cat'))
    assert np.array_equal(other.dense.labels, np.array([0, 255, 254])[IDS])
    (mask,) = masks_of_folder(
        masks, classes=('background', 'dog', 'cat'), values=VALUES
    )
    assert np.array_equal(mask.read(), np.array([0, 2, 1])[IDS])


def test_values_come_before_the_file(masks):
    values = {**VALUES, (36, 179, 83): 'cat'}
    (annotation,) = read_annotations(masks, values=values)
    assert np.array_equal(annotation.dense.labels, np.array([0, 1, 1])[IDS])


def test_values_that_do_not_fit_the_masks(masks):
    with pytest.raises(AnnotationError, match=r'\(36, 179, 83\).* not in --values'):
        list(read_annotations(masks, values={(0, 0, 0): 'cat', (250, 50, 83): 'dog'}))
    with pytest.raises(AnnotationError, match='either numbers or colors'):
        list(read_annotations(masks, values={**VALUES, 3: 'cat'}))
    with pytest.raises(AnnotationError, match="'dog' by --values, which is none of"):
        list(read_annotations(masks, values=VALUES, classes=('background', 'cat')))
    Image.fromarray(IDS.astype(np.uint8)).save(masks / 'a.png')
    with pytest.raises(AnnotationError, match='no picture in colors, but --values'):
        list(read_annotations(masks, values=VALUES))


@pytest.mark.parametrize(
    'text', ['1,2=cat', '1,2,x=cat', '1,2,256=cat', '1,2,3=', '=cat']
)
def test_malformed_values(text):
    with pytest.raises(AnnotationError, match='expected VALUE=CLASS'):
        parse_values([text])
    assert parse_values(['1, 2, 3=cat', '0,0,0=void']) == {
        (1, 2, 3): 'cat',
        (0, 0, 0): 'void',
    }
