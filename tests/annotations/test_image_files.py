"""The image of a name that lacks its suffix."""

import pytest

from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.validation import MissingFileError


@pytest.mark.parametrize('file', ['a.jpg', 'a.JPG', 'a.Jpeg', 'b/a.tIF', 'a.npy'])
def test_suffixes_count_in_any_case(tmp_path, file):
    (tmp_path / 'b').mkdir()
    for name in (file, 'other.jpg', 'a.txt'):
        (tmp_path / name).touch()
    stem = file.rpartition('.')[0]
    assert find_image(tmp_path, stem) == file
    assert find_image(tmp_path, file) == file


def test_a_file_that_came_later_is_found(tmp_path):
    with pytest.raises(MissingFileError):
        find_image(tmp_path, 'a')
    (tmp_path / 'a.Png').touch()
    assert find_image(tmp_path, 'a') == 'a.Png'


def test_mistakes(tmp_path):
    for name in ('a.Jpg', 'a.Png', 'b.jpg', 'b.png'):
        (tmp_path / name).touch()
    for name in 'ab':
        with pytest.raises(AnnotationError, match='may be any of'):
            find_image(tmp_path, name)
    with pytest.raises(MissingFileError, match="no image 'x/c'"):
        find_image(tmp_path, 'x/c')
    with pytest.raises(AnnotationError, match='--images'):
        find_image(None, 'a')
