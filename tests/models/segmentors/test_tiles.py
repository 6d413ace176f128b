"""Tests of large images in tiles, and banks of them, against whole images."""

import pytest
import torch
from integration import tiny
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_spml.engine.testing import use_tiles, use_tta
from mmseg_spml.functional.tiling import tiles_with_cores
from mmseg_spml.models.segmentors import prediction


@pytest.fixture
def model(tmp_path):
    tiny.registered()
    root = tiny.write_data(tmp_path, images=1)
    torch.manual_seed(0)
    model = MODELS.build(tiny.config(root, tmp_path / 'run').model).eval()
    # As sure of its classes as a trained one.
    convolutions = (m for m in model.decode_head.modules() if isinstance(m, nn.Conv2d))
    list(convolutions)[-1].weight.data *= 100
    return model


def sample_of(size, shown=None, labels=None):
    sample = SegDataSample(metainfo=dict(ori_shape=shown or size, img_shape=size))
    if labels is not None:
        sample.gt_sem_seg = PixelData(data=labels[None])
    return sample


def image_of(*size):
    return torch.randint(256, (3, *size), generator=torch.Generator().manual_seed(1))


def test_without_the_option_images_are_whole(model):
    model.largest_whole = 100
    image = image_of(30, 40)
    data = dict(inputs=[image], data_samples=[sample_of((30, 40))])
    (found,) = model.test_step(data)
    assert 'seg_logits' in found


@pytest.mark.parametrize('shown', [(64, 96), (31, 50), (120, 130)])
def test_a_tile_that_covers_the_image_changes_nothing(model, shown):
    image = image_of(64, 96)
    data = dict(inputs=[image.clone()], data_samples=[sample_of((64, 96), shown)])
    (whole,) = model.test_step(data)
    probabilities = whole.seg_logits.data.softmax(dim=0)
    model.test_cfg['tile'] = 128
    model.largest_whole = 100
    data = dict(inputs=[image], data_samples=[sample_of((64, 96), shown)])
    (found,) = model.test_step(data)
    labels = found.pred_sem_seg.data
    assert labels.shape == (1, *shown) and labels.dtype == torch.uint8
    assert 'seg_logits' not in found
    if shown == (64, 96):
        assert torch.equal(labels.long(), whole.pred_sem_seg.data)
    else:  # logits were resized there, and probabilities here
        own = probabilities.gather(0, labels.long())[0]
        assert (own > probabilities.amax(dim=0) - 0.1).all()


def test_tiles_agree_with_the_whole_where_a_class_is_clear(model):
    image = image_of(100, 150)
    (whole,) = model.test_step(
        dict(inputs=[image.clone()], data_samples=[sample_of((100, 150))])
    )
    model.test_cfg['tile'] = 64
    model.largest_whole = 100
    small = image_of(5, 5)
    both = model.test_step(
        dict(
            inputs=[image, small],
            data_samples=[sample_of((100, 150)), sample_of((5, 5))],
        )
    )
    labels = both[0].pred_sem_seg.data.long()
    top = whole.seg_logits.data.softmax(dim=0).topk(2, dim=0).values
    clear = top[0] - top[1] > 0.05
    agreed = (labels == whole.pred_sem_seg.data)[0][clear]
    assert clear.float().mean() > 0.2 and agreed.float().mean() > 0.95
    assert 'seg_logits' in both[1]  # a small image is whole


@pytest.mark.parametrize('size', [(40, 100), (64, 64), (130, 65)])
def test_each_pixel_is_in_one_core(size):
    count = torch.zeros(size)
    for tile, core in tiles_with_cores(size, 64, 16):
        count[core.slices] += 1
        assert tile.top <= core.top and core.bottom <= tile.bottom
        assert tile.left <= core.left and core.right <= tile.right
    assert (count == 1).all()


def test_banks_of_tiles(model, monkeypatch):
    """Each labeled area is in the bank, and the tiles without labels cost nothing."""
    size = (90, 140)
    labels = torch.full(size, 4)
    labels[5:15, 5:25] = 1
    labels[70:85, 100:130] = 2
    image = image_of(*size)
    inputs = model.data_preprocessor(
        dict(inputs=[image], data_samples=[sample_of(size)])
    )['inputs']
    samples = [sample_of(size, labels=labels)]
    prototypes, classes = model.labeled_segments(inputs, samples)
    assert set(classes.tolist()) == {1, 2}
    model.largest_whole = 100
    monkeypatch.setattr(prediction, 'TILE', 48)
    monkeypatch.setattr(prediction, 'OVERLAP', 16)
    seen = []
    embed = model.embed
    monkeypatch.setattr(model, 'embed', lambda x: seen.append(x.shape) or embed(x))
    tiled, of_tiles = model.labeled_segments(inputs, samples)
    assert set(of_tiles.tolist()) == {1, 2} and len(tiled) == len(of_tiles)
    assert torch.allclose(tiled.norm(dim=1), torch.ones(len(tiled)), atol=1e-5)
    number = len(list(tiles_with_cores(size, 48, 16)))
    assert 2 <= len(seen) < number
    empty = [sample_of(size, labels=torch.full(size, 4))]
    prototypes, classes = model.labeled_segments(inputs, empty)
    assert len(classes) == 0 and prototypes.shape == (0, 16)


def test_the_tile_of_the_command_and_of_the_config():
    cfg = Config(dict(model=dict(type='SPMLSegmentor')))
    for given, expected in ((None, 1024), (512, 512), (None, 512), (0, 0), (None, 0)):
        use_tiles(cfg, given)
        assert cfg.model.test_cfg.tile == expected


def test_views_are_not_tiled():
    cfg = Config(
        dict(
            model=dict(type='SPMLSegmentor', test_cfg=dict(tile=512)),
            tta_model=dict(type='SegTTAModel'),
            tta_pipeline=[],
            test_dataloader=dict(dataset=dict(pipeline=[])),
        )
    )
    use_tta(cfg, views=True, crf=False)
    assert cfg.model.module.test_cfg.tile == 0


def test_data_without_samples(model):
    image = image_of(30, 40)
    (whole,) = model.test_step(dict(inputs=[image]))
    model.test_cfg['tile'], model.largest_whole = 64, 100
    (tiled,) = model.test_step(dict(inputs=[image]))
    same = tiled.pred_sem_seg.data == whole.pred_sem_seg.data
    assert same.float().mean() > 0.95
