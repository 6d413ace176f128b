"""YOLO's text files: boxes, polygons, names of classes, folders of images."""

import pytest
from PIL import Image

from mmseg_spml.annotations.formats import detect_format, read_annotations, yolo
from mmseg_spml.annotations.model import AnnotationError, Box, Polygon, WeakAnnotation
from mmseg_spml.annotations.problems import Problems

CLASSES = ('cat', 'dog')


@pytest.fixture
def root(tmp_path):
    """An Ultralytics data set with one image of 40 x 20 pixels."""
    for folder in ('images/train', 'labels/train'):
        (tmp_path / folder).mkdir(parents=True)
    Image.new('RGB', (40, 20)).save(tmp_path / 'images/train/a.jpg')
    (tmp_path / 'data.yaml').write_text('path: x\nnames:\n  0: cat\n  1: dog\n')
    return tmp_path


def label(root, text, name='a'):
    (root / f'labels/train/{name}.txt').write_text(text)
    return root / 'labels/train'


def test_boxes_and_polygons(root):
    folder = label(
        root, '1 0.5 0.5 0.25 0.1\n0 0.1 0.2 0.3 0.2 0.3 0.6\n\n0 0 0 1 0 1 1 0 0\n'
    )
    assert detect_format(folder) == 'yolo'
    (annotation,) = read_annotations(folder)
    assert annotation == WeakAnnotation(
        'a.jpg',
        20,
        40,
        boxes=[Box('dog', 15, 9, 25, 11)],
        polygons=[
            Polygon('cat', [[(4, 4), (12, 4), (12, 12)]]),
            Polygon('cat', [[(0, 0), (40, 0), (40, 20)]]),
        ],
    )
    (single,) = read_annotations(folder / 'a.txt')
    assert single == annotation


@pytest.mark.parametrize(
    'file, text',
    [
        ('data.yaml', 'names: [cat, dog]\n'),
        ('labels/data.yaml', 'names: {0: cat, 1: dog}\n'),
        ('classes.txt', 'cat\ndog\n'),
        ('labels/train/obj.names', 'cat\ndog\n\n'),
    ],
)
def test_names_of_classes(root, file, text):
    (root / 'data.yaml').unlink()
    folder = label(root, '1 0.5 0.5 0.25 0.1\n')
    with pytest.raises(AnnotationError, match='--classes'):
        list(read_annotations(folder))
    assert list(read_annotations(folder, classes=CLASSES))
    (root / file).write_text(text)
    (annotation,) = read_annotations(folder)
    assert annotation.boxes[0].label == 'dog'


def test_a_blank_line_between_names(root):
    (root / 'data.yaml').unlink()
    folder = label(root, '1 0.5 0.5 0.25 0.1\n')
    (root / 'classes.txt').write_text('cat\n\ndog\n')
    with pytest.raises(AnnotationError, match=r'classes\.txt, line 2: .* is blank'):
        list(read_annotations(folder))


@pytest.mark.parametrize('text', ['names: 3\n', 'a: [\n', '[]\n', 'names: {1: a}\n'])
def test_bad_lists_of_names(root, text):
    (root / 'data.yaml').write_text(text)
    with pytest.raises(AnnotationError, match='data.yaml'):
        list(read_annotations(label(root, '1 0.5 0.5 0.25 0.1\n')))
    (root / 'data.yaml').unlink()
    (root / 'classes.txt').write_bytes('ä'.encode('latin-1'))
    with pytest.raises(AnnotationError, match='classes.txt: not UTF-8'):
        list(read_annotations(label(root, '1 0.5 0.5 0.25 0.1\n')))


def test_folders_of_images(root, tmp_path_factory):
    folder = label(root, '0 0.5 0.5 0.25 0.1\n')
    other = tmp_path_factory.mktemp('other')
    with pytest.raises(AnnotationError, match="no image 'a'"):
        list(read_annotations(folder, images=other))
    Image.new('RGB', (80, 20)).save(other / 'a.PNG')
    (annotation,) = read_annotations(folder, images=other)
    assert annotation.image == 'a.PNG' and annotation.boxes[0].x0 == 30
    (root / 'images').rename(root / 'pictures')
    with pytest.raises(AnnotationError, match="no image 'a'"):
        list(read_annotations(folder))


@pytest.mark.parametrize(
    'line, what',
    [
        ('2 0.5 0.5 0.25 0.1', r'class 2 is not in 0\.\.1'),
        ('0 0.5 0.5 0.25 0.1 0.9', 'got 5: predictions'),
        ('0 0.5 0.5 0 0.1', 'a box needs x0 < x1'),
        ('0 0.5 0.5', "got '0 0.5 0.5'"),
        ('cat 0.5 0.5 0.25 0.1', 'expected "class'),
        ('0 0.5 0.5 0.25 nan', 'expected "class'),
        ('0 120 80 30 20', 'fractions of the sides'),
    ],
)
def test_bad_lines(root, line, what):
    folder = label(root, f'0 0.5 0.5 0.25 0.1\n{line}\n')
    with pytest.raises(AnnotationError, match=f'a.txt, line 2: .*{what}'):
        list(read_annotations(folder, 'yolo'))
    problems = Problems(skip=True)
    (annotation,) = read_annotations(folder, 'yolo', problems=problems)
    assert len(annotation.boxes) == 1 and len(problems.found) == 1


def test_turned_boxes_and_poses(root):
    corners = [(10, 4), (30, 4), (30, 14), (10, 14)]
    turned = [(12, 2), (32, 10), (28.8, 18), (8.8, 10)]
    lines = [
        '0 ' + ' '.join(f'{x / 40:.6f} {y / 20:.6f}' for x, y in shape)
        for shape in (corners, turned, [(1, 1), (9, 2), (8, 9), (2, 5)])
    ]
    (annotation,) = read_annotations(label(root, '\n'.join(lines)))
    plain, box = annotation.boxes
    assert plain.outline is None and plain.bounds == (10, 4, 30, 14)
    assert box.outline[0] == pytest.approx((12, 2), abs=0.01)
    assert len(annotation.polygons) == 1
    (root / 'data.yaml').write_text('names: [cat]\nkpt_shape: [2, 3]\n')
    with pytest.raises(AnnotationError, match='data.yaml: .*poses'):
        list(read_annotations(label(root, '0 .5 .5 .4 .4 .4 .4 2 .6 .6 2\n')))


def test_images_of_a_whole_data_set(root):
    label(root, '0 0.5 0.5 0.25 0.1\n')
    (root / 'README.dataset.txt').write_text('a data set')
    assert detect_format(root) == 'yolo'
    (annotation,) = read_annotations(root)
    assert annotation.image == 'a.jpg'
    beside = root / 'obj_train_data'
    beside.mkdir()
    (beside / 'b.txt').write_text('0 0.5 0.5 0.25 0.1\n')
    Image.new('RGB', (40, 20)).save(beside / 'b.jpg')
    (annotation,) = read_annotations(beside)
    assert annotation.image == 'b.jpg'


def test_an_empty_file_states_nothing(root):
    folder = label(root, '')
    assert not yolo.recognizes(folder, b'')
    (annotation,) = read_annotations(folder, 'yolo')
    assert annotation.kinds() == []


def test_other_text_is_not_recognized(root):
    assert not yolo.recognizes(label(root, 'a.jpg a.png a.png\n'), b'')
    assert not yolo.recognizes(root / 'none', b'')


def test_it_is_not_written(tmp_path):
    with pytest.raises(AnnotationError, match='only read'):
        yolo.write([], tmp_path)


def test_rectangles_among_polygons_are_polygons(root):
    window = '0 .2 .2 .6 .2 .6 .8 .2 .8\n'
    (annotation,) = read_annotations(label(root, window))
    assert len(annotation.boxes) == 1 and not annotation.polygons
    tree = '0 .1 .1 .2 .1 .3 .2 .2 .3 .1 .2\n'
    (annotation,) = read_annotations(label(root, window + tree))
    assert len(annotation.polygons) == 2 and not annotation.boxes


def test_names_of_the_data_set_go_before_an_order_of_classes(root):
    folder = label(root, '0 0.5 0.5 0.25 0.1\n')
    (annotation,) = read_annotations(folder, classes=('background', 'dog', 'cat'))
    assert annotation.boxes[0].label == 'cat'


def test_names_that_the_classes_lack(root):
    folder = label(root, '0 0.5 0.5 0.25 0.1\n')
    with pytest.raises(AnnotationError, match="data.yaml.* --classes lacks 'dog'"):
        list(read_annotations(folder, classes=('cat', 'cow')))
    (root / 'data.yaml').write_text('path: x\n')
    (annotation,) = read_annotations(folder, classes=('cow', 'cat'))
    assert annotation.boxes[0].label == 'cow'
