"""Lists of the images of a folder."""

import os
import re
import warnings

import pytest

from mmseg_spml.io.image_folders import chosen_images, list_images, names_of_images
from mmseg_spml.io.images import IMAGE_SUFFIXES


def test_chosen_images(tmp_path):
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / name).touch()
    assert chosen_images(tmp_path, ('.jpg',), None) == ['a.jpg', 'b.jpg']
    assert chosen_images(tmp_path, ('.jpg',), ['b.jpg']) == ['b.jpg']
    with pytest.raises(ValueError, match='lacks 1 of the images .* c.jpg'):
        chosen_images(tmp_path, ('.jpg',), ['b.jpg', 'c.jpg'])


@pytest.mark.parametrize('name', [b'caf\xe9.jpg', b' a.jpg', b'a\nb.jpg'])
def test_names_that_no_list_can_hold_are_left_out(tmp_path, name):
    for file in (name, b'b.jpg'):
        open(os.path.join(os.fsencode(tmp_path), file), 'w').close()
    shown = re.escape(ascii(os.fsdecode(name)))
    with pytest.warns(UserWarning, match=f'1 in all, such as {shown}; rename'):
        assert names_of_images(tmp_path, ('.jpg',)) == ['b.jpg']
    with pytest.warns(UserWarning, match='left out'):
        assert chosen_images(tmp_path, ('.jpg',), None) == ['b.jpg']


def test_images_of_formats_that_are_not_read(tmp_path):
    """Photographs of a phone must not be missing without a word."""
    for name in ('a.png', 'a.cr2', 'b/c.HEIC', 'b/d.heic', 'e.gif', 'f.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(str(tmp_path)) == ['a.png', 'e.gif']
    # The raw file a.cr2 is there as a.png, too.
    with pytest.warns(UserWarning, match=r'left out, 3 in all, such as b/c\.HEIC'):
        assert chosen_images(tmp_path, IMAGE_SUFFIXES, None) == ['a.png']
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert chosen_images(tmp_path, IMAGE_SUFFIXES, ['a.png']) == ['a.png']
