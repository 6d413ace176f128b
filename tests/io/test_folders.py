"""Files that are named like images."""

import os

import pytest

from mmseg_spml.io.folders import make_output_folder, named_like, names_below


@pytest.fixture
def masks(tmp_path):
    folder = tmp_path / 'masks'
    for name in ('a.png', 'x/a.png', 'images/x/a.png', 'x/b.png'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    'image, found',
    [
        ('a.jpg', 'a.png'),
        ('x/a.jpg', 'x/a.png'),
        ('y/a.jpg', 'a.png'),
        ('/data/images/x/a.jpg', 'images/x/a.png'),
        ('/data/pictures/x/a.tif', 'x/a.png'),
        ('../pictures/./x/a.tif', 'x/a.png'),
        ('x/b.c.png', None),
        ('b.jpg', None),
    ],
)
def test_the_longest_end_of_a_path_counts(masks, image, found):
    assert named_like(image, masks) == (None if found is None else masks / found)


def test_an_image_is_not_its_own_mask(masks, monkeypatch):
    images = masks.parent / 'images' / 'z'
    images.mkdir(parents=True)
    (images / 'c.png').touch()
    monkeypatch.chdir(masks)
    assert named_like('../images/z/c.png', 'x') is None


def test_names_of_relative_and_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names_below(['a/0.jpg', str(tmp_path / 'b' / '0.jpg')]) == [
        'a/0.jpg',
        'b/0.jpg',
    ]
    assert names_below(['a/0.jpg']) == ['0.jpg']


def test_folders_that_cannot_be_written_are_found_early(tmp_path, monkeypatch):
    make_output_folder(tmp_path / 'a' / 'b')
    assert (tmp_path / 'a' / 'b').is_dir()
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='file'):
        make_output_folder(tmp_path / 'file' / 'b')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # root may write
    with pytest.raises(PermissionError, match='Permission denied.*b'):
        make_output_folder(tmp_path / 'a' / 'b')
