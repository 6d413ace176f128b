"""What a project warns of, and what it says of full masks."""

from dataclasses import replace

import cv2
import numpy as np
from projects import made_up

from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.projects.project import init_project

CLASSES = ['background', 'cat', 'dog']


def masks_of(folder, names, values):
    """Masks of the squares of made_up: the value of the square and that around it."""
    folder.mkdir()
    for index, name in enumerate(names):
        mask = np.full((made_up.SIDE, made_up.SIDE), values[1], np.uint8)
        mask[16:48, 16:48] = values[0] or 1 + index % 2
        cv2.imwrite(str(folder / f'{name}.png'), mask)
    return folder


def said(project):
    return ' '.join(project.summary())


def test_full_masks(tmp_path):
    _, images = made_up.make_data(tmp_path, 24)
    names = [f'{index:02d}' for index in range(24)]
    source = masks_of(tmp_path / 'masks', names, (0, 0))
    project = init_project(source, images, tmp_path / 'mine', classes=CLASSES)
    assert '--loss cross_entropy) is enough' in said(project)
    assert 'IoU is measured on their labels, which are full' in said(project)
    assert 'counts as absent' not in said(project)
    plain = init_project(
        source, images, tmp_path / 'plain', classes=CLASSES, loss='cross_entropy'
    )
    assert 'is enough' not in said(plain)
    # Two thirds of the pixels are not all of them.
    weak = masks_of(tmp_path / 'weak', names, (0, 3))
    project = init_project(weak, images, tmp_path / 'weak_too', classes=CLASSES)
    assert 'is enough' not in said(project) and 'not that of whole' in said(project)


def test_values_that_may_mean_something_else(tmp_path):
    _, images = made_up.make_data(tmp_path, 3)
    names = ['00', '01', '02']
    source = masks_of(tmp_path / 'objects', names, (255, 0))
    project = init_project(source, images, tmp_path / 'a', classes=CLASSES[:2])
    assert 'In 3 of the files: holds 0 and 255 (void) alone' in said(project)
    assert '--values 255=cat' in said(project)
    source = masks_of(tmp_path / 'unlabeled', names, (0, 255))
    project = init_project(source, images, tmp_path / 'b', classes=CLASSES)
    assert '3 label maps are void (255) for the most part' in said(project)
    assert '--values 255=unlabeled' in said(project)
    known = {255: 'unlabeled'}
    project = init_project(
        source, images, tmp_path / 'c', classes=CLASSES, values=known
    )
    assert '255' not in said(project)


def test_names_that_differ_in_case_or_blanks(tmp_path):
    source, images = made_up.make_data(tmp_path)
    text = source.read_text()
    source.write_text(text.replace('"cat"', '"Cat "', 1))
    project = init_project(source, images, tmp_path / 'mine')
    assert "The classes 'Cat ', 'cat' differ in case or blanks" in said(project)
    assert "--rename 'Cat =cat'" in said(project)


def test_tags_of_all_images(tmp_path):
    source, images = made_up.make_data(tmp_path, annotate=made_up.tags)
    assert 'All images have' not in said(init_project(source, images, tmp_path / 'a'))
    one = [made_up.tags(f'0{number}.jpg', 'cat') for number in range(4)]
    json_lines.write(one, source)
    project = init_project(source, images, tmp_path / 'b')
    assert "All images have the tags 'cat'" in said(project)


def test_the_reason_of_images_that_are_left_out(tmp_path):
    source, images = made_up.make_data(tmp_path)
    other_size = made_up.strokes('00.jpg', 'cat')
    other_size = replace(other_size, width=99, strokes=other_size.strokes[:1])
    json_lines.write([other_size, *list(json_lines.read(source))[1:]], source)
    project = init_project(source, images, tmp_path / 'mine')
    assert 'first: 00.jpg: is 64x64, its annotation 64x99' in said(project)
