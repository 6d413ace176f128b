"""Tags to a classifier, to activation maps, to seeds, to SPML: the tools in a row."""

import json

import numpy as np
import pytest
from integration import tiny

from mmseg_spml.functional.seeds.cam_files import load_cam
from mmseg_spml.io.index_maps import read_index_map

TOOLS = tiny.ROOT / 'tools'
IMAGES = 5
CAM_CONFIG = """
_base_ = './tiny.py'
custom_imports = dict(imports=['mmseg_spml', 'mmseg_spml.models.classifiers'])
custom_hooks = [dict(type='ExactResumeHook')]
model = dict(
    _delete_=True,
    type='TagClassifier',
    data_preprocessor=dict(
        type='SPMLDataPreProcessor', mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(type='EfficientNetLite', out_indices=(2,), pretrained=False),
    head=dict(
        type='mmpretrain.MultiLabelLinearClsHead', num_classes=3, in_channels=40,
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)),
    scales=(1.0, 2.0))
tags_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakSegInputs')]
train_dataloader = dict(dataset=dict(pipeline=tags_pipeline))
val_dataloader = dict(dataset=dict(pipeline=tags_pipeline))
test_dataloader = dict(dataset=dict(ann_file='lists/train.txt', pipeline=tags_pipeline))
val_evaluator = dict(_delete_=True, type='mmpretrain.AveragePrecision')
test_evaluator = val_evaluator
train_cfg = dict(max_iters=3, val_interval=3)
seeds = dict(method='tags', alpha=4, threshold=0.4)
"""


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=IMAGES)
    tiny.write_config(root)
    (root / 'tags.py').write_text(CAM_CONFIG)
    return root


@pytest.fixture(scope='module')
def classifier(root):
    """Checkpoint of the classifier after three iterations."""
    work = root / 'classifier'
    output = tiny.python(root, TOOLS / 'train.py', root / 'tags.py', '--work-dir', work)
    assert 'multi-label/mAP' in output
    return work / 'iter_3.pth'


@pytest.fixture(scope='module')
def cams(root, classifier):
    out = root / 'cams'
    output = tiny.python(
        root, '-m', 'mmseg_spml', 'cams', root / 'tags.py', classifier, out
    )
    assert f'cam/files: {IMAGES}' in output
    return out


def make_seeds(root, out, cams, *arguments, **options):
    return tiny.python(
        root, '-m', 'mmseg_spml', 'seeds', root / 'tags.py', out, '--cams', cams,
        '--workers', '1', *arguments, **options,
    )  # fmt: skip


@pytest.fixture(scope='module')
def seeds(root, cams):
    out = root / 'seeds'
    report = root / 'report' / 'seeds.json'
    output = make_seeds(root, out, cams, '--truth', root / 'truth', '--report', report)
    assert '| red |' in output
    content = json.loads(report.read_text())
    assert len(content['images']) == IMAGES
    assert set(content['classes']) == {'background', 'red', 'green', 'blue'}
    assert '--truth' in content['command']
    return out


def test_maps_are_those_of_the_tags(root, cams):
    for index in range(IMAGES):
        weak = read_index_map(str(root / 'weak' / f'{index}.png'))
        shown = set(np.unique(weak[weak < tiny.CLASSES])) - {0}
        maps = load_cam(cams / f'{index}.npz')
        assert set(maps) == shown
        assert all(m.shape == (tiny.HEIGHT, tiny.WIDTH) for m in maps.values())


def test_two_processes_write_the_same_maps(root, classifier, cams):
    out = root / 'cams_of_two'
    tiny.python(
        root, '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_port',
        tiny.free_port(), '-m', 'mmseg_spml', 'cams', root / 'tags.py', classifier, out,
        '--launcher', 'pytorch', '--format', 'npy',
    )  # fmt: skip
    assert sorted(f.stem for f in out.glob('*.npy')) == sorted(
        f.stem for f in cams.glob('*.npz')
    )
    for file in out.glob('*.npy'):
        one, two = load_cam(cams / f'{file.stem}.npz'), load_cam(file)
        assert set(one) == set(two)
        assert all(np.allclose(one[key], two[key], atol=1e-5) for key in one)


@pytest.fixture(scope='module')
def spml(root, seeds):
    """Options of a run on the seeds, its output and its checkpoint."""
    options = (
        f'train_dataloader.dataset.label_dir={seeds}', 'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
    )  # fmt: skip
    output = tiny.python(
        root, TOOLS / 'train.py', root / 'tiny.py', '--work-dir', root / 'spml',
        '--cfg-options', *options,
    )  # fmt: skip
    return options, output, root / 'spml' / 'iter_2.pth'


def test_spml_trains_on_the_seeds(seeds, spml):
    values = {v for f in seeds.glob('*.png') for v in np.unique(read_index_map(str(f)))}
    assert values <= set(range(tiny.CLASSES + 1))
    assert tiny.CLASSES in values
    _, output, _ = spml
    assert 'mIoU' in output
    assert 'nan' not in output.lower().replace('dominan', '')


def test_pseudo_labels_of_the_trained_model(root, seeds, spml):
    options, _, checkpoint = spml
    out = root / 'pseudo_labels'
    output = tiny.python(
        root, '-m', 'mmseg_spml', 'pseudo-labels', root / 'tiny.py', checkpoint, out,
        '--truth', root / 'truth', '--cfg-options', *options,
        'pseudo_labels.evaluator.crf.iterations=2',
        'pseudo_labels.evaluator.keep_weak_labels=True',
        'test_dataloader.batch_size=2',
    )  # fmt: skip
    assert f'pseudo_labels/files: {IMAGES}' in output
    assert 'pseudo_labels/IoU/red' in output
    for index in range(IMAGES):
        labels = read_index_map(str(out / f'{index}.png'))
        seed = read_index_map(str(seeds / f'{index}.png'))
        marked = seed < tiny.CLASSES
        assert (labels[marked] == seed[marked]).all()
        assert set(np.unique(labels)) <= set(np.unique(seed))


@pytest.mark.parametrize('source', ['nearest_labels', 'retrieval'])
def test_pseudo_labels_of_other_sources(root, seeds, spml, source, tmp_path):
    """Of the nearest segments in the image itself; of those of a bank in a file."""
    options, _, checkpoint = spml
    more = [f'pseudo_labels.model.source={source}']
    if source == 'retrieval':
        bank = tmp_path / 'bank.safetensors'
        tiny.python(
            root, '-m', 'mmseg_spml', 'bank', root / 'tiny.py', checkpoint, bank,
            '--labels', seeds, '--scales', 0.5, 1,
        )  # fmt: skip
        more.append(f'model.decode_head.retrieval.bank={bank}')
    out = tmp_path / 'out'
    output = tiny.python(
        root, '-m', 'mmseg_spml', 'pseudo-labels', root / 'tiny.py', checkpoint, out,
        '--truth', root / 'truth', '--cfg-options', *options, *more,
    )  # fmt: skip
    assert 'Retrieval bank' not in output
    report = json.loads((out / 'logs' / 'report.json').read_text())
    assert len(report['images']) == IMAGES
    assert (out / 'logs' / 'picture.png').is_file()
    assert len(list(out.glob('*.png'))) == IMAGES


def test_checkpoints_of_other_models_are_refused(root, classifier, spml, tmp_path):
    other = tiny.python(
        root, '-m', 'mmseg_spml', 'cams', root / 'tags.py', spml[2], tmp_path / 'out',
        fails=True,
    )  # fmt: skip
    assert 'is of another model' in other
    assert 'it lacks' in other
    segmentor = tiny.python(
        root, '-m', 'mmseg_spml', 'cams', root / 'tiny.py', spml[2], tmp_path / 'out',
        fails=True,
    )  # fmt: skip
    assert 'activation maps need a TagClassifier' in segmentor
    assert not list(tmp_path.glob('out/*.npz'))


def test_what_was_trained_on_is_not_overwritten(root, seeds, spml):
    options, _, checkpoint = spml
    before = {file.name: file.read_bytes() for file in seeds.glob('*.png')}
    output = tiny.python(
        root, '-m', 'mmseg_spml', 'pseudo-labels', root / 'tiny.py', checkpoint, seeds,
        '--cfg-options', *options, fails=True,
    )  # fmt: skip
    assert 'name another folder' in output
    assert before == {file.name: file.read_bytes() for file in seeds.glob('*.png')}


def test_bad_images_are_named_and_the_others_made(root, cams, tmp_path):
    damaged = tmp_path / 'cams'
    damaged.mkdir()
    for file in cams.glob('*.npz'):
        (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / '2.npz').write_bytes(b'no archive')
    (damaged / '4.npz').unlink()
    out = tmp_path / 'seeds'
    output = make_seeds(root, out, damaged, fails=True)
    assert {f.name for f in out.glob('*.png')} == {'0.png', '1.png', '3.png'}
    assert '2.png: cannot read' in output
    assert '4.png: there are no activation maps' in output
    wrong = make_seeds(root, out, cams, '--cfg-options', 'seeds.method=tag', fails=True)
    assert 'method must be one of' in wrong
    assert 'Traceback' not in output + wrong
