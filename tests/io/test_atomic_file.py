import errno
import os
import subprocess
import sys
import time

import pytest

from mmseg_spml.io import atomic_file as atomic_file_module
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


def test_what_a_killed_process_leaves_is_swept(tmp_path):
    code = (
        'import os, sys\n'
        'from mmseg_spml.io.atomic_file import atomic_file\n'
        'with atomic_file(sys.argv[1]) as file:\n'
        '    os.kill(os.getpid(), 9)\n'
    )
    subprocess.run([sys.executable, '-c', code, str(tmp_path / 'a')])
    (left,) = tmp_path.iterdir()
    assert left.name.startswith('.spml-') and left.suffix == '.partial'
    atomic_file_module._sweep.cache_clear()
    with atomic_file(tmp_path / 'b'):
        pass
    assert left.exists()  # it might belong to a process that has just begun
    os.utime(left, (time.time() - 100,) * 2)
    atomic_file_module._sweep.cache_clear()
    with atomic_file(tmp_path / 'b'):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ['b']


def test_files_at_work_are_not_swept(tmp_path):
    with atomic_file(tmp_path / 'a') as slow:
        (path,) = tmp_path.iterdir()
        os.utime(path, (time.time() - 100,) * 2)
        atomic_file_module._sweep.cache_clear()
        with atomic_file(tmp_path / 'b'):
            pass
        slow.write(b'whole')
    assert (tmp_path / 'a').read_bytes() == b'whole'


def test_a_file_is_locked_until_it_has_its_name(tmp_path, monkeypatch):
    """Otherwise a sweep could remove a file that took long, just before that."""
    replace = os.replace

    def sweep_first(source, target):
        os.utime(source, (time.time() - 100,) * 2)
        atomic_file_module._remove_if_abandoned(source)
        replace(source, target)

    monkeypatch.setattr(os, 'replace', sweep_first)
    with atomic_file(tmp_path / 'a') as file:
        file.write(b'whole')
    assert (tmp_path / 'a').read_bytes() == b'whole'


def test_files_of_others_and_file_systems_without_locks(tmp_path, monkeypatch):
    others = tmp_path / '.other.partial'
    others.touch()
    os.utime(others, (time.time() - 100,) * 2)

    def refuse(*_):
        raise OSError(errno.ENOSYS, 'Function not implemented')

    monkeypatch.setattr(atomic_file_module.fcntl, 'flock', refuse)
    atomic_file_module._sweep.cache_clear()
    with atomic_file(tmp_path / 'a') as file:
        file.write(b'whole')
    assert others.exists() and (tmp_path / 'a').read_bytes() == b'whole'


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, 'Permission denied', '.spml-x.partial')

    monkeypatch.setattr(atomic_file_module.tempfile, 'mkstemp', refuse)
    with pytest.raises(PermissionError, match=r"denied: '.*/a\.txt'"):
        with atomic_file(tmp_path / 'a.txt'):
            pass
