"""Every config of the repository builds what it names, and its model has a loss."""

import cv2
import mmseg
import numpy as np
import pytest
import torch
from integration import tiny
from integration.ranks import sample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.apis import inference_model
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISUALIZERS,
)
from packaging.version import Version

from mmseg_spml.engine import launch

FOLDERS = ('spml', 'baselines', 'auxiliary')
CONFIGS = [
    path
    for root in (tiny.ROOT, tiny.ROOT / 'experiments')
    for folder in FOLDERS
    for path in sorted((root / 'configs' / folder).glob('*.py'))
]
NAMES = [f'{path.parent.name}/{path.stem}' for path in CONFIGS]
EXPECTED = {
    *(f'deeplabv2_voc_{kind}' for kind in ('tags', 'boxes', 'points', 'scribbles')),
    *(f'classifier_voc_{kind}' for kind in ('tags', 'boxes', 'points', 'scribbles')),
    'pspnet_densepose_points',
    'classifier_densepose_points',
    *(
        f'efficientnet_lite0_{name}'
        for kind in (
            *('ccp_points', 'ccp_scribbles', 'camvid_scribbles'),
            *('voc_animals_points', 'voc_animals_scribbles'),
        )
        for name in (kind, f'{kind}_ce', f'{kind.rpartition("_")[0]}_full_ce')
    ),
}
SIZE = (65, 65)
HEAVY_IN_FAST_RUN = 'deeplabv2_voc_scribbles', 'pspnet_densepose_points'


def load(path):
    """The config without pretrained weights, fit for a machine without CUDA."""
    tiny.registered()
    cfg = Config.fromfile(path)
    launch._replace_sync_norms(cfg.model)
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'EfficientNetLite':
        cfg.model.backbone.pretrained = False
    return cfg


def heavy(path):
    small = ('efficientnet', 'segformer')
    return not path.stem.startswith(small) and path.stem not in HEAVY_IN_FAST_RUN


every = pytest.mark.parametrize('path', CONFIGS, ids=NAMES)
every_model = pytest.mark.parametrize(
    'path',
    [
        pytest.param(path, marks=[pytest.mark.slow] if heavy(path) else [])
        for path in CONFIGS
    ],
    ids=NAMES,
)


def test_all_runs_have_a_config():
    assert {path.stem for path in CONFIGS} >= EXPECTED


def training_batch(classes):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *SIZE, generator=generator)
    samples = []
    for _ in images:
        labels = torch.randint(0, classes + 1, SIZE, generator=generator)
        labels[:5] = 255
        regions = torch.arange(SIZE[0])[:, None] // 9 * 100 + torch.arange(SIZE[1]) // 9
        tags = torch.rand(classes, generator=generator) < 0.3
        samples.append(sample(labels, regions, tags))
    return images, samples


@every_model
def test_model_trains_and_predicts(path):
    if 'weighted' in path.stem and Version(mmseg.__version__) < Version('1.3'):
        pytest.skip('mmsegmentation 1.2 has no weights where labels are ignored')
    torch.manual_seed(0)
    cfg = load(path)
    model = MODELS.build(cfg.model)
    classes = model.decode_head.num_classes
    images, samples = training_batch(classes)
    if cfg.model.type == 'EncoderDecoder':
        # The pipelines of these configs make unlabeled pixels void.
        for one in samples:
            one.gt_sem_seg.data[one.gt_sem_seg.data == classes] = 255
    model.train()
    losses = model.loss(images, samples)
    total = sum(tiny.named_losses(losses))
    assert torch.isfinite(total)
    total.backward()

    # The optimizer and the schedule take this model.
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for scheduler in cfg.param_scheduler:
        built = PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=wrapper))
        assert built.max_iters == cfg.train_cfg.max_iters
    used = {id(p) for g in wrapper.optimizer.param_groups for p in g['params']}
    for name, parameter in model.named_parameters():
        if id(parameter) in used and parameter.requires_grad:
            # DDP waits for parameters that get no gradient.
            assert parameter.grad is not None, name
    wrapper.step()
    assert tiny.finite_parameters(model)

    model.eval()
    metas = [dict(img_shape=SIZE, ori_shape=SIZE, pad_shape=SIZE)] * 2
    with torch.no_grad():
        scores = model.inference(images, metas)
    assert scores.shape == (2, classes, *SIZE)


class Four:
    """Stand-in for a data set: two images with shapes, two without."""

    def __len__(self):
        return 4

    def labeled(self):
        return np.array([True, True, False, False])


@every
def test_parts_are_registered(path):
    """Data sets, pipelines, samplers, hooks, metrics: every name and option exists."""
    cfg = load(path)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        dataset = DATASETS.build(dict(loader.dataset, lazy_init=True))
        assert dataset.num_classes == cfg.model.decode_head.num_classes
        DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=Four(), seed=0))
    # A visualizer of its own name, since it is global.
    VISUALIZERS.build(dict(cfg.visualizer, name=f'of {path.stem}'))
    for hook in (*cfg.default_hooks.values(), *cfg.custom_hooks):
        HOOKS.build(hook)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        METRICS.build(evaluator)
    if 'tta_pipeline' in cfg:
        for transform in cfg.tta_pipeline:
            TRANSFORMS.build(transform)
        assert 'tta_model' in cfg


@every
def test_numbers_of_iterations_agree(path):
    cfg = load(path)
    assert cfg.train_cfg.max_iters == cfg.max_iters == cfg.param_scheduler[-1].max_iters
    assert cfg.custom_imports.imports[0] == 'mmseg_spml'
    assert cfg.default_scope == 'mmseg'
    assert cfg.randomness.seed is not None


@every
def test_classes_agree(path):
    """Necks and heads count the same classes."""
    model = load(path).model
    spml = model.get('spml') or {}
    necks = [part for part in (model.get('neck'), spml.get('neck')) if part]
    heads = [part for part in (model.decode_head, spml.get('decode_head')) if part]
    assert len({part.num_classes for part in [*necks, *heads]}) == 1
    for relation in heads[-1].get('relations', []):
        if relation.type == 'FeatureAffinityLoss':
            assert necks[-1].affinity_threshold is not None


def pipeline_of_api(cfg):
    """What mmseg.apis leaves of the test pipeline: a photograph has no labels."""
    steps = [step for step in cfg.test_pipeline if step['type'] != 'LoadAnnotations']
    return [TRANSFORMS.build(step) for step in steps]


@every
def test_pipeline_without_labels(path, tmp_path):
    """The test pipeline also serves mmseg.apis.inference_model."""
    image = tmp_path / 'photograph.jpg'
    cv2.imwrite(str(image), np.zeros((40, 60, 3), np.uint8))
    results = dict(img_path=str(image))
    for transform in pipeline_of_api(load(path)):
        results = transform(results)
    assert results['inputs'].shape[0] == 3


def test_inference_api(tmp_path):
    """The same through mmseg.apis, with the smallest of the networks."""
    path = 'experiments/configs/spml/efficientnet_lite0_ccp_scribbles.py'
    cfg = load(tiny.ROOT / path)
    model = MODELS.build(cfg.model).eval()
    model.cfg = cfg
    found = inference_model(model, np.zeros((70, 50, 3), np.uint8))
    assert found.pred_sem_seg.data.shape == (1, 70, 50)
