"""Each kind of mistake is found, and clean annotations give no finding."""

import re

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.check import Finding, check_annotations, grouped
from mmseg_spml.annotations.model import Box, Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

CLASSES = ('background', 'cat', 'dog')


def annotated(name='a.jpg', size=(4, 6), **parts):
    return WeakAnnotation(name, *size, **parts)


def clean(name='a.jpg', **parts):
    shapes = [Point('background', 0.5, 0.5), Point('cat', 3, 2), Point('dog', 5, 3)]
    return annotated(name, points=shapes, **parts)


def found(*annotations, **options):
    report = check_annotations(annotations, CLASSES, **options)
    return [str(finding) for finding in report.findings], report.failed


def test_nothing_wrong():
    assert found(clean(), clean('b.jpg')) == ([], False)


@pytest.mark.parametrize(
    'annotation, what',
    [
        (
            clean(boxes=[Box('cow', 0, 0, 1, 1)]),
            r"error: a.jpg: 'cow' is none of the classes .*: rename or add it",
        ),
        (clean(absent={'cat'}), r"error: a.jpg: the tags exclude \['cat'\]"),
        (clean(boxes=[Box('cat', 3, 0, 7, 2)]), 'box of .cat. reaches out'),
        (clean(boxes=[Box('cat', 6, 0, 7, 2)]), 'box of .cat. lies outside'),
        (clean(strokes=[Stroke('cat', [(-3, 1), (-2, 1)])]), 'stroke .* lies outside'),
        (
            clean(polygons=[Polygon('dog', [[(0, 4), (5, 4), (5, 9)]])]),
            'polygon .* lies outside',
        ),
        (
            clean(dense=DenseMap(['cat'], np.full((4, 6), 255, np.uint8))),
            '100 % of its dense map is void',
        ),
    ],
)
def test_one_thing_wrong(annotation, what):
    findings, failed = found(annotation, clean('b.jpg'))
    assert len(findings) == 1
    assert re.search(what, findings[0]), findings
    assert failed == findings[0].startswith('error')


def test_shapes_that_end_on_the_border_are_inside():
    whole = [(0, 0), (6, 0), (6, 4), (0, 4)]
    annotation = clean(
        boxes=[Box('cat', 0, 0, 6, 4)], polygons=[Polygon('cat', [whole])]
    )
    assert found(annotation, clean('b.jpg')) == ([], False)


def test_an_image_of_which_nothing_is_known():
    findings, failed = found(clean(), annotated('b.jpg'))
    assert findings == ['warning: b.jpg: nothing is known of it']
    assert not failed


def test_a_foreign_class_spoils_no_counts():
    strokes = [Stroke('background', [(1, 1)]), Stroke('cat', [(4, 2)])]
    odd = clean(strokes=strokes, boxes=[Box('cow', 0, 0, 1, 1)], tags={'dog'})
    report = check_annotations([odd], CLASSES)
    assert [finding.level for finding in report.findings] == ['error']
    assert report.counts['cat', 'strokes'] == report.counts['dog', 'tags'] == 1
    assert report.pixels['cat'] > 0


def test_shapes_that_are_there_twice():
    mask = np.zeros((4, 6), bool)
    mask[1, 1] = True
    odd = clean(
        boxes=[Box('cat', 0, 0, 2, 2), Box('cat', 0, 0, 2, 2), Box('dog', 0, 0, 2, 2)],
        masks=[Mask('dog', mask), Mask('dog', mask.copy()), Mask('dog', ~mask)],
    )
    found = [f.what for f in check_annotations([odd], CLASSES).findings]
    assert "a box of 'cat' is there 2 times" in found
    assert "a mask of 'dog' is there 2 times" in found
    assert sum('times' in what for what in found) == 2


def test_images_listed_twice():
    findings, failed = found(clean(), clean())
    assert findings == ['error: a.jpg: is listed twice: merge its annotations']
    assert failed


def test_classes_and_background_that_are_never_marked():
    findings, _ = found(annotated(points=[Point('cat', 1, 1)]))
    assert findings == [
        "warning: a.jpg: no pixel of 'background' is marked",
        "warning: 'background' is marked nowhere: the class cannot be learned",
        "warning: 'dog' is marked nowhere: the class cannot be learned",
        "warning: no pixel of 'background' is labeled in any image: everything will "
        'be taken for an object',
    ]
    # Complete boxes make all other pixels background.
    boxes = [Box('cat', 0, 0, 2, 2), Box('dog', 2, 2, 3, 3)]
    assert found(annotated(boxes=boxes, boxes_complete=True)) == ([], False)


def test_images_are_opened(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('a', 'b'):
        noise = rng.integers(0, 255, (4, 6, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f'{name}.png')
    (tmp_path / 'c.png').write_bytes((tmp_path / 'a.png').read_bytes())
    (tmp_path / 'd.png').write_bytes(b'no picture')
    names = ('a.png', 'b.png', 'c.png', 'd.png', 'e.png')
    wrong = annotated('b.png', (5, 6), points=clean().points)
    annotations = [wrong if name == 'b.png' else clean(name) for name in names]
    findings, failed = found(*annotations, images=tmp_path)
    assert failed
    assert findings[0] == 'error: b.png: is 4x6, its annotation 5x6 (height x width)'
    assert findings[1] == 'warning: c.png: is the same picture as a.png'
    assert 'error: d.png: the image' in findings[2]
    assert 'error: e.png: there is no such image in the folder' in findings[3]
    assert len(findings) == 4


def test_turned_photographs(tmp_path):
    """Sizes are those of the upright picture, which training loads."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.jpg', exif=exif)
    upright = annotated(size=(6, 4), points=clean().points[:1])
    findings, _ = found(upright, images=tmp_path)
    assert not any('height x width' in finding for finding in findings)
    assert 'warning: a.jpg: is turned by 90 degrees by its Exif' in findings[-3]
    findings, failed = found(clean(), images=tmp_path)
    assert failed and 'is 6x4, its annotation 4x6' in findings[0]


@pytest.mark.parametrize('orientation, what', [(3, '180 degrees'), (2, 'mirrored')])
def test_turns_that_keep_the_size_are_pointed_out(tmp_path, orientation, what):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.jpg', exif=exif)
    findings, failed = found(clean(), images=tmp_path)
    assert not failed and what in findings[0] and len(findings) == 1
    exif[0x0112] = 1
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.jpg', exif=exif)
    assert found(clean(), images=tmp_path) == ([], False)


def test_findings_that_images_share_are_joined():
    one = Finding('warning', 'a.jpg', 'is gray')
    assert grouped([one] * 5) == [str(one)]
    many = [Finding('warning', f'{name}.jpg', 'is gray') for name in 'aabbcd']
    assert grouped([*many, Finding('error', None, 'so')]) == [
        'warning: 4 images: is gray; first: a.jpg',
        'error: so',
    ]


def test_images_in_the_folder_above(tmp_path):
    (tmp_path / 'JPEGImages').mkdir()
    Image.new('RGB', (6, 4)).save(tmp_path / 'JPEGImages/a.jpg')
    findings, failed = found(clean('JPEGImages/a.jpg'), images=tmp_path / 'JPEGImages')
    assert failed and f'give the folder above it, {tmp_path}' in findings[0]


def test_no_image_at_all():
    findings, failed = found()
    assert failed and findings[0] == 'error: there is no image'


def test_counts():
    mask = np.zeros((4, 6), bool)
    mask[0, :3] = True
    first = annotated(tags={'cat'}, masks=[Mask('cat', mask), Mask(None, ~mask)])
    second = annotated('b.jpg', points=[Point('dog', 1, 1), Point('dog', 2, 1)])
    report = check_annotations([first, second], CLASSES)
    assert report.counts == {
        ('cat', 'tags'): 1,
        ('cat', 'masks'): 1,
        ('dog', 'points'): 1,
    }
    assert report.pixels['cat'] == 3
    assert report.total_pixels == 48
    table = report.table(CLASSES).splitlines()
    assert table[2].split() == ['cat', '1', '0', '0', '0', '0', '1', '0', '6.250', '%']


def test_a_misspelling_in_many_images_is_one_line():
    labels = [('dgo', 'cow'), ('dgo',), ('dgo', 'cat'), ('dgo',)]
    many = [
        WeakAnnotation(f'{n}.jpg', 9, 9, points=[Point(name, 4, 4) for name in names])
        for n, names in enumerate(labels)
    ]
    report = check_annotations(many, ('background', 'cat', 'dog'))
    lines = [line for line in grouped(report.findings) if 'none of' in line]
    assert len(lines) == 2
    (line,) = [line for line in lines if 'dgo' in line]
    assert line.startswith("error: 4 images: 'dgo' is none of the classes")
    assert "did you mean 'dog'? rename or add it" in line


def test_more_classes_than_a_label_map_holds():
    weak = WeakAnnotation('a.png', 3, 3, boxes=[Box('c1', 0, 0, 2, 2)])
    report = check_annotations([weak], [f'c{number}' for number in range(300)])
    assert (
        'at most 254 classes' in [f.what for f in report.findings if f.image is None][0]
    )
