"""Training and testing on images of five bands of 16 bits."""

import cv2
import numpy as np
import pytest
import tifffile
from integration import tiny

BANDS = 5


@pytest.fixture
def root(tmp_path):
    tiny.registered()
    tiny.write_data(tmp_path)
    (tmp_path / 'bands').mkdir()
    for file in (tmp_path / 'JPEGImages').iterdir():
        colors = cv2.imread(str(file))
        image = np.concatenate([colors, colors[..., :2] // 2], axis=2)
        tifffile.imwrite(
            tmp_path / 'bands' / f'{file.stem}.tif',
            image.astype(np.uint16) * 10,
            photometric='minisblack',
            planarconfig='contig',
        )
    for split in ('train', 'val'):
        path = tmp_path / 'lists' / f'{split}.txt'
        lines = [line.split() for line in path.read_text().splitlines()]
        path.write_text(
            '\n'.join(
                ' '.join([f'bands/{image[11:-4]}.tif', *maps]) for image, *maps in lines
            )
        )
    return tmp_path


@pytest.mark.parametrize('propagation', [None, dict(type='LabelPropagationLoss')])
def test_training_and_testing(root, propagation):
    cfg = tiny.config(
        root,
        root / 'run',
        model__data_preprocessor__mean=[900.0] * BANDS,
        model__data_preprocessor__std=[500.0] * BANDS,
        model__data_preprocessor__bgr_to_rgb=False,
        model__backbone__in_channels=BANDS,
        model__decode_head__propagation=propagation,
        train_cfg__max_iters=3,
        train_cfg__val_interval=3,
    )
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.pipeline[0] = dict(type='LoadMultiBandImage')
    runner = tiny.runner(cfg)
    first = next(runner.model.backbone.parameters()).detach().clone()
    assert first.shape[1] == BANDS
    runner.train()
    trained = next(runner.model.backbone.parameters())
    changed = (trained != first).flatten(2).any(2).any(0)
    assert changed.tolist() == [True] * BANDS
    assert tiny.finite_parameters(runner.model)
