"""Predictions in tiles against those of MMSegmentation, and against loops."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from integration import tiny
from mmengine.structures import PixelData
from mmseg.apis import inference_model
from mmseg.registry import MODELS
from torch import nn

from mmseg_spml.functional.tiling import blending_weights, tile_rows
from mmseg_spml.inference import TiledPredictor


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=2)
    tiny.registered()
    cfg = tiny.config(root, root / 'work')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    model.cfg = cfg
    return model


def image_of(height, width, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), np.uint8)


def with_pipeline(model, *steps):
    other = copy.copy(model)
    other.cfg = copy.deepcopy(model.cfg)
    pipeline = other.cfg.test_dataloader.dataset.pipeline
    other.cfg.test_dataloader.dataset.pipeline = [
        pipeline[0],
        *steps,
        *pipeline[1:],
    ]
    other.cfg.test_pipeline = other.cfg.test_dataloader.dataset.pipeline
    return other


@pytest.mark.parametrize(
    'steps',
    [
        (),
        (dict(type='Resize', scale=(70, 50), keep_ratio=True),),
        (dict(type='Resize', scale_factor=0.5, keep_ratio=True),),
    ],
    ids=['as it is', 'to a size', 'halved'],
)
def test_an_image_in_one_tile_is_that_of_mmsegmentation(model, steps):
    model = with_pipeline(model, *steps)
    image = image_of(37, 53)
    wanted = inference_model(model, image).seg_logits.data.softmax(0)
    found = TiledPredictor(model, tile=256, overlap=16).predict(image)
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted)


class Stand(nn.Module):
    """Scores that depend on a pixel and the number of its tile alone."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.calls = []
        self.data_preprocessor = nn.Module()

    def test_step(self, data):
        samples = data['data_samples']
        for image, sample in zip(data['inputs'], samples):
            self.calls.append(tuple(image.shape))
            scores = torch.stack([image[0].float() / 50, image[1].float() / 70])
            scores = scores + len(self.calls) * torch.tensor([[[1.0]], [[0.0]]])
            assert tuple(image.shape[1:]) == sample.ori_shape
            sample.seg_logits = PixelData(data=scores)
        return samples


@pytest.mark.parametrize('size', [(20, 20), (41, 20), (20, 57), (65, 50), (33, 90)])
@pytest.mark.parametrize('batch', [1, 3])
def test_tiles_are_blended_as_in_a_loop(model, size, batch):
    stand = Stand(model.cfg)
    image = image_of(*size)
    predictor = TiledPredictor(stand, tile=20, overlap=6, batch=batch)
    bands = list(predictor.bands(image))
    assert [top for top, _ in bands] == list(
        np.cumsum([0, *(band.shape[1] for _, band in bands[:-1])])
    )
    found = torch.cat([band for _, band in bands], dim=1)
    total, count, number = np.zeros((2, *size)), np.zeros(size), 0
    for row in tile_rows(size, (20, 20), 6):
        for tile in row:
            number += 1
            crop = image[tile.slices].astype(np.float64)
            scores = np.stack([crop[..., 0] / 50 + number, crop[..., 1] / 70])
            part = np.exp(scores) / np.exp(scores).sum(0)
            weights = blending_weights(tile.size, 6).astype(np.float64)
            total[:, tile.slices[0], tile.slices[1]] += part * weights
            count[tile.slices] += weights
    np.testing.assert_allclose(found, total / count, atol=1e-6)
    assert len(stand.calls) == number


def test_scales_and_mirror_images_are_averaged(model):
    image = image_of(32, 48)
    parts = []
    for scale in (1.0, 1.5):
        one = TiledPredictor(model, tile=256, overlap=0, scales=(scale,))
        parts.append(one.predict(image))
        mirrored = one.predict(np.ascontiguousarray(image[:, ::-1]))
        parts.append(mirrored.flip(-1))
    both = TiledPredictor(model, tile=256, overlap=0, scales=(1.0, 1.5), flip=True)
    # Mirrored before or after it is resized.
    torch.testing.assert_close(both.predict(image), sum(parts) / 4, atol=2e-2, rtol=0)


def test_crf_of_an_image_in_one_tile(model):
    from mmseg_spml.functional import dense_crf

    image = image_of(24, 30)
    plain = TiledPredictor(model, tile=64, overlap=8).predict(image)
    refined = TiledPredictor(model, tile=64, overlap=8, crf=dict(iterations=2))
    rgb = np.ascontiguousarray(image[..., ::-1])
    assert torch.equal(refined.predict(image), dense_crf(rgb, plain, iterations=2))


def test_a_single_output_is_the_probability_of_the_second_class(model):
    """MMSegmentation has applied the sigmoid to it, and has a threshold."""

    class One(Stand):
        def __init__(self, cfg):
            super().__init__(cfg)
            self.decode_head = nn.Module()
            self.decode_head.out_channels, self.decode_head.threshold = 1, 0.3

        def test_step(self, data):
            samples = data['data_samples']
            for image, sample in zip(data['inputs'], samples):
                sample.seg_logits = PixelData(data=image[:1].float() / 255)
            return samples

    image = image_of(9, 11)
    predictor = TiledPredictor(One(model.cfg), tile=64, overlap=8)
    found = predictor.predict(image)
    second = torch.from_numpy(image[..., 0]) / 255
    torch.testing.assert_close(found, torch.stack([1 - second, second]))
    assert torch.equal(predictor.labels_of(found), (second > 0.3).long())


@pytest.mark.parametrize('size', [(90, 120), (400, 30), (31, 200)])
def test_images_that_are_resized_come_in_bands(model, size):
    """The probabilities of the resized image, enlarged, and no band of all rows."""
    step = dict(type='LimitSize', max_side=60)
    stand = Stand(with_pipeline(model, step).cfg)
    image = image_of(*size)
    predictor = TiledPredictor(stand, tile=64, overlap=8)
    found = list(predictor.bands(image))
    assert sum(band.shape[1] for _, band in found) == size[0]
    seen = predictor.pipeline.seen(size)
    assert max(seen) == 60 and stand.calls == [(3, *seen)]
    small = predictor.pipeline.resized(image, seen, as_stored=True)
    scores = np.stack([small[..., 0] / 50 + 1.0, small[..., 1] / 70])
    part = torch.from_numpy(scores).softmax(0)[None]
    wanted = F.interpolate(part, size, mode='bilinear')[0]
    torch.testing.assert_close(
        torch.cat([band for _, band in found], dim=1), wanted.float(), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    'options, what',
    [
        (dict(tile=32, overlap=32), 'overlap in 0..tile-1'),
        (dict(scales=()), 'scales above 0'),
        (dict(scales=(0.0,)), 'scales above 0'),
        (dict(batch=0), 'batch of 1 or more'),
    ],
)
def test_wrong_options(model, options, what):
    with pytest.raises(ValueError, match=what):
        TiledPredictor(model, **options)


def test_what_cannot_be_predicted_in_tiles(model):
    with pytest.raises(ValueError, match='channels, got 5'):
        TiledPredictor(model).predict(np.zeros((8, 8, 5), np.uint8))
    flipped = with_pipeline(model, dict(type='RandomFlip', prob=1.0))
    with pytest.raises(ValueError, match='this one has RandomFlip'):
        TiledPredictor(flipped)
    retrieval = copy.copy(model)
    retrieval.decode_head = copy.copy(model.decode_head)
    retrieval.decode_head.predictor = 'retrieval'
    with pytest.raises(ValueError, match='`mmseg-spml bank`'):
        TiledPredictor(retrieval)


@pytest.mark.parametrize('tile', [64, 32])
@pytest.mark.parametrize(
    'factor, dtype', [(1, np.uint8), (100, np.uint16), (1 / 255, np.float32)]
)
def test_crf_of_any_depth_sees_the_edges(model, factor, dtype, tile):
    image = np.full((20, 60, 3), 60.0)
    image[:, 24:] = 200
    image[:, 24:28] = 199

    class BehindTheEdge(Stand):
        def test_step(self, data):
            for inputs, sample in zip(data['inputs'], data['data_samples']):
                bright = inputs[0] > 199.5 * factor
                sample.seg_logits = PixelData(data=torch.stack([~bright, bright]) * 0.5)
            return data['data_samples']

    predictor = TiledPredictor(
        BehindTheEdge(model.cfg), tile=tile, overlap=16, crf=dict(iterations=10)
    )
    found = predictor.predict((image * factor).astype(dtype)).argmax(0)
    assert (found == (torch.arange(60) >= 24)).all()


def test_scores_that_are_not_finite(model):
    class Diverged(Stand):
        def test_step(self, data):
            for image, sample in zip(data['inputs'], data['data_samples']):
                scores = torch.full((2, *image.shape[1:]), float('nan'))
                sample.seg_logits = PixelData(data=scores)
            return data['data_samples']

    with pytest.raises(ValueError, match='may have diverged'):
        TiledPredictor(Diverged(model.cfg)).predict(image_of(8, 9))
