"""What a test reads and writes."""

import pytest
from mmengine.config import Config

from mmseg_spml.datasets import WeakSegDataset
from mmseg_spml.engine.shipped_files import load_config
from mmseg_spml.engine.testing import (
    check_masks,
    loads_masks,
    use_tta,
    use_validation_images,
    write_label_maps,
)


def config(tmp_path, *steps):
    (tmp_path / 'a.py').write_text(
        "_base_ = ['mmseg_spml::_base_/default_runtime.py']\n"
    )
    cfg = load_config(str(tmp_path / 'a.py'))
    pipeline = [dict(type=name) for name in (*steps, 'LoadAnnotations')]
    cfg.model = dict(type='SPMLSegmentor')
    cfg.test_dataloader = dict(dataset=dict(pipeline=pipeline))
    return cfg


@pytest.mark.parametrize(
    'steps', [('LoadImageFromFile', 'LimitSize'), ('LoadMultiBandImage',)]
)
def test_views_are_made_of_images_as_the_test_loads_them(tmp_path, steps):
    cfg = config(tmp_path, *steps)
    use_tta(cfg, views=True, crf=False)
    found = [step['type'] for step in cfg.test_dataloader.dataset.pipeline]
    assert found == [*steps, 'TestTimeAug']


def test_validation_images_are_scored_as_in_training(tmp_path):
    cfg = config(tmp_path, 'LoadImageFromFile')
    cfg.val_dataloader = dict(dataset=dict(pipeline=[dict(type='UnlabeledToVoid')]))
    cfg.val_evaluator = dict(type='ClassIoUMetric')
    assert loads_masks(cfg)
    use_validation_images(cfg)
    assert not loads_masks(cfg)
    assert cfg.test_evaluator.type == 'ClassIoUMetric'
    cfg.val_dataloader = None
    with pytest.raises(ValueError, match='no val_dataloader'):
        use_validation_images(cfg)
    cfg.test_dataloader = None
    with pytest.raises(ValueError, match='no test_dataloader'):
        loads_masks(cfg)


def test_views_of_validation_images_have_their_labels(tmp_path):
    cfg = config(tmp_path, 'LoadImageFromFile')
    weak = dict(type='LoadWeakAnnotations', after_resize=True)
    steps = [dict(type='LoadImageFromFile'), weak, dict(type='UnlabeledToVoid')]
    cfg.val_dataloader = dict(dataset=dict(pipeline=steps))
    cfg.val_evaluator = dict(type='ClassIoUMetric')
    before = cfg.val_dataloader.to_dict()
    use_validation_images(cfg)
    use_tta(cfg, views=True, crf=False)
    _, views = cfg.test_dataloader.dataset.pipeline
    assert [group[0]['type'] for group in views['transforms'][-3:]] == [
        'LoadWeakAnnotations',
        'UnlabeledToVoid',
        'PackSegInputs',
    ]
    assert views['transforms'][-3][0] == weak
    assert cfg.val_dataloader.to_dict() == before
    assert cfg.tta_pipeline[-1]['transforms'][-2][0]['type'] == 'LoadAnnotations'


def test_images_without_masks(tmp_path):
    for name in ('a.jpg', 'a.png'):
        (tmp_path / name).touch()
    images = dict(img_path=str(tmp_path))
    meta = dict(classes=('sky', 'sea'))
    with pytest.raises(
        ValueError, match='if there are any, by --split val, or .*mmseg-spml predict'
    ):
        check_masks(WeakSegDataset(data_prefix=images, metainfo=meta, test_mode=True))
    images['seg_map_path'] = str(tmp_path)
    check_masks(WeakSegDataset(data_prefix=images, metainfo=meta, test_mode=True))


def test_label_maps_do_not_replace_what_is_read(tmp_path):
    dataset = dict(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        label_dir=str(tmp_path / 'labels'),
    )
    for name in ('images', 'masks', 'labels'):
        cfg = Config(
            dict(test_dataloader=dict(dataset=dataset), test_evaluator=dict(type='A'))
        )
        with pytest.raises(ValueError, match='name another folder'):
            write_label_maps(cfg, str(tmp_path / name))
    write_label_maps(cfg, str(tmp_path / 'out'))
    writer = dict(type='LabelMapWriter', out_dir=str(tmp_path / 'out'))
    assert cfg.test_evaluator == [dict(type='A'), writer]
