"""Processes whose parent was killed end by themselves."""

import os
import signal
import subprocess
import sys

import pytest

from experiments.reliability.processes import is_alive, wait_for
from mmseg_spml.io.parent import PARENT

# A parent that starts a process, tells its number, and sleeps.
POOL = """
import sys, time
from mmseg_spml.io.processes import spread

def work(_):
    import os
    with open(sys.argv[1] + str(os.getpid()), 'w'):
        pass
    time.sleep(120)

if __name__ == '__main__':
    list(spread(work, [1, 2], 2))
"""
NAMED = """
import os, subprocess, sys
code = (
    'import os, sys, time\\n'
    'from mmseg_spml.io.parent import exit_with_named_parent\\n'
    'exit_with_named_parent()\\n'
    'open(sys.argv[1] + str(os.getpid()), "w").close()\\n'
    'time.sleep(120)\\n'
)
os.environ[NAME] = str(os.getpid())
subprocess.run([sys.executable, '-c', code, sys.argv[1]])
"""


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='reads /proc')
@pytest.mark.parametrize('code, number', [(POOL, 2), (NAMED, 1)])
def test_children_of_a_killed_parent_end(tmp_path, code, number):
    script = tmp_path / 'parent.py'
    script.write_text(code.replace('NAME]', f'{PARENT!r}]'))
    children = tmp_path / 'children'
    children.mkdir()
    command = [sys.executable, str(script), f'{children}/']
    with subprocess.Popen(command) as parent:
        assert wait_for(lambda: len(list(children.iterdir())) == number)
        pids = [int(path.name) for path in children.iterdir()]
        assert all(is_alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not any(is_alive(pid) for pid in pids), seconds=10)


def test_other_parents_are_not_watched(monkeypatch):
    """The variable is inherited by the children of children."""
    code = (
        'import threading\n'
        'from mmseg_spml.io.parent import exit_with_named_parent\n'
        'exit_with_named_parent()\n'
        'print(threading.active_count())\n'
    )
    for pid, threads in ((1, 1), (os.getpid(), 2)):
        monkeypatch.setenv(PARENT, str(pid))
        command = [sys.executable, '-c', code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) == threads


def test_a_parent_that_has_ended_already(monkeypatch):
    with subprocess.Popen([sys.executable, '-c', '']) as gone:
        gone.wait()
    code = (
        'from mmseg_spml.io.parent import exit_with_named_parent\n'
        'exit_with_named_parent()\n'
        'print("goes on")\n'
    )
    monkeypatch.setenv(PARENT, str(gone.pid))
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, '')
