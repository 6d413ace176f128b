"""ScribbleSup's XML: exact pixels of strokes, and files that must not crash."""

import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import scribblesup, voc_xml
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap

# The data set is not at hand. This is the layout that its own reader (readspots.m of
# the release) and published readers expect: filename, size, segmented, and polygons of
# a tag and whole numbers X, Y, some of them outside of the image.
SCRIBBLES = """<annotation>
  <folder>VOC2012</folder>
  <filename>2007_000032.jpg</filename>
  <size>
    <width>500</width>
    <height>281</height>
    <depth>3</depth>
  </size>
  <segmented>1</segmented>
  <polygon>
    <tag>plane</tag>
    <point>
      <X>110</X>
      <Y>120</Y>
    </point>
    <point>
      <X>370</X>
      <Y>131</Y>
    </point>
    <point>
      <X>500</X>
      <Y>-2</Y>
    </point>
  </polygon>
  <polygon>
    <tag>person</tag>
    <point>
      <X>204</X>
      <Y>190</Y>
    </point>
  </polygon>
  <polygon>
    <tag>background</tag>
    <point>
      <X>0</X>
      <Y>0</Y>
    </point>
    <point>
      <X>499</X>
      <Y>280</Y>
    </point>
  </polygon>
</annotation>
"""
SMALL = (
    '<annotation><filename>a.png</filename><size><width>6</width><height>4</height>'
    '</size><polygon><tag>cat</tag><point><X>1</X><Y>2</Y></point></polygon>'
    '</annotation>'
)
SIZE = SMALL[SMALL.index('<size>') : SMALL.index('<polygon>')]


def saved(folder, text, name='a.xml'):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_text(folder, text, **options):
    return list(scribblesup.read(saved(folder, text), **options))


def test_a_file_as_the_reader_of_the_release_expects_it(tmp_path):
    assert read_text(tmp_path, SCRIBBLES) == [
        WeakAnnotation(
            '2007_000032.jpg',
            281,
            500,
            strokes=[
                # (500, -2) lies outside: the nearest pixel inside is (499, 0)
                Stroke('plane', ((110.5, 120.5), (370.5, 131.5), (499.5, 0.5))),
                Stroke('person', ((204.5, 190.5),)),
                Stroke('background', ((0.5, 0.5), (499.5, 280.5))),
            ],
        )
    ]


def test_pixels_are_those_of_readspots(tmp_path):
    rng = random.Random(0)
    height, width = 4, 6
    points = [(rng.randint(-3, 9), rng.randint(-3, 9)) for _ in range(50)]
    inner = ''.join(f'<point><X>{x}</X><Y>{y}</Y></point>' for x, y in points)
    text = SMALL.replace('<point><X>1</X><Y>2</Y></point>', inner)
    (annotation,) = read_text(tmp_path, text)
    for (x, y), (read_x, read_y) in zip(points, annotation.strokes[0].path):
        # readspots.m uses x = max(min(X + 1, w), 1), so that the center of the first
        # pixel is 1 and the pixel covers [0.5, 1.5).
        assert read_x == max(min(x + 1, width), 1) - 0.5
        assert read_y == max(min(y + 1, height), 1) - 0.5


def test_without_a_size_the_image_is_asked(tmp_path):
    text = SMALL.replace(SIZE, '')
    images = tmp_path / 'images'
    images.mkdir()
    with pytest.raises(FileNotFoundError, match='a.xml: there is no image .*a.png'):
        read_text(tmp_path, text, images=images)
    Image.new('L', (6, 4)).save(images / 'a.png')
    stroke = Stroke('cat', ((1.5, 2.5),))
    expected = [WeakAnnotation('a.png', 4, 6, strokes=[stroke])]
    assert read_text(tmp_path, text, images=images) == expected
    with pytest.raises(AnnotationError, match='--images'):
        read_text(tmp_path, text)
    (images / 'a.png').write_bytes(b'no image')
    with pytest.raises(AnnotationError, match='a.png cannot be read'):
        read_text(tmp_path, text, images=images)


def test_no_image_outside_of_the_folder_is_read(tmp_path):
    Image.new('L', (6, 4)).save(tmp_path / 'a.png')
    text = SMALL.replace(SIZE, '').replace('a.png', '../a.png')
    with pytest.raises(AnnotationError, match='leads out'):
        read_text(tmp_path, text, images=tmp_path / 'images')


def test_written_files_are_read_back(tmp_path):
    annotations = [
        WeakAnnotation(
            'a.jpg',
            4,
            6,
            strokes=[
                Stroke('cat', ((0.5, 0.5), (5.5, 3.5), (0.5, 3.5))),
                Stroke('background', ((2.5, 1.5),)),
            ],
        ),
        WeakAnnotation('b/c.jpg', 4, 6),
    ]
    assert scribblesup.write(annotations, tmp_path / 'out') == 0
    assert list(scribblesup.read(tmp_path / 'out')) == annotations


def test_what_cannot_be_written_is_counted(tmp_path):
    annotation = WeakAnnotation(
        'a.jpg',
        2,
        3,
        tags={'cat', 'dog'},
        absent={'car'},
        boxes=[Box('dog', 0, 0, 1, 1)],
        points=[Point('dog', 0, 0)],
        strokes=[Stroke('cat', ((1.9, 0.2),), width=3), Stroke(None, ((0, 0),))],
        dense=DenseMap(('cat',), np.zeros((2, 3), np.uint8)),
    )
    # These are a box, a point, a void stroke, a dense map, the tag dog, and the absent
    # class car.
    assert scribblesup.write([annotation], tmp_path / 'out') == 4 + 1 + 1
    (read,) = scribblesup.read(tmp_path / 'out')
    assert read.strokes == [Stroke('cat', ((1.5, 0.5),))]
    (read,) = [path.read_text() for path in (tmp_path / 'out').iterdir()]
    assert '<X>1</X>' in read


X = '<X>1<'
MALFORMED = {
    'empty': ('', 'malformed'),
    'cut off': (SMALL[:-9], 'malformed'),
    'entities': ('<!DOCTYPE a [<!ENTITY a "b">]><annotation/>', 'malformed'),
    'other root': ('<svg/>', 'expected the root'),
    'objects': (SMALL.replace(SIZE, SIZE + '<object/>'), 'object.0..*voc_xml'),
    'no name': (SMALL.replace('filename', 'file'), 'filename'),
    'name leads out': (SMALL.replace('a.png', 'c:/a.png'), 'leads out'),
    'two sizes': (SMALL.replace(SIZE, SIZE + SIZE), 'size'),
    'height': (SMALL.replace('>4<', '>-4<'), 'size: the height'),
    'no tag': (SMALL.replace('tag>', 'name>'), 'polygon.0., tag'),
    'no points': (SMALL.replace('point>', 'pt>'), 'polygon.0.: a stroke needs'),
    'no X': (SMALL.replace('X>', 'x>'), 'polygon.0., point.0., X'),
    'X text': (SMALL.replace(X, '<X>one<'), 'polygon.0., point.0., X: expected'),
    'X nan': (SMALL.replace(X, '<X>nan<'), 'polygon.0., point.0., X: expected'),
    'X huge': (SMALL.replace(X, '<X>1e9<'), 'polygon.0., point.0., X: 10+.0 is far'),
    'X infinite': (SMALL.replace(X, '<X>1e999<'), 'point.0., X: inf is far'),
    'Y twice': (SMALL.replace('<Y>', '<Y>1</Y><Y>'), 'polygon.0., point.0., Y'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_malformed_files_are_named_with_the_place(tmp_path, case):
    text, problem = MALFORMED[case]
    with pytest.raises(AnnotationError, match=problem) as caught:
        read_text(tmp_path, text)
    assert str(tmp_path / 'a.xml') in str(caught.value)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        list(scribblesup.read(tmp_path / 'none'))


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (SCRIBBLES, True),
        (SMALL, True),
        (SMALL.replace(SIZE, ''), True),
        (SMALL.replace(SIZE, '<object><bndbox/></object>'), False),
        ('<annotation><filename/><size/></annotation>', False),
        ('<annotation><polygon><pt><x>1</x></pt></polygon></annotation>', False),
        ('', False),
    ],
)
def test_only_files_of_this_format_are_recognized(tmp_path, text, expected):
    path = saved(tmp_path, text)
    assert scribblesup.recognizes(path, text.encode()) is expected
    assert scribblesup.recognizes(tmp_path, b'') is expected
    assert not (expected and voc_xml.recognizes(path, text.encode()))


JUNK = ('', 'nan', '-1e400', '9' * 5000, '../..', '<b/>', '&x;', '\x00', '1e-999', '-7')


def mutated(text, seed):
    """Return the bytes of a text with replaced, doubled and lost parts."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        gaps = [i + 1 for i, character in enumerate(text) if character == '>']
        start, other = rng.choice(gaps), rng.choice(gaps)
        end = text.find('<', start)
        if rng.random() < 0.6 and end >= 0:
            text = text[:start] + rng.choice(JUNK) + text[end:]
        else:
            text = text[: max(start, other)] + text[min(start, other) :]
    data = bytearray(text.encode())
    if rng.random() < 0.3:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_mutated_files_give_annotations_or_an_annotation_error(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp('mutated')
    path = saved(folder, mutated(SCRIBBLES, seed))
    scribblesup.recognizes(path, path.read_bytes())
    try:
        annotations = list(scribblesup.read(path, images=folder))
    except (
        AnnotationError,
        FileNotFoundError,
    ) as error:  # no size: an image is missing
        assert str(path) in str(error)
    else:
        assert all(isinstance(a, WeakAnnotation) for a in annotations)
