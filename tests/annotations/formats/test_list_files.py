"""List files of the authors' release."""

import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import list_files
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap
from mmseg_spml.annotations.voc_classes import VOC_CLASSES

# The folders and lists are those of the release, as docs/data.md shows them.
LINE = (
    'VOC2012/JPEGImages/2007_000032.jpg VOC2012/scribble/dilate_3/2007_000032.png '
    'VOC2012/hed/2007_000032.png'
)
VALUES = [[0, 1, 20], [21, 254, 255]]


def release(folder, text=LINE, name='train.txt'):
    """Write a release of one image, and return the path of its list."""
    for path, values in (('scribble/dilate_3', VALUES), ('hed', [[7] * 3] * 2)):
        place = folder / 'VOC2012' / path / '2007_000032.png'
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(values, np.uint8)).save(place)
    image = folder / 'VOC2012' / 'JPEGImages' / '2007_000032.jpg'
    image.parent.mkdir(exist_ok=True)
    Image.new('RGB', (3, 2)).save(image)
    path = folder / 'lists' / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def expected(classes=VOC_CLASSES, first_unlabeled=21):
    labels = np.array(VALUES, np.uint8)
    labels[(labels >= first_unlabeled) & (labels < 255)] = 254
    return WeakAnnotation(
        'VOC2012/JPEGImages/2007_000032.jpg', 2, 3, dense=DenseMap(classes, labels)
    )


@pytest.mark.parametrize('text', [LINE, f'\n{LINE}\r\n \n', f'\ufeff{LINE} \n'])
def test_a_list_of_the_release(text, tmp_path):
    path = release(tmp_path, text)
    assert list_files.recognizes(path, text.encode())
    (annotation,) = list_files.read(path)
    assert annotation == expected()
    assert annotation.dense.labels.tolist() == [[0, 1, 20], [254, 254, 255]]


def test_root_and_classes(tmp_path, monkeypatch):
    path = release(tmp_path)
    moved = tmp_path / 'train.txt'
    path.rename(moved)
    classes = ['background', 'cat']
    (annotation,) = list_files.read(moved, images=tmp_path, classes=classes)
    assert annotation == expected(classes, 2)
    with pytest.raises(
        FileNotFoundError, match=r'txt, line 1: .*no label map.*--images'
    ):
        list(list_files.read(moved))
    monkeypatch.chdir(tmp_path / 'lists')
    (tmp_path / 'lists' / 'here.txt').write_text(LINE)
    assert list(list_files.read('here.txt')) == [expected()]


def test_an_image_alone(tmp_path):
    path = release(tmp_path, f'{LINE}\n{LINE.split()[0]}\n')
    first, second = list_files.read(path)
    assert first == expected()
    assert second == WeakAnnotation(LINE.split()[0], 2, 3)
    assert second.kinds() == []


def test_region_maps_are_not_opened(tmp_path):
    path = release(tmp_path)
    (tmp_path / 'VOC2012' / 'hed' / '2007_000032.png').unlink()
    assert list(list_files.read(path)) == [expected()]


def test_lists_are_not_written(tmp_path):
    with pytest.raises(AnnotationError, match='train.txt: .*"index_png"'):
        list_files.write([], tmp_path / 'train.txt')
    assert list(tmp_path.iterdir()) == []


IMAGE, LABELS, REGIONS = LINE.split(' ')


@pytest.mark.parametrize(
    'line, what',
    [
        (f'{IMAGE} {LABELS}', 'single spaces'),
        (f'{LINE} x', 'single spaces'),
        (LINE.replace(' ', '  '), 'single spaces'),
        (LINE.replace(' ', '\t'), 'single spaces'),
        (f'{IMAGE}\t{LABELS} {REGIONS} x', 'single spaces'),
        (f'../{IMAGE} {LABELS} {REGIONS}', 'leads out'),
        (f'{IMAGE} VOC2012/../../{LABELS} {REGIONS}', 'leads out'),
        (f'{IMAGE} /{LABELS} {REGIONS}', 'leads out'),
        (f'{IMAGE} {LABELS} ../{REGIONS}', 'leads out'),
        (f'C:/{IMAGE}', 'leads out'),
        (f'{IMAGE}\0', 'needs a file name'),
        (f'{IMAGE} {IMAGE} {REGIONS}', 'no PNG'),
        ('lists/train.txt', 'cannot be read'),
        (b'\xff\xfe', 'not UTF-8'),
    ],
)
def test_malformed_lines(line, what, tmp_path):
    line = line if isinstance(line, bytes) else line.encode()
    path = release(tmp_path, LINE.encode() + b'\n' + line)
    place = '' if what == 'not UTF-8' else ', line 2'
    with pytest.raises(AnnotationError, match=rf'train\.txt{place}: .*{what}'):
        list(list_files.read(path))


@pytest.mark.parametrize(
    'line',
    [
        'none.jpg',
        f'{IMAGE} none.png {REGIONS}',
        f'{IMAGE} VOC2012 {REGIONS}',  # a folder
        f'{IMAGE} {"x" * 300}.png {REGIONS}',
        'x' * 5000,
    ],
)
def test_missing_files(line, tmp_path):
    path = release(tmp_path, f'\n{line}')
    with pytest.raises(FileNotFoundError, match=r'train\.txt, line 2: there is no'):
        list(list_files.read(path))


def test_missing_lists(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.txt'):
        list(list_files.read(tmp_path / 'none.txt'))
    with pytest.raises(AnnotationError, match='expected a list file'):
        list(list_files.read(tmp_path))


@pytest.mark.parametrize(
    'name, head',
    [
        ('a.json', LINE.encode()),
        ('a.txt', b''),
        ('a.txt', b'2007_000032\n2007_000033\n'),
        ('a.txt', b'a.jpg\n'),
        ('a.txt', b'0 0.5 0.5\n'),
        ('a.txt', b'a.jpg 1 2\n'),
        ('a.txt', b'\xff\xfe a.jpg'),
    ],
)
def test_other_files_are_not_recognized(name, head, tmp_path):
    assert not list_files.recognizes(tmp_path / name, head)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_fuzzed_lists_are_read_or_refused(seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / 'fuzzed'
    folder.mkdir(exist_ok=True)
    path = release(folder)
    rng = random.Random(seed)
    pieces = ['../', '/', ' ', '\0', '\n', '\t', 'x' * 300, 'NaN', '\\', '\x85', 'é']
    for _ in range(3):
        text = f'{LINE}\n{IMAGE}\n'
        for _ in range(rng.choice([1, 2, 5])):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(pieces) + text[at + rng.randrange(3) :]
        content = text.encode()
        if rng.random() < 0.3:
            content = content[: rng.randrange(len(content))] + bytes(
                [rng.randrange(256)]
            )
        path.write_bytes(content)
        list_files.recognizes(path, content)
        try:
            for annotation in list_files.read(path):
                assert annotation.size == (2, 3)
        except (AnnotationError, FileNotFoundError) as error:
            assert str(error).startswith(str(path))
