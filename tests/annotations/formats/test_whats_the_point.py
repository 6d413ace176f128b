"""Clicks of "What's the Point": exact pixels, and files that must not crash."""

import copy
import json
import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import whats_the_point
from mmseg_spml.annotations.model import AnnotationError, Box, Point, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap

# The data are not at hand. This is the layout in their README: ids of PASCAL VOC 2012
# images, and clicks with x and y from 0, cls 1-20 in alphabetical order, and a rank.
CLICKS = """{"2007_000032": [{"y": 131, "x": 241, "cls": 1, "rank": 1},
 {"y": 205, "x": 204, "cls": 15, "rank": 1}, {"y": 212, "x": 35, "cls": 15, "rank": 2}],
 "2007_000027": [], "2007_000033": [{"y": 0, "x": 0, "cls": 20, "rank": 1}]}"""
SIZES = {
    '2007_000032': (500, 281),
    '2007_000027': (486, 500),
    '2007_000033': (500, 366),
}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    for name, size in SIZES.items():
        Image.new('L', size).save(folder / f'{name}.jpg')
    for name in ('a.jpg', 'b.png'):
        Image.new('L', (6, 4)).save(folder / name)
    (folder / 'broken.jpg').write_bytes(b'no image')
    return folder


def saved(folder, content):
    path = folder / 'clicks.json'
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def click(**changes):
    values = {'x': 1, 'y': 2, 'cls': 8, 'rank': 1, **changes}
    return {key: value for key, value in values.items() if value is not ...}


def test_a_file_as_the_readme_describes_it(tmp_path, images):
    path = saved(tmp_path, CLICKS)
    assert list(whats_the_point.read(path, images=images)) == [
        WeakAnnotation(
            '2007_000032.jpg',
            281,
            500,
            points=[
                Point('aeroplane', 241.5, 131.5),
                Point('person', 204.5, 205.5),
                Point('person', 35.5, 212.5),
            ],
        ),
        WeakAnnotation('2007_000027.jpg', 500, 486),
        WeakAnnotation(
            '2007_000033.jpg', 366, 500, points=[Point('tvmonitor', 0.5, 0.5)]
        ),
    ]


def test_other_classes_other_suffixes_fractions_and_clicks_outside(tmp_path, images):
    clicks = [
        click(cls=1, x=2.9, y=3.0, rank=...),
        click(cls=2, x=99, y=-1),
        click(cls=0),
    ]
    path = saved(tmp_path, {'b': clicks})
    names = ('rest', 'road', 'car')
    (annotation,) = whats_the_point.read(path, images=images, classes=names)
    # Published readers take the pixel int(2.9).
    points = [
        Point('road', 2.5, 3.5),
        Point('car', 99.5, -0.5),
        Point('rest', 1.5, 2.5),
    ]
    assert annotation == WeakAnnotation('b.png', 4, 6, points=points)


@pytest.mark.parametrize('name', ['c.JPG', 'd.tif', 'e.Jpeg', 'f/g.bmp'])
def test_images_of_any_suffix_are_read_back(tmp_path, name):
    (tmp_path / 'f').mkdir()
    Image.new('RGB', (6, 4)).save(tmp_path / name, format='PNG')
    one = WeakAnnotation(name, 4, 6, points=[Point('cat', 1.5, 2.5)])
    whats_the_point.write([one], tmp_path / 'x.json')
    assert list(whats_the_point.read(tmp_path / 'x.json', images=tmp_path)) == [one]


def test_written_files_are_read_back(tmp_path, images):
    annotations = [
        WeakAnnotation(
            'b.png',
            4,
            6,
            points=[
                Point('dog', 0.5, 0.5),
                Point('cat', 5.5, 3.5),
                Point('dog', 2.5, 1.5),
            ],
        ),
        WeakAnnotation('a.jpg', 4, 6),
    ]
    path = tmp_path / 'out.json'
    assert whats_the_point.write(annotations, path) == 0
    assert list(whats_the_point.read(path, images=images)) == annotations
    assert json.loads(path.read_text())['b'][2] == {
        'x': 2,
        'y': 1,
        'cls': 12,
        'rank': 2,
    }
    assert whats_the_point.recognizes(path, path.read_bytes())


def test_a_click_is_written_as_the_pixel_that_it_fell_on(tmp_path, images):
    path = tmp_path / 'out.json'
    annotation = WeakAnnotation('a.jpg', 4, 6, points=[Point('cat', 2.0, 1.99)])
    whats_the_point.write([annotation], path)
    (read,) = whats_the_point.read(path, images=images)
    assert read.points == [Point('cat', 2.5, 1.5)]


def test_what_cannot_be_written_is_counted(tmp_path, images):
    annotation = WeakAnnotation(
        'a.jpg',
        4,
        6,
        tags={'cat', 'dog'},
        absent={'car'},
        boxes=[Box('dog', 0, 0, 1, 1)],
        points=[Point('cat', 1, 1), Point(None, 1, 1), Point('background', 1, 1)],
        dense=DenseMap(('cat',), np.zeros((4, 6), np.uint8)),
    )
    # These are a box, a void point, a dense map, the tag dog, and the absent class car.
    assert whats_the_point.write([annotation], tmp_path / 'out.json') == 3 + 1 + 1
    (read,) = whats_the_point.read(tmp_path / 'out.json', images=images)
    assert read.points == [Point('cat', 1.5, 1.5), Point('background', 1.5, 1.5)]


@pytest.mark.parametrize(
    ('annotations', 'classes', 'problem'),
    [
        ([WeakAnnotation(f'a.{s}', 4, 6) for s in ('jpg', 'png')], None, "the id 'a'"),
        (
            [WeakAnnotation('a.jpg', 4, 6, points=[Point('road', 1, 1)])],
            None,
            'a.jpg.*--classes',
        ),
        ([], ('background',), 'at least one'),
        ([], ('background', 'cat', 'cat'), 'different names'),
    ],
)
def test_what_has_no_id_is_refused(tmp_path, annotations, classes, problem):
    path = tmp_path / 'out.json'
    with pytest.raises(AnnotationError, match=problem):
        whats_the_point.write(annotations, path, classes=classes)
    assert not path.exists()


MALFORMED = {
    'empty': ('', 'no JSON'),
    'cut off': (CLICKS[:-5], 'no JSON'),
    'not UTF-8': (b'{"\xff": []}', 'no JSON'),
    'deep': ('[' * 100_000, 'no JSON'),
    'a list': ([click()], 'an object of image ids'),
    'text': ('"a"', 'an object of image ids'),
    'no list': ({'a': click()}, "'a': expected a list"),
    'key twice': ('{"a": [], "a": []}', "'a': a key of an object occurs twice"),
    'x twice': ('{"a": [{"x": 1, "x": 2}]}', "'x': a key of an object occurs twice"),
    'no object': ({'a': [[1, 2]]}, "'a', click 0: a click is"),
    'no x': ({'a': [click(), click(x=...)]}, "'a', click 1: a click is"),
    'cls -1': ({'a': [click(cls=-1)]}, "'a', click 0: cls.*got -1"),
    'cls 21': ({'a': [click(cls=21)]}, "'a', click 0: cls.*got 21"),
    'cls true': ({'a': [click(cls=True)]}, "'a', click 0: cls.*got True"),
    'cls text': ({'a': [click(cls='8')]}, "'a', click 0: cls"),
    'cls 8.5': ({'a': [click(cls=8.5)]}, "'a', click 0: cls"),
    'cls huge': ({'a': [click(cls=10**4000)]}, "'a', click 0: cls"),
    'cls too long': ('{"a": [{"x": 1, "y": 1, "cls": %s}]}' % ('9' * 9999), 'no JSON'),
    'x huge': ({'a': [click(x=10**4000)]}, "'a', click 0: x and y"),
    'x nan': ({'a': [click(x=float('nan'))]}, "'a', click 0: x and y.*got nan"),
    'y infinite': ({'a': [click(y=float('-inf'))]}, "'a', click 0: x and y"),
    'y null': ({'a': [click(y=None)]}, "'a', click 0: x and y.*got None"),
    'y list': ({'a': [click(y=[1])]}, "'a', click 0: x and y.*got list"),
    'no image': ({'broken': []}, "'broken': .*cannot be read"),
    'leads out': ({'../images0/a': []}, 'leads out'),
    'absolute': ({'/a': []}, 'leads out'),
    'NUL': ({'a\0': []}, 'an image needs a file name'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_malformed_files_are_named_with_the_place(tmp_path, images, case):
    content, problem = MALFORMED[case]
    path = saved(tmp_path, content)
    with pytest.raises(AnnotationError, match=problem) as caught:
        list(whats_the_point.read(path, images=images))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('key', ['missing', 'a' * 9999])
def test_a_missing_image_is_named_with_the_place(tmp_path, images, key):
    path = saved(tmp_path, {key: []})
    with pytest.raises(FileNotFoundError, match='there is no image') as caught:
        list(whats_the_point.read(path, images=images))
    assert f'{path}, {key[:80]!r}: ' in str(caught.value)


def test_without_images_it_says_what_to_give(tmp_path):
    with pytest.raises(AnnotationError, match="'a': .*--images"):
        list(whats_the_point.read(saved(tmp_path, {'a': []})))


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.json'):
        list(whats_the_point.read(tmp_path / 'none.json'))


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (CLICKS, True),
        ('{"a": [], "b": [], "c": [{"x": 1, "y": 1, "cls": 1, "rank": 1}, ', True),
        ({'a': [click(more=1)]}, False),
        ({'a': [click(rank=...)]}, True),
        ({'a': []}, False),
        ({'images': [{'id': 1}], 'annotations': []}, False),
        ([{'x': 1, 'y': 1, 'cls': 1, 'rank': 1}], False),
        ('{"a": [' * 9000, False),
        ('{' + '"a": [], ' * 7000, False),
        ('', False),
    ],
)
def test_only_files_of_this_format_are_recognized(tmp_path, content, expected):
    path = saved(tmp_path, content)
    head = path.read_bytes()[:65_536]
    assert whats_the_point.recognizes(path, head) is expected
    assert not whats_the_point.recognizes(tmp_path / 'clicks.txt', head)
    assert not whats_the_point.recognizes(tmp_path, b'')


JUNK = (None, True, -1, 0.5, 1e999, float('nan'), 10**400, '7', '../..', [], {}, [[1]])


def mutated(seed):
    """Return the bytes of the file with replaced values, lost keys and lost bytes."""
    rng = random.Random(seed)
    content = json.loads(CLICKS)
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(list(content))
        place = content[key]
        if isinstance(place, list) and place and rng.random() < 0.8:
            number = rng.randrange(len(place))
            if isinstance(place[number], dict) and place[number]:
                inner = rng.choice(list(place[number]))
                place[number][inner] = copy.deepcopy(rng.choice(JUNK))
            else:
                place[number] = copy.deepcopy(rng.choice(JUNK))
        elif rng.random() < 0.5:
            content[rng.choice(['', '../a', '\ud800', 'a/b'])] = place
        else:
            content[key] = copy.deepcopy(rng.choice(JUNK))
    data = bytearray(json.dumps(content).encode())
    if rng.random() < 0.3:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_mutated_files_give_annotations_or_an_annotation_error(
    tmp_path_factory, images, seed
):
    path = saved(tmp_path_factory.mktemp('mutated'), mutated(seed))
    whats_the_point.recognizes(path, path.read_bytes())
    try:
        annotations = list(whats_the_point.read(path, images=images))
    except (AnnotationError, FileNotFoundError) as error:  # an id without an image
        assert str(path) in str(error)
    else:
        assert all(isinstance(a, WeakAnnotation) for a in annotations)
