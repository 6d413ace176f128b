"""Class names on a command line."""

import pytest

from mmseg_spml.annotations.class_names import as_background, class_names


def test_names_or_a_file_of_them(tmp_path):
    assert class_names(None) is None
    assert class_names(['cat', 'dog']) == ['cat', 'dog']
    path = tmp_path / 'classes.txt'
    path.write_text('cat\n\n tv monitor \n', encoding='utf-8-sig')
    assert class_names([str(path)]) == ['cat', 'tv monitor']


def test_mistakes():
    with pytest.raises(ValueError, match='occurs twice'):
        class_names(['cat', 'cat'])
    with pytest.raises(FileNotFoundError, match='no file of class names none.txt'):
        class_names(['none.txt'])


def test_spellings_of_the_background():
    for name in ('background', '_background_', 'Background', ' BG', 'back-ground'):
        assert as_background(name)
    for name in ('', 'foreground', 'bag', 'other', 'backgrounds'):
        assert not as_background(name)
