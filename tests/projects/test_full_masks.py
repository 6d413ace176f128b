"""Masks that a project is measured on, good and bad."""

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.projects.full_masks import usable_masks

CLASSES = ('background', 'cat')


def check(tmp_path, suffixes=('.jpg',), **masks):
    images, folder = tmp_path / 'images', tmp_path / 'masks'
    images.mkdir(), folder.mkdir()
    names = [f'{name}{suffix}' for name in masks for suffix in suffixes]
    for name in names:
        cv2.imwrite(str(images / name), np.zeros((4, 6, 3), np.uint8))
    for name, mask in masks.items():
        cv2.imwrite(str(folder / f'{name}.png'), mask)
    problems = Problems(skip=True)
    found = usable_masks(names, images, folder, CLASSES, problems)
    return found, [str(problem) for problem in problems.found]


def mask(*values, shape=(4, 6)):
    return np.resize(np.array(values, np.uint8), shape)


def test_bad_masks_are_left_out(tmp_path):
    found, problems = check(
        tmp_path,
        good=mask(0, 1, 255),
        foreign=mask(0, 7, 9),
        size=mask(0, 1, shape=(3, 6)),
        colors=np.zeros((4, 6, 3), np.uint8),
    )
    assert found == ['good.jpg']
    foreign, size, colors = problems
    assert 'foreign.png' in foreign and 'has the ids [7, 9], but the 2' in foreign
    assert 'size.png' in size and 'is 3x6 (height x width), its image 4x6' in size
    assert 'colors.png' in colors and 'expected one channel of ids' in colors


def test_masks_of_which_none_can_be_used(tmp_path):
    with pytest.raises(AnnotationError, match=r'no mask can be used; .*a.png.* \[2\]'):
        check(tmp_path, a=mask(2), b=mask(3))


def test_white_objects_would_be_void(tmp_path):
    with pytest.raises(AnnotationError, match='hold 0 and 255 alone, but 255 is void'):
        check(tmp_path, a=mask(0, 255), b=mask(0))


def test_void_beside_two_classes(tmp_path):
    found, problems = check(tmp_path, a=mask(0, 255), b=mask(1))
    assert found == ['a.jpg', 'b.jpg'] and not problems


def test_two_images_of_one_mask(tmp_path):
    with pytest.raises(AnnotationError, match=r'one mask for both a\.jpg and a\.bmp'):
        check(tmp_path, suffixes=('.jpg', '.bmp'), a=mask(0, 1))
