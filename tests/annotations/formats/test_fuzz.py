"""Damaged files of every format soon give annotations or an AnnotationError."""

import datetime
import json
import random
import re
import shutil
from pathlib import PurePosixPath

import numpy as np
import pytest
from annotations.formats import read_only_examples as examples
from annotations.formats.all_kinds import CLASSES, OUT, everything
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from scipy.io import savemat

from mmseg_spml.annotations.formats import FORMATS, read_annotations, write_annotations
from mmseg_spml.annotations.label_map import known_tags, label_map
from mmseg_spml.annotations.model import AnnotationError

# Reading any file of this size takes milliseconds.
QUICK = settings(
    max_examples=200,
    deadline=datetime.timedelta(seconds=5),
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=2000, derandomize=False, print_blob=True)

NUMBERS = (
    '-1', '0', '1', '2', '255', '256', '65536', '4294967296', '1e9', '1e308', '1e999',
    '-1e999', 'NaN', '0.5', '9' * 30, '9' * 5000, '-0.0', 'true', 'null', '""', '[]',
)  # fmt: skip
WORDS = (
    '', '../../a', '/etc/passwd', '..', 'a/../../b', 'C:\\a', '\\\\host\\a', 'file:///a',
    '\0', '\ud83d', 'é', 'x' * 5000, '&bomb;', '%s', '\n', 'background', 'nothing',
    '0 0 1', '1,1,1,1', '0,0;1', 'rectangle', 'polygon', 'counts', 'a.jpg',
)  # fmt: skip
BOMB = (
    '<!DOCTYPE a [<!ENTITY bomb "bomb"><!ENTITY bombs "'
    + '&bomb;' * 50
    + '"><!ENTITY file SYSTEM "file:///etc/passwd">]>'
)


def damaged_text(text, rng):
    """Replace numbers, words or stretches of a text, or cut it short."""
    how = rng.choice(['number', 'number', 'word', 'word', 'stretch', 'cut', 'doctype'])
    if how in ('number', 'word'):
        pattern = (
            r'-?\d+(\.\d+)?' if how == 'number' else r'(?<=["\'>])[^"\'<>]+(?=["\'<])'
        )
        places = list(re.finditer(pattern, text))
        if not places:
            return text
        place = rng.choice(places)
        new = rng.choice(NUMBERS if how == 'number' else WORDS)
        return text[: place.start()] + new + text[place.end() :]
    if how == 'cut':
        return text[: rng.randrange(len(text) + 1)]
    if how == 'doctype':
        return text.replace('?>', '?>' + BOMB, 1) if '?>' in text else BOMB + text
    start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return text[:start] + text[start:end] * rng.choice([0, 2, 3]) + text[end:]


def damaged_bytes(content, rng):
    """Replace, leave out or double some bytes, or cut them short."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if content:
            place = rng.randrange(len(content))
            content[place] = rng.choice([0, 1, 4, 127, 128, 255, rng.randrange(256)])
    if content and rng.random() < 0.3:
        start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        content[start:end] = content[start:end] * rng.choice([0, 2])
    return bytes(content)


def damage(path, rng):
    """Damage a file in place."""
    if path.suffix == '.png' and rng.random() < 0.7:
        # A changed byte hardly passes the checksums, so another picture is written.
        size = rng.choice([(30, 20), (1, 1), (20, 30), (400, 3)])
        mode = rng.choice(['1', 'L', 'P', 'LA', 'RGB', 'RGBA', 'I;16'])
        pixels = Image.effect_noise(size, rng.choice([0, 5, 90]))
        pixels = pixels.convert('I') if mode == 'I;16' else pixels
        pixels.convert(mode).save(path)
        return
    content = path.read_bytes()
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        try:
            text = content.decode()
            is_text = rng.random() < 0.9
        except UnicodeDecodeError:
            is_text = False
        if is_text:
            content = damaged_text(text, rng).encode(errors='surrogatepass')
        else:
            content = damaged_bytes(content, rng)
    path.write_bytes(content)


def write_maps(folder):
    """Write a list file of the authors' release, with its label maps."""
    for name in ('images', 'maps'):
        (folder / name).mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / 'images/a.jpg')
    Image.fromarray(np.ones((20, 30), np.uint8)).save(folder / 'maps/a.png')
    (folder / 'list.txt').write_text('images/a.jpg maps/a.png maps/a.png\n' * 2)
    return folder / 'list.txt'


def write_mat(folder):
    """Write a class map of the Semantic Boundaries Dataset."""
    labels = np.zeros((20, 30), np.uint8)
    labels[3:9, 4:12] = 8
    path = folder / 'a.mat'
    savemat(path, {'GTcls': {'Segmentation': labels}}, do_compression=False)
    return path


def write_yolo(folder):
    """Write two files of labels."""
    (folder / 'labels').mkdir()
    for name in 'ab':
        (folder / f'labels/{name}.txt').write_text(
            '1 0.5 0.5 0.25 0.1\n2 0.1 0.2 0.3 0.2 0.3 0.6\n'
        )
    return folder / 'labels'


def write_via(folder):
    """Write a file of VIA."""
    shapes = [
        dict(name='rect', x=1, y=2, width=9, height=8),
        dict(name='polygon', all_points_x=[1, 9, 9], all_points_y=[1, 1, 9]),
        dict(name='ellipse', cx=9, cy=9, rx=3, ry=4, theta=0.3),
    ]
    regions = [
        dict(shape_attributes=shape, region_attributes={'label': 'cat'})
        for shape in shapes
    ]
    content = {
        f'{name}1': dict(
            filename=f'{name}.jpg', size=1, regions=regions, file_attributes={}
        )
        for name in 'ab'
    }
    (folder / 'via.json').write_text(json.dumps(content))
    return folder / 'via.json'


# Formats that are only read.
WRITERS = {
    'coco_panoptic': examples.coco_panoptic,
    'datumaro': examples.datumaro,
    'labelme_xml': examples.labelme_xml,
    'list_file': write_maps,
    'sbd': write_mat,
    'supervisely': examples.supervisely,
    'via': write_via,
    'yolo': write_yolo,
}


@pytest.fixture(scope='module')
def originals(tmp_path_factory):
    """Write a folder of valid files for each format; return the annotation paths."""
    paths = {}
    for name in FORMATS:
        folder = tmp_path_factory.mktemp(name)
        if name in WRITERS:
            paths[name] = WRITERS[name](folder)
        else:
            paths[name] = folder / OUT[name]
            known = [everything('a.jpg'), everything('b.jpg')]
            write_annotations(known, paths[name], name, classes=CLASSES)
        (folder / 'images').mkdir(exist_ok=True)
        for image in 'ab':
            picture = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
            picture.save(folder / f'images/{image}.jpg')
    return paths


def check_damaged(original, name, seed, tmp_path_factory):
    """Damage a copy of the files, read it, and draw the annotations."""
    rng = random.Random(seed)
    folder = tmp_path_factory.getbasetemp() / f'damaged_{name}'
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original.parent, folder)
    path = folder / original.name
    files = [file for file in folder.rglob('*.*') if file.parent.name != 'images']
    damage(rng.choice(sorted(files)), rng)
    try:
        found = list(
            read_annotations(path, name, images=folder / 'images', classes=CLASSES)
        )
    except (AnnotationError, FileNotFoundError) as error:
        assert str(folder) in str(error), error
        return
    for annotation in found:
        image = PurePosixPath(annotation.image)
        assert not image.is_absolute() and '..' not in image.parts
        assert ':' not in annotation.image[:3] and '\\' not in annotation.image
        try:
            known_tags(annotation, CLASSES)
            if annotation.height * annotation.width <= 1e6:
                labels = label_map(annotation, CLASSES)
                assert labels.shape == annotation.size
        except AnnotationError as error:
            assert 'is none of' in str(error) or 'the tags exclude' in str(error)


@pytest.mark.parametrize('name', sorted(FORMATS))
def test_damaged_files(name, originals, tmp_path_factory):
    @QUICK
    @given(seed=st.integers(0, 2**64))
    def run(seed):
        check_damaged(originals[name], name, seed, tmp_path_factory)

    run()


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(FORMATS))
def test_many_damaged_files(name, originals, tmp_path_factory):
    @LONG
    @given(seed=st.integers(0, 2**64))
    def run(seed):
        check_damaged(originals[name], name, seed, tmp_path_factory)

    run()
