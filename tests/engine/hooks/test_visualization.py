"""Pictures during training: there, alike over time, and without an effect."""

import cv2
import numpy as np
import pytest
import torch
from integration import tiny

from mmseg_spml.engine import SPMLVisualizationHook
from mmseg_spml.visualization.embedding_colors import fit_colors


def train(
    root, work_dir, *hooks, backends=('LocalVisBackend',), without=None, **options
):
    tiny.registered()
    cfg = tiny.config(root, work_dir, **options)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=5, val_interval=100)
    cfg.custom_hooks = [*cfg.custom_hooks, *hooks]
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = [s for s in dataset.pipeline if s['type'] != without]
    cfg.visualizer.vis_backends = [
        dict(type=backend) if isinstance(backend, str) else backend
        for backend in backends
    ]
    # its name is global
    cfg.visualizer.name = cfg.experiment_name
    runner = tiny.runner(cfg)
    runner.train()
    return runner


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp('data'))


def hook(root, **options):
    truth = str(root / 'truth')
    options = dict(interval=2, num_images=2, truth_dir=truth, height=40, **options)
    return dict(type='SPMLVisualizationHook', **options)


def test_pictures(root, tmp_path):
    drawn = train(root, tmp_path / 'drawn', hook(root))
    pictures = sorted((tmp_path / 'drawn').rglob('spml_samples_*.png'))
    assert [path.stem for path in pictures] == [f'spml_samples_{i}' for i in (2, 4, 5)]
    shapes = {cv2.imread(str(path)).shape for path in pictures}
    assert len(shapes) == 1
    assert shapes.pop()[1] > 6 * 40 * tiny.WIDTH / tiny.HEIGHT  # six panels wide

    plain = train(root, tmp_path / 'plain')
    for name, parameter in plain.model.state_dict().items():
        if isinstance(parameter, torch.Tensor):
            assert parameter.equal(drawn.model.state_dict()[name]), name


def test_retrieval_models_are_drawn_by_their_classifier(root, tmp_path):
    options = {'model.decode_head.predictor': 'retrieval'}
    runner = train(root, tmp_path, hook(root), **options)
    assert runner.model.decode_head.predictor == 'retrieval'
    assert list(tmp_path.rglob('spml_samples_5.png'))


def test_tensorboard(root, tmp_path):
    pytest.importorskip('tensorboard')
    train(root, tmp_path, hook(root), backends=('TensorboardVisBackend',))
    (events,) = tmp_path.rglob('events.out.tfevents.*')
    assert b'spml_samples' in events.read_bytes()


def test_wandb(root, tmp_path, monkeypatch):
    wandb = pytest.importorskip('wandb')
    monkeypatch.setenv('WANDB_SILENT', 'true')
    backend = dict(type='WandbVisBackend', init_kwargs=dict(mode='offline'))
    train(root, tmp_path, hook(root), backends=(backend,))
    wandb.finish()
    pictures = [p for p in tmp_path.rglob('*.png') if 'media' in p.parts]
    names = {path.name.rsplit('_', 2)[0] for path in pictures}
    assert names == {'spml_samples'}, names
    assert len(pictures) == 3


def test_model_without_segments(root, tmp_path):
    options = {'model.type': 'EncoderDecoder', 'model.decode_head.relations': []}
    with pytest.raises(ValueError, match='EncoderDecoder does not have'):
        train(root, tmp_path, hook(root), **options)


def test_what_is_missing_is_said_before_training(root, tmp_path):
    truth = dict(type='SPMLVisualizationHook', truth_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match='truth folder'):
        train(root, tmp_path / 'a', truth)
    with pytest.raises(ValueError, match='LoadRegions'):
        train(
            root,
            tmp_path / 'b',
            dict(type='SPMLVisualizationHook'),
            without='LoadRegions',
        )


@pytest.mark.parametrize('option', [dict(interval=0), dict(num_images=0)])
def test_bad_options(option):
    with pytest.raises(ValueError, match='1 or more'):
        SPMLVisualizationHook(**option)


def test_colors_follow_a_rotated_embedding():
    """The embedding turns and moves: the colors of each pixel stay."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 6)) * (5, 4.9, 4.8, 1, 0.5, 0.1)
    turned = points @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + rng.normal(size=6)
    first = fit_colors(points)
    earlier = points @ first.axes
    second = fit_colors(turned, earlier)
    moved = turned @ second.axes
    np.testing.assert_allclose(
        moved - moved.mean(0), earlier - earlier.mean(0), atol=1e-9
    )
    np.testing.assert_allclose(second.axes.T @ second.axes, np.eye(3), atol=1e-12)
    with pytest.raises(ValueError, match='earlier projections'):
        fit_colors(turned, earlier[1:])
