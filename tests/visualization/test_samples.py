"""Tests of the grid of samples with a stand-in for the model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import LabelData, PixelData
from mmseg.structures import SegDataSample

from mmseg_spml.functional.segments.pooling import pool_segments, resize_labels
from mmseg_spml.io.index_maps import write_index_map
from mmseg_spml.models import LabelPropagationLoss, SPMLDataPreProcessor
from mmseg_spml.visualization.samples import (
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_images,
    segment_map,
    to_rgb,
)

C = 2
PALETTE = ((0, 0, 90), (250, 0, 0))


class ColorModel:
    """Model that embeds each 2 x 2 block by its mean color and predicts red blocks."""

    num_classes = C

    def __init__(self, size=None, propagation=None):
        self.data_preprocessor = SPMLDataPreProcessor(size=size, bgr_to_rgb=True)
        self.spml_neck = SimpleNamespace(pool=self.pool)
        # The teacher cannot decide.
        self.spml_head = SimpleNamespace(
            propagation=propagation, teacher_logits=lambda x: torch.zeros_like(x[:, :C])
        )

    def embedding(self, inputs):
        blocks = torch.nn.functional.avg_pool2d(inputs.float(), 2)
        return torch.nn.functional.normalize(blocks + 1, dim=1)

    def pool(self, embedding, samples, inputs):
        maps = [
            resize_labels(
                torch.stack([getattr(s, name).data[0] for s in samples]),
                embedding.shape[2:],
            )
            for name in ('gt_sem_seg', 'region_map')
        ]
        tags = torch.stack([s.gt_tags.label for s in samples])
        return pool_segments(embedding, *maps, tags, grid=(2, 2), num_classes=C)

    def predict(self, inputs, data_samples, predictor=None):
        red = (inputs[0][0] > 128).long()
        return [SegDataSample(pred_sem_seg=PixelData(data=red[None]))]


def training_sample(height=12, width=16):
    """Make a red and a blue half with a labeled corner each, and a void stripe."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)  # BGR
    image[2, :, : width // 2] = 220
    image[0, :, width // 2 :] = 220
    weak = torch.full((1, height, width), C)
    weak[0, :4, :4], weak[0, -4:, -4:], weak[0, :, 8:10] = 1, 0, 255
    region = torch.zeros(1, height, width, dtype=torch.long)
    sample = SegDataSample(
        gt_sem_seg=PixelData(data=weak),
        region_map=PixelData(data=region),
        gt_tags=LabelData(label=torch.ones(C, dtype=torch.int8)),
        metainfo={'img_path': 'x.jpg', 'img_shape': (height, width)},
    )
    return image, sample


@pytest.mark.parametrize('size', [None, (20, 24)])
def test_images_of_one_sample(size):
    image, sample = training_sample()
    truth = np.zeros((12, 16), np.uint8)
    drawn = sample_images(ColorModel(size), image, sample, truth)
    assert drawn.image[0, 0].tolist() == [220, 0, 0]  # RGB
    assert drawn.weak.tolist() == sample.gt_sem_seg.data[0].tolist()
    assert (drawn.prediction[:, :8] == 1).all()
    assert not drawn.prediction[:, 8:].any()
    assert drawn.embedding.shape == (3, 6, 8)
    segments = drawn.segments
    assert segments.shape == (12, 16)
    assert (segments[:, 8:10] == -1).all()
    assert (np.delete(segments, (8, 9), axis=1) >= 0).all()
    # Labeled corners are segments of their own, apart from their surroundings.
    assert len(np.unique(segments[:4, :4])) == len(np.unique(segments[-4:, -4:])) == 1
    assert not np.isin(segments[:4, :4], segments[4:]).any()
    # The segments have blocks of 2 x 2 pixels, as the embedding has.
    np.testing.assert_array_equal(segments[::2, ::2], segments[1::2, 1::2])


@pytest.mark.parametrize('size', [None, (20, 24)])
def test_teacher_and_targets_of_label_propagation(size):
    image, sample = training_sample()
    drawn = sample_images(ColorModel(size, LabelPropagationLoss()), image, sample)
    assert not drawn.teacher.any() and drawn.teacher.shape == (12, 16)
    # The labels of the corners spread by color.
    assert (drawn.targets[:, :8] == 1).all()
    assert (drawn.targets[:, 8:10] == 255).all()
    assert (drawn.targets[:, 10:] == 0).all()
    picture = sample_grid([drawn], 'ab', PALETTE, height=24)
    without = sample_grid([sample_of(None)], 'ab', PALETTE, height=24)
    assert picture.shape[1] > without.shape[1]


def test_float_images_are_shown_as_they_are():
    image, sample = training_sample()
    whole = sample_images(ColorModel(), image, sample)
    for shift in (0, 0.3):
        drawn = sample_images(ColorModel(), image.float() + shift, sample)
        np.testing.assert_array_equal(drawn.image, whole.image)
        assert drawn.image.dtype == np.uint8


@pytest.mark.parametrize('bands', [1, 2, 3, 5])
def test_images_of_any_bands_and_depth_are_shown(bands):
    image = torch.arange(bands * 12).view(bands, 3, 4) * 1000
    shown = to_rgb(image, blue_first=False)
    assert shown.shape == (3, 4, 3) and shown.dtype == np.uint8
    assert shown[..., 0].min() == 0 and shown.max() == 255


def test_segment_map_counts_pixels():
    labels = torch.tensor([[[0, 255], [1, 1]], [[255, 255], [255, 0]]])
    got = segment_map(labels, torch.tensor([3, 5, 4, 0]))
    assert got.tolist() == [[[3, -1], [5, 4]], [[-1, -1], [-1, 0]]]
    with pytest.raises(ValueError, match='4 pixels are not void, but 3'):
        segment_map(labels, torch.tensor([3, 5, 4]))


def sample_of(truth):
    image, sample = training_sample()
    return sample_images(ColorModel(), image, sample, truth)


def test_grid_has_a_truth_column_only_where_there_is_truth():
    truth = np.ones((12, 16), np.uint8)
    without = sample_grid([sample_of(None)] * 2, 'ab', PALETTE, height=24)
    some = sample_grid([sample_of(None), sample_of(truth)], 'ab', PALETTE, height=24)
    # A column is 32 pixels wide (scaled from 16 x 12), and its gap is 6 pixels.
    assert without.shape[1] == 6 + 5 * 38
    assert some.shape[1] == 6 + 6 * 38
    assert (some[-60:, -38:-6] == PALETTE[1]).all(axis=2).sum() == 24 * 32


def test_grid_shares_the_colors_of_embeddings():
    first, second = sample_of(None), sample_of(None)
    # Another extent, and no tags above the row.
    second = second._replace(embedding=second.embedding[:, :3], tags=())
    grid = sample_grid([first, second], 'ab', PALETTE, height=24)
    column = slice(6 + 3 * 38, 6 + 3 * 38 + 32)
    upper, lower = grid[26:50, column], grid[56:80, column]
    np.testing.assert_array_equal(upper[0], lower[0])
    assert (upper[0, 0] != upper[0, -1]).any()


def test_empty_grid_and_unusable_pipelines_are_refused():
    with pytest.raises(ValueError, match='at least one sample'):
        sample_grid([], 'ab', PALETTE)
    with pytest.raises(ValueError, match='PackSegInputs'):
        loading_pipeline([{'type': 'LoadImageFromFile'}, {'type': 'PackSegInputs'}])


def test_loading_pipeline_leaves_augmentation_out():
    names = ('LoadImageFromFile', 'LoadWeakAnnotations', 'LoadRegions',
             'RandomResize', 'RandomCrop', 'PackWeakSegInputs')  # fmt: skip
    pipeline = [{'type': name, 'x': 1} for name in names]
    kept = loading_pipeline(pipeline)
    assert [step['type'] for step in kept] == [*names[:3], names[-1]]
    # What a person accepted is drawn, too.
    assert kept[1] == {'type': names[1], 'x': 1, 'accepted_weight': 1.0}
    assert kept[2]['generate'] == {'method': 'felzenszwalb'}
    assert pipeline[2] == {'type': 'LoadRegions', 'x': 1}  # left alone
    pipeline[2]['generate'] = {'method': 'slic'}
    assert loading_pipeline(pipeline)[2]['generate'] == {'method': 'slic'}


def test_masks_in_subfolders_and_of_another_size(tmp_path):
    for name, size in (('0.png', (2, 3)), ('b/0.png', (4, 5))):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        write_index_map(str(path), np.ones(size, np.uint8))
    assert read_truth(tmp_path, '/images/b/0.jpg', (4, 5)).shape == (4, 5)
    assert read_truth(tmp_path, '/images/c/0.jpg', (2, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match='0.png has 3 x 2 pixels, .*c/0.jpg has 7 x 6'):
        read_truth(tmp_path, '/images/c/0.jpg', (6, 7))
    with pytest.raises(FileNotFoundError, match='there is no mask .*1.png'):
        read_truth(tmp_path, '/images/c/1.jpg', (6, 7))
