"""CVAT's XML is read as its documentation shows it; bad files are named errors."""

import math
import re

import numpy as np
import pytest
from annotations.formats.cvat_example import DISC, EXAMPLE, SKELETON
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.formats import cvat
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.functional.labels.rasterize import polygon_mask


def file_of(*elements, size='width="10" height="8"'):
    inner = ''.join(elements)
    return (
        f'<annotations><version>1.1</version><image id="0" name="a.jpg" {size}>'
        f'{inner}</image></annotations>'
    )


def read_one(folder, text):
    file = folder / 'annotations.xml'
    file.write_text(text)
    (annotation,) = cvat.read(file)
    return annotation


FULL = WeakAnnotation(
    'sub/船 & "b".jpg',
    8,
    10,
    tags={'cat', 'Łódź <&>'},
    boxes=[Box('cat', 0.1 + 0.2, 1, 9.25, 7), Box('dog', 5e-324, 0, 1, 1)],
    points=[Point('dog', 1e-5, 0.2), Point('cat', -3, 4)],
    strokes=[Stroke('cat', [(0, 0), (1, 2), (3, 4)])],
    polygons=[Polygon('cat', [[(0, 0), (5, 0), (5, 5)]])],
    masks=[
        Mask('cat', np.eye(8, 10, 2, dtype=bool)),
        Mask('dog', np.ones((8, 10), bool)),
    ],
)


def test_the_example_of_the_documentation(tmp_path):
    annotation = read_one(tmp_path, EXAMPLE)
    mask = np.zeros((1200, 1600), bool)
    rows = [[character == '#' for character in row] for row in DISC.split()]
    # Runs go on from row to row.
    counts = [int(n) for n in re.search(r'rle="([^"]*)"', EXAMPLE)[1].split(',')]
    assert [len(run) for run in re.findall(r'\.+|#+', ''.join(DISC.split()))] == counts
    mask[888:903, 707:720] = rows
    assert annotation == WeakAnnotation(
        'filename000.jpg',
        1200,
        1600,
        tags={'good_frame'},
        boxes=[Box('plate', 797.33, 870.92, 965.52, 928.94)],
        points=[
            Point('wheel', 574.90, 939.48),
            Point('wheel', 1170.16, 907.90),
            Point('wheel', 1130.69, 445.26),
            Point('wheel', 600.16, 459.48),
        ],
        strokes=[
            # The lower z_order comes first.
            Stroke('traffic_line', [(1212.40, 0), (1568.66, 1200)]),
            Stroke('traffic_line', [(462.10, 0), (126.80, 1200)]),
        ],
        polygons=[
            Polygon(
                'car',
                [
                    [
                        (561.30, 916.23),
                        (561.30, 842.77),
                        (554.72, 761.63),
                        (553.62, 716.67),
                    ]
                ],
            )
        ],
        masks=[Mask('car', mask)],
    )


def test_all_that_cvat_has_survives(tmp_path):
    file = tmp_path / 'annotations.xml'
    other = WeakAnnotation('b.jpg', 3, 4)
    assert cvat.write([FULL, other], file) == 0
    assert list(cvat.read(file)) == [FULL, other]
    assert cvat.recognizes(file, file.read_bytes())


def test_what_cvat_has_not_is_counted(tmp_path):
    triangle = [(0, 0), (5, 0), (5, 5)]
    annotation = WeakAnnotation(
        'a.jpg',
        8,
        10,
        tags={'cat', '\x01'},
        boxes=[Box(None, 1, 2, 3, 4)],
        strokes=[Stroke('cat', [(1, 2)], width=3)],
        polygons=[Polygon('cat', [triangle, triangle])],
        masks=[Mask('cat', np.zeros((8, 10), bool))],
        dense=DenseMap(('cat',), np.zeros((8, 10), np.uint8)),
    )
    file = tmp_path / 'annotations.xml'
    assert cvat.write([annotation], file) == 5
    (back,) = cvat.read(file)
    assert back == WeakAnnotation(
        'a.jpg', 8, 10, tags={'cat'}, strokes=[Stroke('cat', [(1, 2), (1, 2)])]
    )


def test_an_image_name_that_xml_cannot_hold(tmp_path):
    with pytest.raises(AnnotationError, match='cannot be written as XML'):
        cvat.write([WeakAnnotation('a\x01.jpg', 8, 10)], tmp_path / 'a.xml')
    assert list(tmp_path.iterdir()) == []


def test_a_turned_box_stays_a_box(tmp_path):
    box = '<box label="cat" xtl="2" ytl="3" xbr="6" ybr="5" rotation="{}"/>'
    assert read_one(tmp_path, file_of(box.format('0.00'))).boxes == [
        Box('cat', 2, 3, 6, 5)
    ]
    # The rotation is clockwise on the screen: the right end of a level box goes down.
    annotation = read_one(tmp_path, file_of(box.format(30)))
    assert annotation.polygons == []
    (found,) = annotation.boxes
    right = (4 + 2 * math.cos(math.pi / 6), 4 + 2 * math.sin(math.pi / 6))
    np.testing.assert_allclose(np.mean(found.outline[1:3], axis=0), right)
    upright = read_one(tmp_path, file_of(box.format(90))).boxes
    assert upright == [Box('cat', 3, 2, 5, 6)]
    for slipped in ('0.4', '359.9', '-0.7', '180.5'):
        assert read_one(tmp_path, file_of(box.format(slipped))).boxes == [
            Box('cat', 2, 3, 6, 5)
        ]


def test_an_ellipse_is_a_polygon_close_to_it(tmp_path):
    ellipse = '<ellipse label="cat" cx="50" cy="60" rx="30" ry="10" rotation="90.00"/>'
    (polygon,) = read_one(tmp_path, file_of(ellipse)).polygons
    x, y = np.transpose(polygon.rings[0])
    np.testing.assert_allclose(((x - 50) / 10) ** 2 + ((y - 60) / 30) ** 2, 1)


def test_shapes_cover_the_pixels_they_are_drawn_on(tmp_path):
    annotation = read_one(
        tmp_path,
        file_of(
            '<polygon label="cat" points="2,1;4,1;4,3;2,3"/>',
            '<mask label="cat" left="8" top="6" width="2" height="2" rle="1,2,1"/>',
        ),
    )
    covered = polygon_mask(annotation.size, annotation.polygons[0].rings)
    assert np.argwhere(covered).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert np.argwhere(annotation.masks[0].mask).tolist() == [[6, 9], [7, 8]]


def test_recognizes_its_files_only(tmp_path):
    file = tmp_path / 'a.xml'
    for head in (
        EXAMPLE,
        '\ufeff' + EXAMPLE,
        '<!-- a --><annotations><image id="0" ',
        '<annotations><track id="0" ',
    ):
        assert cvat.recognizes(file, head.encode())
    for head in (
        '',
        '<annotation><image /></annotation>',
        '<annotations></annotations>',
        '<a><annotations><image id="0" ',
        '{"shapes": "<annotations><image "}',
    ):
        assert not cvat.recognizes(file, head.encode())


def test_recognizing_takes_no_time_whatever_the_head():
    for part in ('<??>', '<!---->', '<!-- -->\n', ' ', '<?', '<!--'):
        assert not cvat.recognizes(None, (part * 65_536)[:65_536].encode())


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(cvat.read(tmp_path / 'none.xml'))
    with pytest.raises(AnnotationError, match='give its annotations.xml'):
        list(cvat.read(tmp_path))


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    '<annotations><image name="&c;"/></annotations>'
)
BAD = {
    'truncated': (EXAMPLE[:700], 'not an XML file'),
    'JSON': ('{}', 'not an XML file'),
    'bomb': (BOMB, 'not an XML file'),
    'external': (
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;'
        '</annotations>',
        'not an XML file',
    ),
    'encoding': ('<?xml version="1.0" encoding="nope"?><a/>', 'not an XML file'),
    'codec': ('<?xml version="1.0" encoding="rot13"?><a/>', 'not an XML file'),
    'VOC': ('<annotation/>', 'not a file of CVAT'),
    'track': (
        '<annotations><track id="0" label="car"/></annotations>',
        'has tracks, but no key frame',
    ),
    'name': (
        '<annotations><image id="0" width="1" height="1"/></annotations>',
        r"image '' \(element 0 of the root\): lacks the attribute 'name'",
    ),
    'outside': (
        '<annotations><image name="../a" width="1" height="1"/></annotations>',
        r"image '../a' .*leads out",
    ),
    'size': (file_of(size=''), "image 'a.jpg' .*lacks the attribute 'height'"),
    'fraction': (file_of(size='height="8" width="9.5"'), "'width' must hold numbers"),
    'huge': (file_of(size='height="8" width="99999999999999999"'), 'the width'),
    'digits': (file_of(size=f'height="8" width="{"9" * 9999}"'), 'must hold numbers'),
}
BOX = '<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"/>'
MASK = '<mask label="cat" left="8" top="6" width="2" height="2" rle="1,2,1"/>'
BAD_SHAPES = {
    'cuboid': ('<cuboid label="cat" xtl1="1"/>', 'cuboid .*cannot be used'),
    'skeleton': (SKELETON.replace('54.47,', ''), 'skeleton .*points must be'),
    'unknown': ('<spline label="cat"/>', 'spline .*cannot be used'),
    'label': (BOX.replace('label', 'lable'), "lacks the attribute 'label'"),
    'empty label': (BOX.replace('cat', ' '), 'class name'),
    'tag': ('<tag/>', "tag .*lacks the attribute 'label'"),
    'corner': (BOX.replace('xtl', 'x'), "lacks the attribute 'xtl'"),
    'text': (BOX.replace('"1"', '"one"'), "'xtl' must hold numbers"),
    'nan': (BOX.replace('"1"', '"nan"'), "'xtl' must hold numbers"),
    'underscore': (BOX.replace('"1"', '"1_0"'), "'xtl' must hold numbers"),
    'infinite': (BOX.replace('"1"', '"1e999"'), "'xtl' must hold numbers"),
    'huge': (BOX.replace('"1"', '"1e99"'), 'a coordinate must lie'),
    'empty box': (BOX.replace('"3"', '"1"'), 'a box needs'),
    'rotation': (BOX.replace('/>', ' rotation="x"/>'), "'rotation' must hold"),
    'z_order': (BOX.replace('/>', ' z_order=""/>'), "'z_order' must hold"),
    'ellipse': ('<ellipse label="c" cx="1" cy="1" rx="0" ry="1"/>', 'radii above 0'),
    'wide': ('<ellipse label="c" cx="1" cy="1" rx="1e300" ry="1"/>', 'radii above 0'),
    'points': ('<points label="cat"/>', "lacks the attribute 'points'"),
    'empty': ('<points label="cat" points=""/>', 'must hold numbers'),
    'one': ('<points label="cat" points="1"/>', 'points must be'),
    'three': ('<polyline label="cat" points="1,2,3"/>', 'points must be'),
    'pair': ('<polygon label="cat" points="1,2;3,4"/>', 'at least 3'),
    'runs': (MASK.replace('1,2,1', '1,2'), 'add up to its 2 x 2'),
    'negative runs': (MASK.replace('1,2,1', '5,-2,1'), 'must be 0 or more'),
    'long runs': (MASK.replace('1,2,1', '1,999999999999999999'), 'add up'),
    'no runs': (MASK.replace('1,2,1', ''), "'rle' must hold numbers"),
    'right': (MASK.replace('"8"', '"9"'), 'does not fit'),
    'left': (MASK.replace('"8"', '"-1"'), 'does not fit'),
    'flat': (MASK.replace('height="2"', 'height="0"'), 'does not fit'),
    'huge mask': (MASK.replace('"2"', '"999999999999"'), 'does not fit'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_files_are_named(tmp_path, name):
    text, message = BAD[name]
    with pytest.raises(AnnotationError, match=rf'^\S*annotations\.xml.*({message})'):
        read_one(tmp_path, text)


@pytest.mark.parametrize('name', BAD_SHAPES)
def test_bad_shapes_are_named(tmp_path, name):
    element, message = BAD_SHAPES[name]
    kind = re.match(r'<(\w+)', element)[1]
    with pytest.raises(AnnotationError, match=message) as raised:
        read_one(tmp_path, file_of(BOX, element))
    place = (
        rf"image 'a\.jpg' \(element 1 of the root\), {kind} \(element 1 of the image\)"
    )
    assert re.search(rf'^\S*annotations\.xml, {place}: ', str(raised.value))


def test_deep_nesting_is_no_danger(tmp_path):
    depth = 50_000
    deep = '<attribute>' * depth + '</attribute>' * depth
    annotation = read_one(tmp_path, file_of(BOX.replace('/>', f'>{deep}</box>')))
    assert annotation.boxes == [Box('cat', 1, 2, 3, 4)]


VALID = file_of(
    BOX,
    BOX.replace('/>', ' rotation="30" z_order="1"/>'),
    MASK,
    '<ellipse label="cat" cx="1" cy="2" rx="3" ry="4"/>',
    '<polygon label="cat" points="2,1;4,1;4,3"/>',
    '<tag label="cat"/>',
)
ATTRIBUTES = [found.span(1) for found in re.finditer(r'="([^"]*)"', VALID)]
VALUES = st.sampled_from(
    [
        '',
        '-1',
        '0',
        '1e308',
        '9' * 5000,
        'nan',
        'inf',
        '1,2',
        ';',
        '&#9;',
        '٣',
        '<',
        '&b;',
    ]
)


@given(st.sampled_from(ATTRIBUTES), VALUES, st.integers(0, len(VALID)))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_any_damage_gives_annotations_or_a_named_error(
    tmp_path_factory, span, value, end
):
    damaged = VALID[: span[0]] + value + VALID[span[1] :]
    file = tmp_path_factory.mktemp('damaged') / 'a.xml'
    for text in (damaged, damaged[:end], damaged[end:]):
        file.write_text(text)
        try:
            assert all(isinstance(a, WeakAnnotation) for a in cvat.read(file))
        except AnnotationError as error:
            assert error.file == file
