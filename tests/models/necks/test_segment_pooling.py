import operator

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.small_segmentor import C, D, batch, sample, weak_maps

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.kmeans import location_color_features
from mmseg_spml.functional.segments.pooling import pool_segments, resize_labels
from mmseg_spml.models import weak_labels
from mmseg_spml.models.necks.segment_pooling import stack_weak_annotations


def neck(**options):
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    settings = dict(
        type='SegmentPoolingNeck',
        projection=dict(type='ConvEmbedding', in_channels=5, embedding_dim=D),
        num_classes=C,
        grid=(2, 3),
        iterations=4,
    )
    return MODELS.build({**settings, **options})


def levels(count=2):
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(count, channels, size, size + 2, generator=generator)
        for channels, size in ((3, 16), (5, 8))
    ]


def test_forward_embeds_the_chosen_level():
    one = neck()
    features = levels()
    (out,) = one(features)
    assert torch.equal(out, one.projection([features[1]]))
    assert out.shape == (2, D, 8, 10)


def test_several_levels():
    projection = dict(type='ConvEmbedding', in_channels=(3, 5), embedding_dim=D)
    one = neck(projection=projection, in_index=(0, 1))
    features = levels()
    assert torch.equal(one(features)[0], one.projection(features))


def test_upsampling_is_bilinear_without_aligned_corners():
    plain, doubled = neck(), neck(upsample=2)
    expected = F.interpolate(
        plain(levels())[0], scale_factor=2, mode='bilinear', align_corners=False
    )
    assert torch.equal(doubled(levels())[0], expected)


def test_pool_takes_nearest_labels_and_the_settings_of_the_neck():
    one = neck(affinity_threshold=0.7, affinity_squeeze=0.3)
    inputs, samples = batch(2, (32, 40))
    embedding = torch.randn(2, D, 8, 10)
    segments = one.pool(embedding, samples, inputs)
    labels, regions, tags = stack_weak_annotations(samples)
    expected = pool_segments(
        embedding,
        resize_labels(labels, (8, 10)),
        resize_labels(regions, (8, 10)),
        tags,
        grid=(2, 3),
        iterations=4,
        num_classes=C,
        affinity_threshold=0.7,
        affinity_squeeze=0.3,
    )
    for name, value in vars(expected).items():
        found = getattr(segments, name)
        assert (torch.equal if torch.is_tensor(value) else operator.eq)(found, value)
    # void row 0 of the map is row 0 of the embedding grid, too
    assert len(segments.pixels) == 2 * 7 * 10
    assert torch.equal(segments.tags, tags[segments.image])


def test_pool_without_affinity_has_no_label_sets():
    _, samples = batch(2, (32, 40))
    assert neck().pool(torch.randn(2, D, 8, 10), samples).label_sets is None


@pytest.mark.parametrize('smoothing', ['distance', 'gaussian', 'none'])
def test_colors_join_the_local_features(smoothing):
    inputs, samples = batch(2, (32, 40))
    embedding = torch.randn(2, D, 8, 10)
    segments = neck(color_features=smoothing).pool(embedding, samples, inputs)
    assert segments.pixels_loc.shape[1] == D + 5
    local = location_color_features(inputs, (8, 10), smoothing)
    labels = resize_labels(stack_weak_annotations(samples)[0], (8, 10))
    local = local[labels != 255]
    joined = F.normalize(torch.cat([segments.pixels, local], 1), dim=1)
    assert torch.allclose(segments.pixels_loc, joined, atol=1e-6)


def test_pool_is_float32_under_autocast():
    one = neck(color_features='distance', affinity_threshold=0.9)
    inputs, samples = batch(2, (32, 40))
    embedding = torch.randn(2, D, 8, 10)
    plain = one.pool(embedding, samples, inputs)
    with torch.autocast('cpu', torch.bfloat16):
        cast = one.pool(embedding, samples, inputs)
        half = one.pool(embedding.bfloat16(), samples, inputs.bfloat16())
    for name, value in vars(plain).items():
        found = getattr(cast, name)
        assert (torch.equal if torch.is_tensor(value) else operator.eq)(found, value)
    assert half.prototypes.dtype == half.pixels_loc.dtype == torch.float32


def test_gradient_reaches_the_projection():
    one = neck()
    _, samples = batch(2, (32, 40))
    segments = one.pool(one(levels())[0], samples)
    (segments.prototypes[:, 0].sum() + segments.pixels[:, 1].sum()).backward()
    assert one.projection.project.weight.grad.abs().sum() > 0


def test_stacking():
    labels, regions, tags = weak_maps(3, (5, 6))
    samples = [sample(*one) for one in zip(labels, regions, tags)]
    for stacked, expected in zip(stack_weak_annotations(samples), weak_maps(3, (5, 6))):
        assert torch.equal(stacked, expected)


@pytest.mark.parametrize('name', ['gt_sem_seg', 'region_map', 'gt_tags'])
def test_missing_annotation_is_named(name):
    labels, regions, tags = weak_maps(2, (8, 8))
    samples = [sample(*one) for one in zip(labels, regions, tags)]
    delattr(samples[1], name)
    samples[1].set_metainfo(dict(img_path='images/7.jpg'))
    with pytest.raises(ValueError, match=rf'images/7\.jpg has no {name}.*LoadRegions'):
        neck().pool(torch.randn(2, D, 8, 8), samples)


def test_unlabeled_pixels_are_watched_in_training():
    module, seen = neck(), []
    module._watch.see = seen.append
    inputs, samples = batch()
    embedding = torch.randn(len(inputs), D, 8, 10)
    module.train().pool(embedding, samples)
    module.eval().pool(embedding, samples)
    labels = torch.cat([one.gt_sem_seg.data for one in samples])
    (mask,) = seen
    assert torch.equal(mask, labels == C)


@pytest.mark.parametrize('value, warned', [(0, True), (C, False), (VOID, True)])
def test_maps_without_unlabeled_pixels_are_pointed_out_once(value, warned, monkeypatch):
    seen = []
    monkeypatch.setattr(weak_labels, 'print_log', lambda text, **_: seen.append(text))
    monkeypatch.setattr(weak_labels, '_WATCH_STEPS', 2)
    watch = weak_labels.UnlabeledWatch()
    for step in range(4):
        watch.see(torch.full((1, 2, 2), value) == C)
        assert len(seen) == (warned and step >= 1)
    if warned:
        assert 'unlabeled_value=255' in seen[0]


def test_level_that_the_backbone_does_not_give():
    with pytest.raises(ValueError, match=r'in_index.*backbone has 1 outputs'):
        neck(in_index=1)([torch.rand(2, 8, 8, 10)])
