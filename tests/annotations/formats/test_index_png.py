"""Folders of index PNGs: values, image names, and damaged files."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import index_png, read_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import AnnotationError, Box, Point, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap
from mmseg_spml.annotations.problems import Problems

CLASSES = ('background', 'cat', 'dog')


def chunk(kind, content):
    checked = kind + content
    return struct.pack('>I', len(content)) + checked + struct.pack(
        '>I', zlib.crc32(checked)
    )  # fmt: skip


def png(rows, depth=8, color=3, size=None):
    """Build a PNG byte by byte, as its standard describes it (www.w3.org/TR/png)."""
    height, width = size or (len(rows), 8 * len(rows[0]) // depth)
    head = struct.pack('>IIBBBBB', width, height, depth, color, 0, 0, 0)
    palette = chunk(b'PLTE', bytes(range(256)) * 3) if color == 3 else b''
    pixels = zlib.compress(b''.join(b'\0' + bytes(row) for row in rows))
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head)
        + palette
        + chunk(b'IDAT', pixels)
        + chunk(b'IEND', b'')
    )


def save(path, values, mode='L'):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(values, np.uint8))
    if mode == 'P':
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(path)


def read(path, classes=CLASSES, **options):
    return list(index_png.read(path, classes=classes, **options))


@pytest.mark.parametrize('color', [0, 3])
def test_values_of_a_palette_or_gray_file(color, tmp_path):
    path = tmp_path / '2007_000032.png'
    path.write_bytes(png([[0, 1, 2, 3], [3, 255, 1, 3]], color=color))
    labels = np.array([[0, 1, 2, 254], [254, 255, 1, 254]], np.uint8)
    expected = [
        WeakAnnotation('2007_000032.jpg', 2, 4, dense=DenseMap(CLASSES, labels))
    ]
    assert read(tmp_path) == expected
    assert read(path) == expected  # one file
    for place in (tmp_path, path):
        assert index_png.recognizes(place, b'')


def test_values_without_a_meaning(tmp_path):
    save(tmp_path / 'a.png', [[0, 127, 127, 254]])
    with pytest.raises(
        AnnotationError, match=r'a\.png: .*127 \(2 pixels\), 254 \(1 .*--values 127='
    ):
        read(tmp_path)
    values = {127: CLASSES[1], 254: 'void'}
    (annotation,) = read(tmp_path, values=values)
    assert annotation.dense.labels.tolist() == [[0, 1, 1, 255]]
    save(tmp_path / 'a.png', [[0, *range(100, 120)]])
    with pytest.raises(AnnotationError, match='14 more.*JPEG compression'):
        read(tmp_path)


def test_doubtful_values(tmp_path):
    save(tmp_path / 'a.png', [[0, 255]])
    save(tmp_path / 'b.png', [[0, 1, 3]])
    save(tmp_path / 'c.png', [[0, 3, 3]])
    problems = Problems()
    assert len(read(tmp_path, problems=problems)) == 3
    first, second = problems.warnings
    assert first.place == 'a.png' and '--values 255=' in first.problem
    assert second.place == 'b.png' and '3 is taken as unlabeled' in second.problem
    problems = Problems()
    read(tmp_path, problems=problems, values={255: CLASSES[2], 3: 'unlabeled'})
    assert not problems.warnings


def test_a_value_whose_meaning_is_given_leaves_no_doubt(tmp_path):
    save(tmp_path / 'a.png', [[0, 1, 1, 9]])
    problems = Problems()
    (annotation,) = read(tmp_path, problems=problems, values={9: 'unlabeled'})
    assert annotation.dense.labels.tolist() == [[0, 1, 1, 254]]
    assert not problems.warnings


def test_masks_are_meant_by_their_options(tmp_path):
    save(tmp_path / 'a.png', np.zeros((4, 4, 3)))
    save(tmp_path / 'a_mask.png', [[1]])
    options = dict(classes=CLASSES, mask_suffix='_mask')
    (annotation,) = read_annotations(tmp_path, **options)
    assert annotation.image == 'a.png'


def test_suffix_of_masks(tmp_path):
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / name).touch()
    save(tmp_path / 'a_mask.png', [[1]])
    save(tmp_path / 'b_mask.png', [[1]])
    save(tmp_path / 'c.png', [[200]])
    found = read(tmp_path, images=tmp_path, mask_suffix='_mask')
    assert [one.image for one in found] == ['a.jpg', 'b.jpg']
    with pytest.raises(AnnotationError, match='--mask-suffix=_mask'):
        read(tmp_path, images=tmp_path)
    with pytest.raises(AnnotationError, match='not known.*--mask-suffix=_mask'):
        read(tmp_path)


def test_the_image_beside_a_mask(tmp_path):
    save(tmp_path / 'a.PNG', [[1]])
    (tmp_path / 'a.JPG').touch()
    (tmp_path / '._a.png').touch()
    assert [one.image for one in read(tmp_path)] == ['a.JPG']


def test_class_names_beside_the_masks(tmp_path):
    save(tmp_path / 'a.png', [[1]])
    (tmp_path / '_classes.csv').write_text('Pixel Value, Class\n0, ground\n1, cat\n')
    (annotation,) = read(tmp_path, classes=None)
    assert annotation.dense.classes == ('ground', 'cat')
    (other,) = read(tmp_path, classes=('cat', 'dog', 'ground'))
    assert other.dense.shown() == annotation.dense.shown() == {'cat'}
    (tmp_path / '_classes.csv').write_text('Pixel Value, Class\n0, a\n2, b\n')
    with pytest.raises(AnnotationError, match='_classes.csv: expected lines'):
        read(tmp_path, classes=None)


def test_few_bits(tmp_path):
    (tmp_path / 'a.png').write_bytes(png([[0b01_10_00_11]], depth=2))
    (tmp_path / 'b.png').write_bytes(png([[0b0110_0000]], depth=1, color=0))
    two, one = read(tmp_path)
    assert two.dense.labels.tolist() == [[1, 2, 0, 254]]
    assert one.dense.labels.tolist() == [[0, 1, 1, 0, 0, 0, 0, 0]]


def test_folders_in_order_and_names_of_images(tmp_path):
    maps, images = tmp_path / 'maps', tmp_path / 'images'
    for name in ('b.png', 'a/c.d.png', 'a/b.png'):
        save(maps / name, [[1]])
    (maps / 'folder.png').mkdir()
    assert [one.image for one in read(maps)] == ['a/b.jpg', 'a/c.d.jpg', 'b.jpg']
    for name in ('b.JPEG', 'b.txt', 'a/b.png', 'a/c.d.tif', 'a/c.jpg'):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    found = [one.image for one in read(maps, images=images)]
    assert found == ['a/b.png', 'a/c.d.tif', 'b.JPEG']
    (images / 'b.bmp').touch()
    with pytest.raises(AnnotationError, match=r"maps, b\.png: .*'b\.JPEG', 'b\.bmp'"):
        read(maps, images=images)
    (images / 'a' / 'b.png').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'no image .*images.a.b\.\* .*--images'
    ):
        read(maps, images=images)


def test_maps_beside_their_images(tmp_path):
    save(tmp_path / 'a.png', [[1]])
    (tmp_path / 'a.jpg').touch()
    assert [one.image for one in read(tmp_path, images=tmp_path)] == ['a.jpg']


def dense(image, labels, classes=CLASSES, **more):
    labels = np.array(labels, np.uint8)
    return WeakAnnotation(
        image, *labels.shape, dense=DenseMap(classes, labels), **more
    )  # fmt: skip


def test_there_and_back(tmp_path):
    labels = [[0, 1, 2], [254, 255, 2]]
    both = [dense('a.jpg', labels), dense('x/ä b.c.jpg', labels)]
    assert index_png.write(both, tmp_path / 'new') == 0
    assert read(tmp_path / 'new') == both
    written = np.asarray(Image.open(tmp_path / 'new' / 'a.png'))
    assert written.tolist() == [[0, 1, 2], [3, 255, 2]]  # unlabeled as C
    assert index_png.recognizes(tmp_path / 'new', b'')


def test_254_classes(tmp_path):
    classes = [str(number) for number in range(254)]
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    full = dense('a.jpg', values, classes)
    assert index_png.write([full], tmp_path) == 0
    assert read(tmp_path, classes) == [full]
    with pytest.raises(AnnotationError, match='at most 254'):
        read(tmp_path, [*classes, 'x'])
    for number in (255, 300):
        with pytest.raises(AnnotationError, match=r'a\.png: .*at most 254'):
            index_png.write([full], tmp_path, classes=list(map(str, range(number))))


def test_classes_in_another_order(tmp_path):
    annotation = dense('a.jpg', [[0, 1, 2]])
    index_png.write(
        [annotation], tmp_path, classes=['dog', 'sheep', 'cat', 'background']
    )
    assert np.asarray(Image.open(tmp_path / 'a.png')).tolist() == [[3, 2, 0]]
    other = dense('b.jpg', [[0, 0]], ['sheep'])
    with pytest.raises(AnnotationError, match=r"b\.png: .*'sheep' is none of"):
        index_png.write([annotation, other], tmp_path)
    # A class that is not shown does no harm.
    assert index_png.write([dense('c.jpg', [[1]])], tmp_path, classes=['cat']) == 0


def test_what_cannot_be_written_is_counted(tmp_path):
    box = Box('cat', 0, 0, 1, 1)
    shown = dense('a.jpg', [[1]], tags={'cat', 'dog'}, absent={'cow'}, boxes=[box])
    alone = WeakAnnotation('b.jpg', 1, 1, tags={'cat'}, boxes=[box])
    assert index_png.write([shown, alone], tmp_path / 'new') == 3 + 2
    assert read(tmp_path / 'new') == [dense('a.jpg', [[1]])]


def test_shapes_are_drawn_as_training_draws_them(tmp_path):
    marked = WeakAnnotation(
        'a.jpg', 5, 9, points=[Point('dog', 1.5, 1.5), Point(None, 7.5, 3.5)],
        boxes=[Box('cat', 0, 0, 9, 4)], boxes_complete=True,
    )  # fmt: skip
    assert index_png.write([marked], tmp_path / 'new', classes=CLASSES) == 1
    written = np.asarray(Image.open(tmp_path / 'new' / 'a.png'))
    assert (written == label_map(marked, CLASSES)).all()
    assert set(written.ravel()) == {0, 2, 3, 255}
    with pytest.raises(AnnotationError, match='a.png: .*--classes'):
        index_png.write([marked], tmp_path / 'other')
    # No class is the background: nothing is known outside of the boxes.
    assert index_png.write([marked], tmp_path / 'new', classes=CLASSES[1:]) == 1
    written = np.asarray(Image.open(tmp_path / 'new' / 'a.png'))
    assert set(written.ravel()) == {1, 2, 255}


def test_what_draws_nothing_needs_no_classes(tmp_path):
    boxed = WeakAnnotation('a.jpg', 5, 9, boxes=[Box('cat', 0, 0, 9, 4)])
    tagged = WeakAnnotation('b.jpg', 5, 9, tags={'cat'}, tags_complete=True)
    assert index_png.write([boxed, tagged], tmp_path / 'new') == 2
    assert not (tmp_path / 'new').exists()
    void = WeakAnnotation('a.jpg', 2, 2, boxes=[Box(None, 0, 0, 2, 1)])
    assert index_png.write([void], tmp_path / 'new', classes=CLASSES) == 0
    written = np.asarray(Image.open(tmp_path / 'new' / 'a.png'))
    assert written.tolist() == [[255, 255], [3, 3]]


def test_images_that_would_share_a_map(tmp_path):
    both = [dense('a.jpg', [[1]]), dense('a.png', [[2]])]
    with pytest.raises(AnnotationError, match=r'images a\.jpg and a\.png'):
        index_png.write(both, tmp_path)
    (tmp_path / 'file').touch()
    with pytest.raises(AnnotationError, match='file: expected a folder'):
        index_png.write(both, tmp_path / 'file')


ROW = [[0, 1, 2, 3]]
BOMB = png(ROW, size=(60_000, 60_000))


@pytest.mark.parametrize(
    'content, what',
    [
        (b'', 'no PNG'),
        (b'GIF89a' + bytes(30), 'no PNG'),
        (png(ROW)[:20], 'no PNG'),
        (png(ROW)[:40], 'cannot decode|truncated'),
        (png(ROW)[:-30], 'cannot decode'),
        (png(ROW).replace(b'IDAT', b'IDAX'), 'cannot decode'),
        (png([[0, 1, 2] * 3], color=2, size=(1, 3)), r'mode RGB \(3 channels\)'),
        (png([[0, 1] * 3], color=4, size=(1, 3)), r'mode LA \(2 channels\)'),
        (png([[0x12]], depth=4, color=0), '4-bit gray'),
        (png([[1, 0, 0, 2]], depth=16, color=0), r'values 2\.\.256.*regions'),
        (png(ROW, size=(0, 4)), 'height of an image'),
        (png(ROW, size=(4, 70_000)), 'width of an image'),
        (BOMB, 'more than 178956970 pixels'),
        (png(ROW, size=(14_000, 14_000)), 'more than 178956970 pixels'),
    ],
)
def test_malformed_files(content, what, tmp_path):
    (tmp_path / 'a.png').write_bytes(png(ROW))
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'b.png').write_bytes(content)
    reader = index_png.read(tmp_path, classes=CLASSES)
    next(reader)
    with pytest.raises(AnnotationError, match=rf'(?s), x/b\.png: .*({what})') as caught:
        next(reader)
    assert str(caught.value).startswith(f'{tmp_path}, x/b.png: ')
    assert not index_png.recognizes(tmp_path / 'x', b'')


def test_missing_arguments_and_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        read(tmp_path / 'none')
    with pytest.raises(AnnotationError, match=r'holds no \*\.png'):
        read(tmp_path)
    save(tmp_path / 'a.png', [[1]])
    with pytest.raises(AnnotationError, match='--classes'):
        read(tmp_path, classes=None)
    with pytest.raises(AnnotationError, match=r"a\.png: .*\('cat', 'cat'\)"):
        read(tmp_path, classes=['cat', 'cat'])
    with pytest.raises(AnnotationError, match=r'a\.png: expected a list'):
        read(tmp_path, classes='cat')


def test_photographs_are_not_recognized(tmp_path):
    assert not index_png.recognizes(tmp_path, b'')
    assert not index_png.recognizes(tmp_path / 'none', b'')
    gray = np.random.default_rng(0).integers(0, 256, (30, 30))
    save(tmp_path / 'gray' / 'a.png', gray)
    save(tmp_path / 'color' / 'a.png', np.zeros((4, 4, 3)))
    assert not index_png.recognizes(tmp_path / 'gray', b'')
    assert not index_png.recognizes(tmp_path / 'color', b'')
    text = tmp_path / 'a.txt'
    text.write_text('a')
    assert not index_png.recognizes(text, b'a')


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_fuzzed_files_are_read_or_refused(seed, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / 'fuzzed.png'
    rng = random.Random(seed)
    stream = io.BytesIO()
    image = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10) % 5)
    image.save(stream, format='PNG', bits=8)
    for original in (png(ROW), png(ROW, color=0), stream.getvalue()):
        for _ in range(2):
            content = bytearray(original)
            for _ in range(rng.choice([1, 1, 2, 9])):
                content[rng.randrange(len(content))] = rng.randrange(256)
            if rng.random() < 0.5:  # checksums that fit, or the damage ends there
                content = with_checksums(bytes(content))
            if rng.random() < 0.2:
                content = content[: rng.randrange(len(content))]
            path.write_bytes(bytes(content))
            index_png.recognizes(path, bytes(content))
            try:
                assert len(read(path)) == 1
            except AnnotationError:
                pass


def with_checksums(content):
    fixed, at = content[:8], 8
    while at + 8 <= len(content):
        (length,) = struct.unpack('>I', content[at : at + 4])
        if length > len(content):
            return content
        fixed += chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
        at += 12 + length
    return fixed
