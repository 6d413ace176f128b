"""The recipe of the demo at a small size, undisturbed and killed at random moments."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from integration import tiny
from integration.demo_recipe import demo_recipe

SMALL = """
max_iters=20 train_cfg.max_iters=20 train_cfg.val_interval=20
default_hooks.checkpoint.interval=5
""".split()


def small_recipe(folder):
    """experiments/configs/recipes/demo.py with 12 scenes and 20 iterations."""
    recipe = demo_recipe(train=12, val=4)
    text, count = re.subn(r'_often = .*', f'_often = {SMALL!r}', recipe)
    assert count == 1
    assert '12' in text
    path = folder / 'demo.py'
    path.write_text(text)
    return path


def command(path, work_dir):
    return [
        sys.executable,
        *('-m', 'mmseg_spml', 'recipe'),
        str(path),
        '--work-dir',
        str(work_dir),
    ]


def environment():
    path = os.pathsep.join([str(tiny.ROOT), os.environ.get('PYTHONPATH', '')])
    return dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1')


def labels(work_dir):
    """Seeds and pseudo labels, by name."""
    files = [*work_dir.glob('seeds/*.png'), *work_dir.glob('pseudo_labels/*.png')]
    return {f.relative_to(work_dir).as_posix(): f.read_bytes() for f in files}


@pytest.mark.slow
def test_killed_five_times_it_ends_with_the_same_files(tmp_path):
    path = small_recipe(tmp_path)
    run = dict(cwd=tiny.ROOT, env=environment(), stdout=subprocess.DEVNULL)
    start = time.monotonic()
    subprocess.run(command(path, tmp_path / 'whole'), check=True, timeout=900, **run)
    length = time.monotonic() - start
    moments = random.Random(0)
    killed = 0
    for _ in range(5):
        process = subprocess.Popen(
            command(path, tmp_path / 'killed'), start_new_session=True, **run
        )
        try:
            process.wait(timeout=moments.uniform(5, length / 3))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed
    subprocess.run(command(path, tmp_path / 'killed'), check=True, timeout=900, **run)
    whole, again = labels(tmp_path / 'whole'), labels(tmp_path / 'killed')
    assert len(whole) == 24
    assert whole == again
    report = (tmp_path / 'killed' / 'report.md').read_text()
    assert re.search(r'\| pseudo labels \| \d', report)
    assert (tmp_path / 'killed' / 'samples' / 'picture.png').is_file()
