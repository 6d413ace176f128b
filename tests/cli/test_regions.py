"""Tests of `mmseg-spml regions`: progress, bad images, a second run."""

import re

import numpy as np
import pytest
from cli.commands import run_command
from PIL import Image

from mmseg_spml.io.index_maps import read_index_map


@pytest.fixture
def run(tmp_path, capsys):
    """Function that runs the tool, and returns its exit code and both outputs."""

    def run(*arguments):
        command = ['regions', tmp_path / 'images', tmp_path / 'out', *arguments]
        with pytest.raises(SystemExit) as end:
            run_command(*command)
        return end.value.code, *capsys.readouterr()

    folder = tmp_path / 'images' / 'sub'
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for path in (folder / 'a.jpg', folder.parent / 'b.png', folder.parent / 'd.png'):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    return run


def test_one_bad_image_among_good_ones(run, tmp_path):
    (tmp_path / 'images/c.jpg').write_text('no image')
    code, out, err = run('--method', 'slic', '--workers', 2)
    assert code == 1
    assert '3 made, 0 kept, 1 failed' in out and 'regions per image' in out
    assert f'{tmp_path}/images/c.jpg: no image' in err
    maps = sorted(
        p.relative_to(tmp_path / 'out') for p in tmp_path.glob('out/**/*.png')
    )
    assert list(map(str, maps)) == ['b.png', 'd.png', 'sub/a.png']
    (tmp_path / 'images/c.jpg').unlink()
    code, out, _ = run('--method', 'slic', '--workers', 1)
    assert code == 0 and '0 made, 3 kept, 0 failed' in out


def test_options_and_picture(run, tmp_path):
    arguments = ('--method', 'owt-ucm', '--workers', 1, '--most-regions', 5)
    code, out, _ = run(*arguments, '--threshold', 0, '--show', tmp_path / 'seen.png')
    assert code == 0
    assert read_index_map(str(tmp_path / 'out/b.png')).max() == 4
    assert f'drawn to {tmp_path}/seen.png' in out
    assert np.asarray(Image.open(tmp_path / 'seen.png')).std() > 10


@pytest.mark.parametrize('arguments, what', [
    (('--method', 'slic', '--threshold', 1), 'is for hed-owt-ucm and owt-ucm'),
    (('--method', 'edges'), "'edges' is not one of"),
    (('--workers', 0), '--workers.*0 is not in the range'),
])  # fmt: skip
def test_wrong_usage(run, arguments, what):
    assert re.search(what, run(*arguments)[0])


def test_what_is_missing_is_said_at_once(run, tmp_path):
    assert 'no folder' in run('--contours', tmp_path / 'none')[0]
    assert 'folder of masks' in run('--method', 'masks')[0]
    assert 'no HED weights' in run('--weights', tmp_path / 'none.h5')[0]
