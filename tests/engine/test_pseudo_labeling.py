"""What pseudo labels are made of."""

import pytest
from mmengine.config import Config

from mmseg_spml.engine.pseudo_labeling import label_training_images


def pipeline_of(training):
    """Pipeline of the images to be labeled, for a pipeline of the training images."""
    data = dict(type='WeakSegDataset', pipeline=training)
    cfg = Config(
        dict(
            model=dict(type='SPMLSegmentor'),
            train_dataloader=dict(dataset=data),
            test_dataloader=dict(dataset=None),
        )
    )
    label_training_images(cfg, 'out')
    return cfg.test_dataloader.dataset.pipeline


def test_all_that_a_person_accepted_is_read():
    weak = dict(type='LoadWeakAnnotations', num_classes=3)
    _, loading, _ = pipeline_of([weak])
    assert loading == dict(weak, accepted_weight=1.0)


def test_images_are_loaded_as_in_training():
    bands = dict(type='LoadMultiBandImage', bands=(0, 1))
    limit = dict(type='LimitSize', max_side=900)
    weak, flip = dict(type='LoadWeakAnnotations'), dict(type='WeakRandomFlip')
    assert [*map(dict, pipeline_of([bands, limit, weak, flip])[:2])] == [bands, limit]
    assert pipeline_of([weak])[0]['type'] == 'LoadImageFromFile'


def test_full_masks_are_not_replaced(tmp_path):
    with pytest.raises(ValueError, match='name another folder'):
        label_training_images(Config(), str(tmp_path), str(tmp_path))
