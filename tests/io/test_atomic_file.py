import os

import pytest

from mmseg_spml.io.atomic_file import atomic_file


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(KeyError), atomic_file(path) as file:
        file.write(b'new')
        raise KeyError
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match='name a file'), atomic_file(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_the_new_file_replaces_the_old_and_has_its_usual_rights(tmp_path):
    (tmp_path / 'b').write_text('')
    with atomic_file(tmp_path / 'a') as file:
        file.write(b'new')
    assert (tmp_path / 'a').read_bytes() == b'new'
    assert os.stat(tmp_path / 'a').st_mode == os.stat(tmp_path / 'b').st_mode
