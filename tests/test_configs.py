"""Configs parse, are self-contained, and hold the hyper-parameters of the release."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
RUNS = sorted(
    p
    for folder in (CONFIGS, ROOT / 'experiments/configs')
    for p in folder.glob('[!_]*/*.py')
    if p.parent.name not in ('recipes', 'ablations')
)
FOLDERS = (
    *('CCP_ROOT', 'CCP_WEAK', 'CAMVID_ROOT', 'CAMVID_WEAK', 'VOC_ROOT', 'VOC_WEAK'),
    *('ACDC_ROOT', 'ACDC_WEAK'),
    'DEMO_ROOT',
)

# Per run: (weight, concentration) of annotation, co-occurrence, image similarity and
# feature affinity.
VOC = {
    'tags': ((0.3, 6), (0.3, 8), (0.1, 16), None),
    'boxes': ((0.3, 6), (0.3, 8), (0.1, 16), None),
    'points': ((0.1, 6), (0.1, 8), (0.1, 16), None),
    'scribbles': ((1.0, 6), (0.5, 12), (0.1, 16), None),
}
RELATIONS = {f'deeplabv2_voc_{kind}': values for kind, values in VOC.items()}
RELATIONS['pspnet_densepose_points'] = ((1.0, 6), None, (0.1, 16), (0.5, 12))
RELATIONS['pspnet_densepose_points_as_released'] = ((1.0, 6), None, (0.1, 16), None)
LISTS = {
    'tags': 'seam_train+_a6_th0.2_hed',
    'boxes': 'seambox_train+_a6_th0.5_hed',
    'points': 'scribble_train+_d6_0.0_hed',
    'scribbles': 'scribble_train+_d3_hed',
}
CLASSIFIERS = {
    **{f'classifier_voc_{kind}': f'deeplabv2_voc_{kind}' for kind in VOC},
    'classifier_densepose_points': 'pspnet_densepose_points',
}
LOSSES = (
    'SemanticAnnotationLoss',
    'SemanticCooccurrenceLoss',
    'ImageSimilarityLoss',
    'FeatureAffinityLoss',
)


def all_dicts(node):
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from all_dicts(value)


def load(name):
    return Config.fromfile(str(CONFIGS / 'spml' / f'{name}.py'))


def all_strings(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from all_strings(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from all_strings(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize('path', RUNS, ids=lambda path: path.stem)
def test_config_stands_alone(path, monkeypatch):
    for name in FOLDERS:
        monkeypatch.delenv(name, raising=False)
    cfg = Config.fromfile(str(path))
    more = ['mmseg_spml.models.classifiers'] if path.parent.name == 'cam' else []
    if path.stem.startswith('convnext'):
        more = ['mmseg_spml.models.backbones.mmpretrain']
    assert cfg.custom_imports['imports'] == ['mmseg_spml', *more]
    assert cfg.default_scope == 'mmseg'
    for text in all_strings(cfg.to_dict()):
        assert not text.startswith(('/', '~')), f'a path of one machine: {text}'
        assert '://' not in text, f'needs a network: {text}'
    for part in all_dicts(cfg.to_dict()):
        if part.get('data_root'):
            inside = [part.get('ann_file'), part.get('tags_file')]
            inside += part.get('data_prefix', {}).values()
            for text in filter(None, inside):
                assert not text.startswith('data/'), f'below data_root: {text}'


def test_voc_animals_are_those_of_the_prepared_labels():
    from experiments.photographs import VOC_ANIMALS
    from mmseg_spml.datasets import VOCWeakDataset

    file = ROOT / 'experiments/configs/_base_/datasets/voc_animals.py'
    metainfo = Config.fromfile(str(file)).metainfo
    assert tuple(metainfo.classes) == VOC_ANIMALS
    names, colors = (VOCWeakDataset.METAINFO[key] for key in ('classes', 'palette'))
    assert metainfo.palette == [colors[names.index(name)] for name in VOC_ANIMALS]


def test_names_are_unique():
    """Results and work folders are named by configs without their folder."""
    names = [path.stem for path in RUNS]
    assert len(set(names)) == len(names)


def test_bases_are_our_own():
    for path in [*CONFIGS.rglob('*.py'), *(ROOT / 'experiments').rglob('*.py')]:
        assert 'mmseg::' not in path.read_text(), path


@pytest.mark.parametrize('name', list(RELATIONS))
def test_relations(name):
    relations = {r.type: r for r in load(name).model.decode_head.relations}
    assert len(relations) == sum(value is not None for value in RELATIONS[name])
    for loss, expected in zip(LOSSES, RELATIONS[name]):
        if expected is None:
            assert loss not in relations
        else:
            found = relations[loss]
            assert (found.loss_weight, found.concentration) == expected
    located = 'located' if 'voc' in name else 'plain'
    assert relations['ImageSimilarityLoss'].features == located
    if 'voc' in name:
        assert tuple(relations['SemanticCooccurrenceLoss'].ignore_tags) == (0,)


@pytest.mark.parametrize('name', list(RELATIONS))
def test_network_and_clusters(name):
    voc = 'voc' in name
    model = load(name).model
    neck, head = model.neck, model.decode_head
    assert neck.projection.type == ('ASPPEmbedding' if voc else 'PSPEmbedding')
    assert neck.projection.embedding_dim == head.embedding_dim == (64 if voc else 32)
    assert neck.num_classes == head.num_classes == (21 if voc else 15)
    assert tuple(neck.grid) == ((6, 6) if voc else (12, 12))
    assert tuple(head.retrieval.grid) == ((12, 12) if voc else (24, 24))
    assert (neck.iterations, head.retrieval.iterations) == (10, 10)
    assert head.retrieval.neighbors == 20
    assert head.memory.steps == (2 if voc else 0)
    assert neck.upsample == 2
    assert neck.color_features == (None if voc else 'distance')
    affinity = RELATIONS[name][3] is not None
    assert neck.affinity_threshold == (0.95 if affinity else None)
    assert head.dropout_ratio == 0.75
    assert head.classifier_weight == 'annotation'
    assert head.classify_at == 'input'
    if voc:
        assert tuple(neck.projection.dilations) == (6, 12, 18, 24)
    else:
        assert tuple(neck.projection.pool_scales) == (1, 2, 3, 6)
        assert 'dilations' not in neck.projection

    size = (512, 512) if voc else (640, 640)
    assert model.test_cfg.mode == 'slide'
    assert tuple(model.test_cfg.crop_size) == tuple(model.test_cfg.stride) == size
    assert tuple(model.data_preprocessor.test_cfg.size) == size
    assert tuple(model.data_preprocessor.size) == (512, 512)


@pytest.mark.parametrize('name', [*RELATIONS, *CLASSIFIERS])
def test_backbone(name):
    backbone = load(name).model.backbone
    assert (backbone.type, backbone.depth, backbone.stem_channels) == (
        'ResNetV1c',
        101,
        128,
    )
    assert tuple(backbone.strides) == (1, 2, 1, 1)
    assert tuple(backbone.dilations) == (1, 1, 2, 4)
    assert backbone.contract_dilation is True
    assert backbone.style == 'pytorch'
    assert (backbone.norm_eval, backbone.frozen_stages) == (False, -1)
    assert backbone.norm_cfg == dict(type='SyncBN', momentum=3e-4)
    assert tuple(backbone.out_indices) == (3,)
    if name in RELATIONS:
        assert backbone.init_cfg.checkpoint == 'pretrained/resnet101_cuhk_mmseg.pth'


@pytest.mark.parametrize('name', [*RELATIONS, *CLASSIFIERS])
def test_optimization(name):
    cfg = load(name)
    iterations = 4000 if 'classifier' in name else 30000 if 'voc' in name else 45000
    assert cfg.train_cfg.type == 'IterBasedTrainLoop'
    assert cfg.train_cfg.max_iters == iterations
    assert cfg.total_batch_size == 16
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    assert cfg.optim_wrapper.constructor == 'SPMLOptimWrapperConstructor'
    expected = dict(type='LRMomentumSGD', lr=3e-3, momentum=0.9, weight_decay=5e-4)
    assert cfg.optim_wrapper.optimizer == expected
    paramwise = cfg.optim_wrapper.paramwise_cfg
    assert tuple(cfg.model.frozen_modules) == ('backbone.stem', 'backbone.layer1')
    assert (paramwise.head_lr_mult, paramwise.bias_lr_mult) == (10, 2)
    (schedule,) = cfg.param_scheduler
    assert schedule == dict(
        type='WarmupPolyLR',
        power=0.9,
        warmup_iters=100,
        warmup_ratio=0.1,
        max_iters=iterations,
        by_epoch=False,
    )
    assert cfg.randomness.seed == 235
    assert cfg.train_dataloader.sampler == dict(type='DrawSampler', shuffle=True)
    assert dict(type='ExactResumeHook') in cfg.custom_hooks


@pytest.mark.parametrize('name', list(RELATIONS))
def test_augmentation(name):
    pipeline = {
        step.type: step for step in load(name).train_dataloader.dataset.pipeline
    }
    assert list(pipeline) == [
        'LoadImageFromFile',
        'LoadWeakAnnotations',
        'LoadRegions',
        'WeakRandomFlip',
        'RandomResizeOfImage',
        'PadToCropSize',
        'RandomCrop',
        'PackWeakSegInputs',
    ]
    assert pipeline['LoadImageFromFile'].to_float32 is True
    assert pipeline['WeakRandomFlip'].prob == 0.5
    assert tuple(pipeline['RandomResizeOfImage'].ratio_range) == (0.5, 1.5)
    assert tuple(pipeline['PadToCropSize'].size) == (512, 512)
    assert tuple(pipeline['RandomCrop'].crop_size) == (512, 512)
    assert pipeline['RandomCrop'].cat_max_ratio == 1.0


@pytest.mark.parametrize('name', [*RELATIONS, *CLASSIFIERS])
def test_flip_exchanges_the_sides_of_bodies(name):
    from mmseg_spml.datasets import DensePosePointDataset

    pipeline = {
        step.type: step for step in load(name).train_dataloader.dataset.pipeline
    }
    pairs = pipeline['WeakRandomFlip'].get('swap_labels')
    if 'voc' in name:
        assert pairs is None
    else:
        expected = [tuple(pair) for pair in DensePosePointDataset.SWAP_LABELS]
        assert [tuple(pair) for pair in pairs] == expected


@pytest.mark.parametrize('name', [*RELATIONS, *CLASSIFIERS])
def test_data(name):
    cfg = load(name)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    if 'voc' in name:
        assert train.type == test.type == 'VOCWeakDataset'
        assert train.ann_file == f'lists/{LISTS[name.split("_")[-1]]}.txt'
        assert test.ann_file == 'lists/panoptic_val.txt'
        size = 512
    else:
        assert train.type == test.type == 'DensePosePointDataset'
        assert train.ann_file == 'lists/panoptic_train2014_points_pmi0.1_256.txt'
        assert test.ann_file == 'lists/panoptic_minival2014.txt'
        size = 640
    assert train.get('test_mode', False) is False
    assert test.test_mode is True
    resize = test.pipeline[1]
    assert (tuple(resize.scale), resize.keep_ratio) == ((size, size), True)
    # The truth is loaded after the resize and keeps its size.
    assert test.pipeline[2].type == 'LoadAnnotations'
    assert cfg.test_evaluator.type == 'ClassIoUMetric'


@pytest.mark.parametrize('name', list(CLASSIFIERS))
def test_classifier_stage(name):
    cfg, stage1 = load(name), CLASSIFIERS[name]
    first = load(stage1)
    iterations = first.train_cfg.max_iters
    weights = f'work_dirs/{stage1}/iter_{iterations}.pth'
    for part in ('backbone', 'neck'):
        assert cfg.model[part].init_cfg == dict(
            type='Pretrained', checkpoint=weights, prefix=f'{part}.'
        )
    assert cfg.load_from is None  # the classifier starts afresh
    assert cfg.pseudo_label_dir == f'work_dirs/{stage1}/pseudo_labels'
    assert cfg.train_dataloader.dataset.label_dir == cfg.pseudo_label_dir
    assert cfg.train_dataloader.batch_size == 16
    assert cfg.model.freeze_embedding is True
    assert cfg.model.neck.projection == first.model.neck.projection
    head = cfg.model.decode_head
    assert head.relations == []
    assert head.memory is None
    assert head.dropout_ratio == 0.65
    assert head.classifier_weight == 1.0
    assert head.norm_cfg == dict(type='BN')

    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert list(pipeline) == [
        'LoadImageFromFile',
        'LoadWeakAnnotations',
        'WeakRandomFlip',
        'RandomResizeOfImage',
        'PadToCropSize',
        'RandomCrop',
        'RandomGray',
        'RandomGaussianBlur5',
        'PackWeakSegInputs',
    ]
    assert tuple(pipeline['RandomResizeOfImage'].ratio_range) == (0.5, 2.0)
    assert pipeline['RandomGray'].prob == 0.3
    assert pipeline['RandomGaussianBlur5'].prob == 0.5
    assert tuple(pipeline['RandomGaussianBlur5'].sigma) == (0.1, 5.0)


def test_as_released_differs_by_feature_affinity_alone():
    intended = load('pspnet_densepose_points').to_dict()
    released = load('pspnet_densepose_points_as_released').to_dict()
    intended['model']['neck']['affinity_threshold'] = None
    dropped = intended['model']['decode_head']['relations'].pop()
    assert dropped['type'] == 'FeatureAffinityLoss'
    assert intended == released


@pytest.mark.parametrize('name', list(RELATIONS))
def test_pipelines_build(name):
    from mmengine.registry import DefaultScope
    from mmseg.registry import TRANSFORMS

    import mmseg_spml  # noqa: F401

    cfg = load(name)
    pipelines = (
        cfg.train_dataloader.dataset.pipeline,
        cfg.test_dataloader.dataset.pipeline,
        cfg.tta_pipeline,
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        for pipeline in pipelines:
            for step in pipeline:
                TRANSFORMS.build(step)


def test_model_index():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    models = [
        model
        for name in index['Import']
        for model in yaml.safe_load((ROOT / name).read_text())['Models']
    ]
    assert {model['Name'] for model in models} == {
        *(f'deeplabv2_voc_{kind}' for kind in VOC),
        'pspnet_densepose_points_as_released',
    }
    for model in models:
        assert model['Config'] == f'configs/spml/{model["Name"]}.py'
        assert (ROOT / model['Config']).is_file()
        # A result is listed once a run of this package is in results/.
        assert 'Results' not in model
