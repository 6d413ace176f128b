"""What pseudo labels are made of."""

import pytest
from mmengine.config import Config

from mmseg_spml.engine.pseudo_labeling import label_training_images


def test_all_that_a_person_accepted_is_read():
    weak = dict(type='LoadWeakAnnotations', num_classes=3)
    cfg = Config(
        dict(
            model=dict(type='SPMLSegmentor'),
            train_dataloader=dict(dataset=dict(type='WeakSegDataset', pipeline=[weak])),
            test_dataloader=dict(dataset=None),
        )
    )
    label_training_images(cfg, 'out')
    _, loading, _ = cfg.test_dataloader.dataset.pipeline
    assert loading == dict(weak, accepted_weight=1.0)


def test_full_masks_are_not_replaced(tmp_path):
    with pytest.raises(ValueError, match='name another folder'):
        label_training_images(Config(), str(tmp_path), str(tmp_path))
