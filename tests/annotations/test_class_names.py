"""Class names on a command line."""

import pytest

from mmseg_spml.annotations.class_names import class_names


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
