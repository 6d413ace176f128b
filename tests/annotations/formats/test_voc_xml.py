"""PASCAL VOC XML: exact pixels of boxes, and files that must not crash."""

import random
import time

import numpy as np
import pytest
from annotations.formats.voc_xml_files import LAYOUT, VOC2012, WRITER
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import voc_xml
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

SMALL = (
    '<annotation><filename>a.jpg</filename><size><width>6</width><height>4</height>'
    '<depth>3</depth></size><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2'
    '</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>'
)


def saved(folder, text, name='a.xml'):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_text(folder, text):
    return list(voc_xml.read(saved(folder, text)))


def test_a_file_of_the_release(tmp_path):
    assert read_text(tmp_path, VOC2012) == [
        WeakAnnotation(
            '2007_000032.jpg',
            281,
            500,
            boxes=[
                Box('aeroplane', 103, 77, 375, 183),
                Box('aeroplane', 132, 87, 197, 123),
                Box('person', 194, 179, 213, 229),
                Box('person', 25, 188, 44, 238),
            ],
        )
    ]


def test_fractions_are_kept_difficult_is_a_box_and_parts_are_none(tmp_path):
    (annotation,) = read_text(tmp_path, LAYOUT)
    assert annotation.boxes == [Box('person', 303.1916, 117.2635, 482.0359, 500)]


def test_a_file_of_another_tool(tmp_path):
    assert read_text(tmp_path, WRITER) == [
        WeakAnnotation('img.jpg', 598, 800, boxes=[Box('cat', 99, 99, 200, 200)])
    ]


def test_the_folder_of_the_image(tmp_path):
    """An image in a subfolder; a folder that is not below the images does not count."""
    for name in ('a.jpg', 'cam2/a.jpg'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (6, 4)).save(path)
    for folder, wanted in (('cam2', 'cam2/a.jpg'), ('VOC2012', 'a.jpg'), ('', 'a.jpg')):
        text = SMALL.replace('<filename>', f'<folder>{folder}</folder><filename>')
        (found,) = voc_xml.read(saved(tmp_path, text), images=tmp_path / 'images')
        assert found.image == wanted


def test_the_first_pixel_is_1_and_the_last_is_inside(tmp_path):
    text = SMALL
    for name, value in {'xmin': 1, 'ymin': 1, 'xmax': 6, 'ymax': 4}.items():
        start, end = text.index(f'<{name}>'), text.index(f'</{name}>')
        text = f'{text[:start]}<{name}>{value}{text[end:]}'
    (annotation,) = read_text(tmp_path, text)
    assert annotation.boxes == [Box('cat', 0, 0, 6, 4)]
    one_pixel = text.replace('<xmax>6', '<xmax>1').replace('<ymax>4', '<ymax>1')
    (annotation,) = read_text(tmp_path, one_pixel)
    assert annotation.boxes == [Box('cat', 0, 0, 1, 1)]


def test_a_folder_is_read_in_order_and_recognized(tmp_path):
    saved(tmp_path, SMALL.replace('a.jpg', 'b.jpg'), 'b.xml')
    saved(tmp_path, SMALL)
    (tmp_path / 'readme.txt').write_text('no annotation')
    assert [a.image for a in voc_xml.read(tmp_path)] == ['a.jpg', 'b.jpg']
    assert voc_xml.recognizes(tmp_path, b'')


def test_written_files_are_read_back_exactly(tmp_path):
    annotations = [
        WeakAnnotation(
            'a.jpg',
            4,
            6,
            boxes=[Box('cat', 0.1, -0.3, 5.7, 1e-9), Box('R&D <"Łódź">', 0, 1, 2, 3)],
        ),
        WeakAnnotation('sub/b.c.png', 9, 9, boxes=[Box('cat', 1e6 - 1, 1, 1e6, 7)]),
        WeakAnnotation('z.jpg', 65_535, 1),
    ]
    assert voc_xml.write(annotations, tmp_path / 'out') == 0
    assert (tmp_path / 'out/sub/b.c.xml').exists()
    assert list(voc_xml.read(tmp_path / 'out')) == annotations


@settings(max_examples=50, deadline=None, derandomize=True)
@given(x=st.floats(-1e4, 1e4), y=st.floats(-1e4, 1e4), side=st.floats(0.01, 1e4))
def test_any_box_is_read_back(tmp_path_factory, x, y, side):
    # Decimals of 28 digits hold any float of 1e-11 or more.
    x, y = round(x, 9), round(y, 9)
    folder = tmp_path_factory.mktemp('boxes')
    annotation = WeakAnnotation('a.jpg', 4, 6, boxes=[Box('c', x, y, x + side, y + 1)])
    voc_xml.write([annotation], folder)
    assert list(voc_xml.read(folder)) == [annotation]


def test_what_cannot_be_written_is_counted(tmp_path):
    annotation = WeakAnnotation(
        'a.jpg',
        2,
        3,
        tags={'cat', 'dog', 'cow'},
        absent={'car'},
        boxes=[Box('cat', 0, 0, 1, 1), Box(None, 0, 0, 1, 1)],
        points=[Point('dog', 0, 0)],
        strokes=[Stroke('cat', ((0, 0),))],
        polygons=[Polygon('cat', (((0, 0), (1, 0), (1, 1)),))],
        masks=[Mask('cat', np.ones((2, 3), bool))],
        dense=DenseMap(('cat',), np.zeros((2, 3), np.uint8)),
    )
    # These are the void box, five other shapes, the tags dog and cow, and no car.
    assert voc_xml.write([annotation], tmp_path / 'out') == 1 + 5 + 2 + 1
    (read,) = voc_xml.read(tmp_path / 'out')
    assert read == WeakAnnotation('a.jpg', 2, 3, boxes=[Box('cat', 0, 0, 1, 1)])


@pytest.mark.parametrize(
    ('annotations', 'problem'),
    [
        ([WeakAnnotation('a.jpg', 2, 3), WeakAnnotation('a.png', 2, 3)], 'share'),
        ([WeakAnnotation('a\x01.jpg', 2, 3)], 'rename'),
        ([WeakAnnotation('a', 2, 3, boxes=[Box(' cat', 0, 0, 1, 1)])], 'rename'),
        ([WeakAnnotation('a', 2, 3, boxes=[Box('c\x01', 0, 0, 1, 1)])], 'rename'),
    ],
)
def test_names_that_files_cannot_have_are_refused(tmp_path, annotations, problem):
    with pytest.raises(AnnotationError, match=problem):
        voc_xml.write(annotations, tmp_path / 'out')


def test_one_file_is_no_target(tmp_path):
    with pytest.raises(AnnotationError, match='give a folder'):
        voc_xml.write([WeakAnnotation('a.jpg', 2, 3)], tmp_path / 'a.xml')


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    '<annotation><filename>&b;</filename></annotation>'
)
SCRIBBLE = '<polygon><tag>cat</tag><point><X>1</X><Y>1</Y></point></polygon>'
WIDTH, XMIN = '<width>6<', '<xmin>1<'
MALFORMED = {
    'empty': ('', 'malformed'),
    'cut off': (SMALL[:-20], 'malformed'),
    'entities': (BOMB, 'malformed'),
    'not UTF-8': (SMALL.encode().replace(b'cat', b'c\xff'), 'malformed'),
    'unknown encoding': ('<?xml version="1.0" encoding="x"?>' + SMALL, 'malformed'),
    'other codec': ('<?xml version="1.0" encoding="hex"?>' + SMALL, 'malformed'),
    'other root': ('<annotations/>', 'expected the root'),
    'scribbles': (SMALL.replace('<object>', SCRIBBLE + '<object>'), 'polygon.0.'),
    'no name': (SMALL.replace('filename', 'file'), 'filename'),
    'blank name': (SMALL.replace('>a.jpg<', '> <'), 'filename'),
    'name leads out': (SMALL.replace('a.jpg', '../a.jpg'), 'leads out'),
    'absolute name': (SMALL.replace('a.jpg', '/etc/a.jpg'), 'leads out'),
    'no size': (SMALL.replace('size>', 'sizes>'), 'size'),
    'no width': (SMALL.replace('width>', 'w>'), 'width'),
    'width 0': (SMALL.replace(WIDTH, '<width>0<'), 'size: states no size'),
    'width 1.5': (SMALL.replace(WIDTH, '<width>1.5<'), 'size: the width'),
    'width 1e999': (SMALL.replace(WIDTH, '<width>1e999<'), 'size: the width'),
    'width text': (SMALL.replace(WIDTH, '<width>six<'), 'width: expected a number'),
    'width long': (SMALL.replace(WIDTH, f'<width>{"9" * 9999}<'), 'width: expected'),
    'width nan': (SMALL.replace(WIDTH, '<width>nan<'), 'width: expected a number'),
    'no label': (SMALL.replace('<name>cat</name>', ''), 'object.0., name'),
    'empty label': (SMALL.replace('>cat<', '><'), 'object.0., name'),
    'no box': (SMALL.replace('bndbox', 'robndbox'), 'object.0., bndbox.*robndbox'),
    'xmin nan': (SMALL.replace(XMIN, '<xmin>NaN<'), 'object.0., xmin'),
    'xmin inf': (SMALL.replace(XMIN, '<xmin>-inf<'), 'object.0., xmin'),
    'xmin spaced': (SMALL.replace(XMIN, '<xmin>1_0<'), 'object.0., xmin'),
    'xmin Arabic': (SMALL.replace(XMIN, '<xmin>\u0661<'), 'object.0., xmin'),
    'xmin huge': (SMALL.replace(XMIN, '<xmin>-1e300<'), 'object.0.: a coordinate'),
    'xmin exponent': (SMALL.replace(XMIN, '<xmin>1e9999<'), 'object.0., xmin'),
    'xmin nested': (SMALL.replace(XMIN, '<xmin>1<b/><'), 'object.0., xmin'),
    'xmin twice': (SMALL.replace(XMIN, '<xmin>1</xmin><xmin>2<'), 'object.0., xmin'),
    'no xmin': (SMALL.replace('xmin', 'x'), 'object.0., xmin'),
    'reversed': (SMALL.replace(XMIN, '<xmin>5<'), 'object.0.: a box needs'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_malformed_files_are_named_with_the_place(tmp_path, case):
    text, problem = MALFORMED[case]
    with pytest.raises(AnnotationError, match=problem) as caught:
        read_text(tmp_path, text)
    assert str(tmp_path / 'a.xml') in str(caught.value)


def test_a_missing_file_and_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.xml'):
        list(voc_xml.read(tmp_path / 'none.xml'))
    with pytest.raises(AnnotationError, match='no .xml file'):
        list(voc_xml.read(tmp_path))


def test_long_and_deep_files_end_soon(tmp_path):
    start = time.perf_counter()
    for text in (
        '<annotation>' * 100_000,
        SMALL.replace('>1<', f'>{"1" * 500_000}x<'),
        SMALL.replace('>1<', f'>{"<b>" * 50_000}{"</b>" * 50_000}<'),
    ):
        with pytest.raises(AnnotationError):
            read_text(tmp_path, text)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (VOC2012, True),
        (LAYOUT, True),
        (SMALL[: SMALL.index('<object>')] + '</annotation>', True),
        (SMALL.replace('<annotation>', '<annotation verified="yes">'), True),
        (SMALL.replace('bndbox', 'polygon'), False),
        ('<annotations><image/></annotations>', False),
        (f'<annotation><filename/><size/>{SCRIBBLE}</annotation>', False),
        ('<annotation/>', False),
        ('', False),
    ],
)
def test_only_files_of_this_format_are_recognized(tmp_path, text, expected):
    path = saved(tmp_path, text)
    assert voc_xml.recognizes(path, text.encode()) is expected
    assert voc_xml.recognizes(tmp_path, b'') is expected
    assert not voc_xml.recognizes(tmp_path / 'a.txt', text.encode())


def test_an_empty_folder_is_not_recognized(tmp_path):
    assert not voc_xml.recognizes(tmp_path, b'')


JUNK = ('', 'nan', '-1e400', '9' * 5000, '../..', '<b/>', '&x;', '\x00', '1e-999', '-7')


def mutated(text, seed):
    """Return the bytes of a text with replaced, doubled and lost parts."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        gaps = [i + 1 for i, character in enumerate(text) if character == '>']
        start = rng.choice(gaps)
        end = text.find('<', start)
        kind = rng.randrange(4)
        if kind < 2 and end >= 0:
            text = text[:start] + rng.choice(JUNK) + text[end:]
        elif kind == 2:
            other = rng.choice(gaps)
            text = text[: max(start, other)] + text[min(start, other) :]
    data = bytearray(text.encode())
    if rng.random() < 0.3:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_mutated_files_give_annotations_or_an_annotation_error(tmp_path_factory, seed):
    path = saved(tmp_path_factory.mktemp('mutated'), mutated(VOC2012, seed))
    voc_xml.recognizes(path, path.read_bytes())
    try:
        annotations = list(voc_xml.read(path))
    except AnnotationError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(a, WeakAnnotation) for a in annotations)
