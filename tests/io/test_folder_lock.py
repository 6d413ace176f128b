"""Locks on folders, within a process and after its end."""

import subprocess
import sys

import pytest

from mmseg_spml.io.folder_lock import FolderInUseError, locked_folder


def test_one_at_a_time(tmp_path):
    with locked_folder(tmp_path / 'new', 'a test'):
        with (
            pytest.raises(FolderInUseError, match='new is in use by another test'),
            locked_folder(tmp_path / 'new', 'another test'),
        ):
            pass
    with locked_folder(tmp_path / 'new', 'a test'):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path):
    code = (
        'import os, sys\n'
        'from mmseg_spml.io.folder_lock import locked_folder\n'
        'with locked_folder(sys.argv[1], "it"):\n'
        '    os.kill(os.getpid(), 9)\n'
    )
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path)])
    assert done.returncode == -9
    with locked_folder(tmp_path, 'a test'):
        pass
