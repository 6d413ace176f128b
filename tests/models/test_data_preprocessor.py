import copy

import pytest
import torch
from mmengine.structures import LabelData, PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_spml.models.data_preprocessor import SPMLDataPreProcessor

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def sample(height, width, **fields):
    data = SegDataSample(metainfo=dict(img_path='a.jpg', ori_shape=(height, width)))
    data.gt_sem_seg = PixelData(data=torch.ones(1, height, width, dtype=torch.long))
    regions = torch.arange(1, 1 + height * width).reshape(1, height, width)
    data.set_data(
        dict(
            region_map=PixelData(data=regions),
            gt_tags=LabelData(label=torch.tensor([True, False]).to(torch.int8)),
            **fields,
        )
    )
    return data


def batch(*sizes):
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)
        for size in sizes
    ]
    return dict(inputs=images, data_samples=[sample(*size) for size in sizes])


@pytest.mark.parametrize('name', ['box_extents', 'tight_boxes'])
def test_padding_is_outside_of_boxes(name):
    data = batch((2, 3), (4, 2))
    for part in data['data_samples']:
        size = part.gt_sem_seg.data.shape[1:]
        inside = PixelData(data=torch.ones(2, *size, dtype=torch.bool))
        part.set_data({name: inside})
    out = SPMLDataPreProcessor(mean=MEAN, std=STD)(data, training=True)
    first, second = (part.get(name).data for part in out['data_samples'])
    assert first.dtype == torch.bool
    assert first[0].tolist() == [[True] * 3] * 2 + [[False] * 3] * 2
    assert second[1].tolist() == [[True, True, False]] * 4


def test_every_map_is_padded_in_training():
    data = batch((2, 3), (4, 2))
    out = SPMLDataPreProcessor(mean=MEAN, std=STD)(data, training=True)
    assert out['inputs'].shape == (2, 3, 4, 3)
    first, second = out['data_samples']
    assert first.gt_sem_seg.data[0].tolist() == [[1] * 3] * 2 + [[255] * 3] * 2
    assert first.region_map.data[0].tolist() == [
        [1, 2, 3],
        [4, 5, 6],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert second.region_map.data[0, :, 2].tolist() == [0] * 4
    assert second.gt_sem_seg.data[0, :, 2].tolist() == [255] * 4
    assert first.region_map.data.dtype == torch.int64
    assert first.gt_tags.label.tolist() == [True, False]
    assert first.metainfo['img_path'] == 'a.jpg'
    assert first.metainfo['padding_size'] == (0, 0, 0, 2)
    assert first.metainfo['pad_shape'] == (4, 3)
    assert first.metainfo['img_shape'] == (2, 3)
    assert (out['inputs'][0, :, 2:] == 0).all()


def test_other_maps_are_padded_with_void():
    data = batch((2, 3))
    depth = PixelData(data=torch.zeros(1, 2, 3))
    data['data_samples'][0].set_data(dict(gt_depth_map=depth))
    out = SPMLDataPreProcessor(size=(2, 4))(data, training=True)
    assert out['data_samples'][0].gt_depth_map.data[0, :, 3].tolist() == [255, 255]


@pytest.mark.parametrize('training', [True, False])
def test_what_was_handed_in_is_left_alone(training):
    data = batch((2, 3), (4, 2))
    before = copy.deepcopy(data)
    objects = list(data['data_samples'])
    SPMLDataPreProcessor(mean=MEAN, std=STD, bgr_to_rgb=True)(data, training)
    assert data['data_samples'] == objects
    for now, then in zip(data['inputs'], before['inputs']):
        assert torch.equal(now, then)
    for now, then in zip(data['data_samples'], before['data_samples']):
        assert torch.equal(now.gt_sem_seg.data, then.gt_sem_seg.data)
        assert torch.equal(now.region_map.data, then.region_map.data)
        assert now.metainfo == then.metainfo


@pytest.mark.parametrize(
    'options, shape',
    [
        (dict(), (4, 3)),
        (dict(size=(6, 5)), (6, 5)),
        (dict(size=(3, 8)), (4, 8)),
        (dict(size_divisor=8), (8, 8)),
        (dict(size_divisor=3), (6, 3)),
    ],
)
def test_target_size(options, shape):
    out = SPMLDataPreProcessor(**options)(batch((2, 3), (4, 2)), training=True)
    assert out['inputs'].shape[-2:] == shape
    for data in out['data_samples']:
        assert data.region_map.shape == data.gt_sem_seg.shape == shape


@pytest.mark.parametrize('training', [True, False])
def test_equal_sizes_agree_with_the_parent(training):
    options = dict(mean=MEAN, std=STD, bgr_to_rgb=True, size=(4, 5), test_cfg=None)
    ours = SPMLDataPreProcessor(**options)(batch((4, 5), (4, 5)), training)
    parent = SegDataPreProcessor(**options)(batch((4, 5), (4, 5)), training)
    assert torch.equal(ours['inputs'], parent['inputs'])
    labels = [out['data_samples'][1].gt_sem_seg.data for out in (ours, parent)]
    assert torch.equal(*labels)


def test_stacked_inputs():
    data = batch((2, 3), (2, 3))
    data['inputs'] = torch.stack(data['inputs'])
    assert SPMLDataPreProcessor()(data, True)['inputs'].shape == (2, 3, 2, 3)


def test_maps_stay_in_testing_and_padding_is_recorded():
    out = SPMLDataPreProcessor()(batch((2, 3), (4, 2)), training=False)
    assert out['inputs'].shape == (2, 3, 4, 3)
    first, second = out['data_samples']
    assert first.gt_sem_seg.shape == (2, 3)
    assert first.metainfo['img_padding_size'] == (0, 0, 0, 2)
    assert second.metainfo['img_padding_size'] == (0, 1, 0, 0)
    assert first.metainfo['pad_shape'] == second.metainfo['pad_shape'] == (4, 3)


def test_predictions_are_cut_back_by_mmsegmentation():
    out = SPMLDataPreProcessor()(batch((2, 3), (4, 2)), training=False)
    height, width = out['inputs'].shape[-2:]
    scores = torch.rand(2, 5, height, width)

    class Segmentor:
        align_corners = False

    results = BaseSegmentor.postprocess_result(Segmentor(), scores, out['data_samples'])
    torch.testing.assert_close(results[0].seg_logits.data, scores[0, :, :2])
    torch.testing.assert_close(results[1].seg_logits.data, scores[1, :, :, :2])


def test_test_cfg():
    preprocessor = SPMLDataPreProcessor(test_cfg=dict(size_divisor=4))
    out = preprocessor(batch((2, 3)), training=False)
    assert out['inputs'].shape[-2:] == (4, 4)
    assert out['data_samples'][0].metainfo['img_padding_size'] == (0, 1, 0, 2)
    out = preprocessor(dict(inputs=batch((2, 3))['inputs']), training=False)
    assert out['inputs'].shape[-2:] == (4, 4)


def test_nothing_is_recorded_without_padding():
    out = SPMLDataPreProcessor()(batch((2, 3), (2, 3)), training=False)
    assert 'img_padding_size' not in out['data_samples'][0].metainfo


def test_unequal_images_without_samples():
    with pytest.raises(ValueError, match='data_samples'):
        SPMLDataPreProcessor()(dict(inputs=batch((2, 3), (4, 2))['inputs']))


def test_training_without_samples():
    with pytest.raises(ValueError, match='data_samples'):
        SPMLDataPreProcessor()(dict(inputs=batch((2, 3))['inputs']), training=True)


def test_map_of_another_size_names_the_image():
    data = batch((2, 3))
    data['inputs'] = [torch.zeros(3, 2, 4)]
    with pytest.raises(ValueError, match=r'\(2, 3\).*a\.jpg is \(2, 4\)'):
        SPMLDataPreProcessor()(data, training=True)


@pytest.mark.parametrize('where', ['train', 'test'])
def test_both_size_and_divisor(where):
    options = dict(size=(4, 4), size_divisor=2)
    with pytest.raises(ValueError, match='not both'):
        if where == 'train':
            SPMLDataPreProcessor(**options)
        else:
            SPMLDataPreProcessor(test_cfg=options)


def test_registered():
    config = dict(type='SPMLDataPreProcessor', mean=MEAN, std=STD, bgr_to_rgb=True)
    assert isinstance(MODELS.build(config), SPMLDataPreProcessor)
