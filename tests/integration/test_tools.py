"""The command line tools on the tiny config, as a user calls them."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from integration import tiny
from mmengine.config import Config
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS

from experiments.reliability.processes import children_of, is_alive, wait_for
from mmseg_spml.models import SegmentBank

TOOLS = tiny.ROOT / 'tools'
RETRIEVAL = ('--cfg-options', 'model.decode_head.predictor=retrieval')
# Odd, so that two processes cannot share them equally.
IMAGES = 5
SHORT = ('train_cfg.max_iters=3', 'train_cfg.val_interval=3')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=IMAGES)
    tiny.write_config(root)
    return root


@pytest.fixture(scope='module')
def trained(root):
    """Output and checkpoint of tools/train.py after three iterations."""
    work_dir = root / 'work'
    output = tiny.python(
        root,
        TOOLS / 'train.py',
        root / 'tiny.py',
        '--work-dir',
        work_dir,
        '--cfg-options',
        *SHORT,
    )
    return output, work_dir / 'iter_3.pth'


def test_train(trained):
    output, checkpoint = trained
    assert checkpoint.is_file()
    assert 'SyncBN is replaced by BN' in output
    assert 'mIoU' in output
    for loss in ('ce', 'annotation', 'cooccurrence', 'image_similarity', 'affinity'):
        assert f'decode.loss_{loss}' in output, loss
    assert 'nan' not in output.lower().replace('dominan', '')
    assert 'Missing key' not in output


def run_test(root, checkpoint, *arguments):
    output = tiny.python(
        root,
        TOOLS / 'test.py',
        root / 'tiny.py',
        checkpoint,
        '--work-dir',
        root / 'tested',
        *arguments,
    )
    assert 'mIoU' in output
    assert 'unexpected key' not in output
    return output


def test_test(root, trained):
    run_test(root, trained[1], '--out', root / 'predicted')
    files = sorted((root / 'predicted').glob('*.png'))
    assert len(files) == IMAGES
    predicted = cv2.imread(str(files[0]), cv2.IMREAD_UNCHANGED)
    assert predicted.shape == (tiny.HEIGHT, tiny.WIDTH)
    assert predicted.max() < tiny.CLASSES


def test_test_by_retrieval(root, trained):
    output = run_test(root, trained[1], *RETRIEVAL)
    assert 'labeled segments' in output


@pytest.mark.slow
@pytest.mark.parametrize('options', [(), RETRIEVAL], ids=['softmax', 'retrieval'])
def test_test_time_augmentation(root, trained, options):
    run_test(root, trained[1], '--tta', *options)


@pytest.mark.parametrize(
    'options',
    [
        ('--crf', '--cfg-options', 'test_dataloader.batch_size=2'),
        pytest.param(('--tta', '--crf'), marks=pytest.mark.slow),
    ],
    ids=['one view', 'views'],
)
def test_crf_and_report(root, trained, options):
    out = root / 'report'
    output = run_test(root, trained[1], *options, '--report', out)
    report = json.loads((out / 'report.json').read_text())
    assert len(report['images']) == IMAGES
    assert f'mIoU: {report["mIoU"]:.2f}' in output
    assert (out / 'picture.png').is_file()


def make_bank(root, checkpoint, *arguments, shell=(), **options):
    run = tiny.shell if shell else tiny.python
    words = ('-m', 'mmseg_spml', 'bank', root / 'tiny.py', checkpoint, *arguments)
    return run(root, *shell, *words, **options)


def test_make_bank(root, trained):
    """Of weak labels, then of more scales, and the tests that use it."""
    path = root / 'deep' / 'bank.safetensors'
    make_bank(root, trained[1], path)
    single = SegmentBank.load(path)
    assert single.origin == 'weak labels'
    make_bank(root, trained[1], path, '--scales', 0.5, 1.5, '--append')
    more = SegmentBank.load(path)
    assert torch.equal(more.labels[: len(single)], single.labels)
    assert len(more) > len(single)
    refused = make_bank(
        root, trained[1], path, '--labels', root / 'weak', '--append', fails=True
    )
    assert 'one origin' in refused and '[>' not in refused  # before any image
    bank = f'model.decode_head.retrieval.bank={path}'
    output = run_test(root, trained[1], *RETRIEVAL, bank)
    assert 'labeled segments' not in output  # no other was built
    assert 'not weakly supervised' not in output


@pytest.mark.slow
def test_banks_of_pseudo_labels_and_full_masks(root, trained, tmp_path):
    truth = root / 'truth'
    make_bank(root, trained[1], tmp_path / 'pseudo', '--labels', truth)
    assert SegmentBank.load(tmp_path / 'pseudo').origin == 'pseudo labels'
    make_bank(root, trained[1], tmp_path / 'full', '--full-masks', truth)
    full = SegmentBank.load(tmp_path / 'full')
    assert full.origin == 'full masks'
    bank = f'model.decode_head.retrieval.bank={tmp_path / "full"}'
    output = run_test(root, trained[1], *RETRIEVAL, bank)
    assert 'not weakly supervised' in output


@pytest.mark.slow
def test_bank_of_two_processes(root, trained, tmp_path):
    """Joined from the shares of both, of which nothing is left."""
    make_bank(root, trained[1], tmp_path / 'one')
    port = tiny.free_port()
    launch = ('python', '-m', 'torch.distributed.run', '--nproc_per_node', 2)
    launch = (*launch, '--master_port', port)
    options = (tmp_path / 'two', '--launcher', 'pytorch')
    make_bank(root, trained[1], *options, shell=launch)
    one, two = (SegmentBank.load(tmp_path / name) for name in ('one', 'two'))
    assert len(one) == len(two)
    order, other = (bank.prototypes[:, 0].argsort() for bank in (one, two))
    assert torch.allclose(one.prototypes[order], two.prototypes[other], atol=1e-5)
    assert torch.equal(one.labels[order], two.labels[other])
    assert not list(tmp_path.glob('two.*'))


@pytest.mark.slow
def test_show_dir(root, trained):
    run_test(root, trained[1], '--show-dir', root / 'painted')
    assert len(list((root / 'painted').rglob('*.png'))) == IMAGES


@pytest.mark.slow
def test_resume(root, trained):
    output = tiny.python(
        root,
        TOOLS / 'train.py',
        root / 'tiny.py',
        '--work-dir',
        root / 'work',
        '--resume',
        '--cfg-options',
        'train_cfg.max_iters=4',
        'default_hooks.checkpoint.interval=4',
    )
    assert 'resumed epoch: 0, iter: 3' in output
    assert (root / 'work' / 'iter_4.pth').is_file()


PROPAGATION = [
    'model.decode_head.propagation.type=LabelPropagationLoss',
    'model.decode_head.detach=False',
]


@pytest.mark.slow
@pytest.mark.parametrize(
    'amp, propagation', [(False, []), (True, []), (False, PROPAGATION)]
)
def test_two_processes(root, tmp_path, amp, propagation):
    """dist_train.sh and dist_test.sh on a machine without CUDA."""
    tiny.shell(
        root,
        TOOLS / 'dist_train.sh',
        root / 'tiny.py',
        2,
        '--work-dir',
        tmp_path,
        *(['--amp'] if amp else []),
        '--cfg-options',
        'train_cfg.max_iters=2',
        'total_batch_size=4',
        *propagation,
    )
    checkpoint = tmp_path / 'iter_2.pth'
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    tiny.registered()
    cfg = tiny.config(root, tmp_path)
    cfg.merge_from_dict(dict(option.split('=') for option in propagation))
    model = MODELS.build(cfg.model)
    model.load_state_dict(state)
    # Two steps, each of two images on each of two ranks.
    images = [kept.image.unique().tolist() for kept in tiny.memory_of(model)]
    assert images == [[0, 1, 2, 3]] * 2
    retrieval = (*RETRIEVAL, *propagation)
    for options in (('--cfg-options', *propagation) if propagation else (), retrieval):
        output = tiny.shell(
            root,
            TOOLS / 'dist_test.sh',
            root / 'tiny.py',
            checkpoint,
            2,
            '--work-dir',
            tmp_path,
            *options,
        )
        assert 'mIoU' in output
    # Retrieval, the last: the bank is that of one process.
    alone = run_test(root, checkpoint, *retrieval)
    assert bank_size(output) == bank_size(alone)


def bank_size(output):
    return re.search(r'Retrieval bank: (\d+) labeled segments', output).group(1)


def test_missing_checkpoint(root):
    output = tiny.python(
        root, TOOLS / 'test.py', root / 'tiny.py', 'nowhere.pth', fails=True
    )
    assert "there is no checkpoint 'nowhere.pth'" in output


@pytest.mark.slow
def test_indivisible_batch(root):
    output = tiny.shell(
        root,
        TOOLS / 'dist_train.sh',
        root / 'tiny.py',
        2,
        '--cfg-options',
        'total_batch_size=3',
        fails=True,
    )
    assert 'total_batch_size=3 cannot be shared equally by 2' in output


@pytest.mark.parametrize('predictor', ['softmax', 'retrieval'])
def test_inference_api(root, trained, predictor, monkeypatch):
    """mmseg.apis on a file and on an array; retrieval reads the bank from a file."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = Config.fromfile(root / 'tiny.py')
    for part in (cfg.model.backbone, cfg.model.neck.projection, cfg.model.decode_head):
        part.norm_cfg = dict(type='BN')
    if predictor == 'retrieval':
        bank = SegmentBank(torch.eye(16)[:3], torch.arange(3))
        bank.save(root / 'bank.safetensors')
        cfg.model.decode_head.predictor = predictor
        cfg.model.decode_head.retrieval.bank = str(root / 'bank.safetensors')
    model = init_model(cfg, str(trained[1]), device='cpu')
    image = root / 'JPEGImages' / '1.png'
    by_path = inference_model(model, str(image))
    by_array = inference_model(model, cv2.imread(str(image)))
    labels = by_path.pred_sem_seg.data[0]
    assert labels.shape == (tiny.HEIGHT, tiny.WIDTH)
    assert torch.equal(labels, by_array.pred_sem_seg.data[0])
    assert by_path.seg_logits.data.shape == (tiny.CLASSES, tiny.HEIGHT, tiny.WIDTH)
    assert torch.isfinite(by_path.seg_logits.data).all()
    both = inference_model(
        model, [cv2.imread(str(image)), np.zeros((30, 50, 3), np.uint8)]
    )
    # Its padding beside a wider image may change pixels at the border.
    assert both[0].pred_sem_seg.data.shape == (1, tiny.HEIGHT, tiny.WIDTH)
    assert both[1].pred_sem_seg.data.shape == (1, 30, 50)


@pytest.mark.slow
def test_draw_samples(root, trained):
    tiny.python(
        root,
        '-m',
        'mmseg_spml',
        'draw',
        root / 'tiny.py',
        trained[1],
        '--out',
        root / 'samples.png',
        '--num',
        2,
    )
    assert cv2.imread(str(root / 'samples.png')) is not None


def test_profile_iteration(root):
    out = root / 'profile.json'
    command = '-m', 'benchmarks.profile_iteration', root / 'tiny.py'
    output = tiny.python(
        root, *command, '--iterations', 3, '--warm-up', 1, '--out', out
    )
    found = json.loads(out.read_text())
    assert found['iterations'] == 3
    backward = {'backbone', 'neck', 'neck: segments', 'decode_head: loss_annotation'}
    assert backward <= set(found['backward_ms'])
    parts = [*found['forward_ms'].values(), *found['backward_ms'].values()]
    assert sum(parts) == pytest.approx(found['total_ms'])
    assert '| decode_head: loss_affinity | ' in output
    assert not (root / 'work_dirs').exists()


@pytest.mark.slow
def test_gpus_start_processes(root):
    work_dir = root / 'two_processes'
    output = tiny.python(
        root, '-m', 'mmseg_spml', 'train', root / 'tiny.py', '--work-dir', work_dir,
        '--gpus', 2, '--device', 'cpu', '--cfg-options', 'max_iters=2',
    )  # fmt: skip
    assert output.count('SyncBN is replaced by BN') == 1
    (log,) = work_dir.glob('*/*.log')
    assert 'Distributed training: True' in log.read_text()
    assert (work_dir / 'iter_2.pth').is_file()


@pytest.mark.slow
def test_processes_end_with_a_killed_launcher(root):
    work_dir = root / 'killed'
    command = [
        *(sys.executable, '-m', 'mmseg_spml', 'train', root / 'tiny.py'),
        *('--work-dir', work_dir, '--gpus', 2, '--device', 'cpu'),
        *('--cfg-options', 'max_iters=100000'),
    ]
    with subprocess.Popen(list(map(str, command)), cwd=tiny.ROOT) as launcher:
        assert wait_for(lambda: list(work_dir.glob('*/vis_data/scalars.json')), 120)
        ranks = children_of(launcher.pid)
        assert len(ranks) == 2
        launcher.kill()
    assert wait_for(lambda: not any(map(is_alive, ranks)), 10)
