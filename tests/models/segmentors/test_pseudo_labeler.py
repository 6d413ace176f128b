"""Scores for pseudo labels: views by hand, tags, padding, activation maps."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODELS
from models.small_segmentor import PLAIN_HEAD, C, D, build, config, metas, sample

from mmseg_spml.functional.refinement.pseudo_labels import nearest_label_scores
from mmseg_spml.functional.refinement.random_walk import class_normalized, propagate
from mmseg_spml.functional.seeds.cam import scores_of_cams
from mmseg_spml.functional.seeds.cam_files import save_cam
from mmseg_spml.functional.segments.pooling import pool_segments
from mmseg_spml.models import PseudoLabeler, SegmentBank
from mmseg_spml.models.data_preprocessor import SPMLDataPreProcessor
from mmseg_spml.models.segmentors.pseudo_labeler import present_classes

SIZE = (32, 48)


def segmentor():
    return build(
        data_preprocessor=dict(
            type='SPMLDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3
        )
    ).eval()


def weak_sample(labels=None, tags=(True,) * C, unknown=(False,) * C, **meta):
    labels = torch.full(SIZE, C) if labels is None else labels
    out = sample(labels, **meta)
    states = torch.tensor(tags).to(torch.int8) - torch.tensor(unknown).to(torch.int8)
    out.gt_tags = LabelData(label=states)
    return out


def image(seed=0, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, *size, generator=generator)


def scores_of(model, picture, weak, **options):
    labeler = PseudoLabeler(model, **options)
    data = dict(inputs=[picture], data_samples=[weak])
    (out,) = labeler.test_step(data)
    return out.pseudo_scores.data


@torch.no_grad()
def view(model, picture, grid):
    """Embedding and probabilities of one view on the grid."""
    features = model.extract_feat(picture[None])
    logits = model.decode_head.predict(features, metas(picture[None]), {})
    embedding = F.interpolate(features[0], picture.shape[1:], mode='bilinear')
    maps = (F.interpolate(m, grid, mode='bilinear')[0] for m in (embedding, logits))
    embedding, logits = maps
    return embedding, logits.softmax(0)


@pytest.mark.parametrize('walk', [False, True])
def test_views_by_hand(walk):
    model, picture, grid = segmentor(), image(), (4, 6)
    weak = weak_sample(tags=(True, False, True, True))
    large = F.interpolate(picture[None], scale_factor=1.5, mode='bilinear')[0]
    views = [view(model, picture, grid), view(model, large, grid)]
    for one in (picture, large):
        views.append(tuple(m.flip(-1) for m in view(model, one.flip(-1), grid)))
    mean = torch.stack([probabilities for _, probabilities in views]).mean(0)
    expected = class_normalized(mean, torch.tensor([True, False, True, True]))
    if walk:
        expected = propagate([e for e, _ in views], expected, steps=8)
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    scores = scores_of(
        model, picture, weak, scales=(1.0, 1.5), walk=walk, walk_options=dict(steps=8)
    )
    assert torch.allclose(scores, expected, atol=1e-4)
    assert not scores[1].any()


def test_logits_may_be_averaged():
    model, picture = segmentor(), 5 * image()
    grid = (SIZE[0] // 8, SIZE[1] // 8)
    options = dict(walk=False, flip=True)
    found = {
        average: scores_of(model, picture, weak_sample(), average=average, **options)
        for average in ('probabilities', 'logits')
    }
    logits = []
    for mirrored in (False, True):
        _, probabilities = view(model, picture.flip(-1) if mirrored else picture, grid)
        log = probabilities.log()
        logits.append(log.flip(-1) if mirrored else log)
    mean = class_normalized(torch.stack(logits).mean(0).softmax(0), torch.ones(C) > 0)
    wanted = F.interpolate(mean[None], SIZE, mode='bilinear')[0]
    torch.testing.assert_close(found['logits'], wanted, atol=1e-5, rtol=1e-5)
    assert (found['logits'] - found['probabilities']).abs().max() > 5e-4
    with pytest.raises(ValueError, match='`average` must be one of'):
        PseudoLabeler(model, average='maps')


@pytest.mark.parametrize('average', ['probabilities', 'logits'])
def test_a_temperature_divides_the_logits(average):
    model, picture = segmentor(), 5 * image()
    options = dict(walk=False, flip=False, average=average)
    found = scores_of(model, picture, weak_sample(), temperature=3, **options)
    _, probabilities = view(model, picture, (SIZE[0] // 8, SIZE[1] // 8))
    softened = (probabilities.log() / 3).softmax(0)
    expected = class_normalized(softened, torch.ones(C) > 0)
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    plain_scores = scores_of(model, picture, weak_sample(), **options)
    assert (found - plain_scores).abs().max() > 0.01
    for wrong in (0, -1, float('nan')):
        with pytest.raises(ValueError, match='`temperature` must be positive'):
            PseudoLabeler(model, temperature=wrong)
    with pytest.raises(ValueError, match="`temperature` is of source='softmax'"):
        PseudoLabeler(model, source='retrieval', temperature=2)


def plain(**changes):
    """A segmentor of MMSegmentation without an embedding."""
    model = config()
    model.pop('neck')
    model.update(type='EncoderDecoder', decode_head={**PLAIN_HEAD, **changes})
    torch.manual_seed(0)
    return MODELS.build(ConfigDict(model)).eval()


@torch.no_grad()
def test_a_segmentor_without_an_embedding():
    model, picture, grid = plain(), image(), (SIZE[0] // 8, SIZE[1] // 8)
    logits = model.decode_head(model.backbone(picture[None]))
    logits = F.interpolate(logits, SIZE, mode='bilinear')
    probabilities = F.interpolate(logits, grid, mode='bilinear')[0].softmax(0)
    tags = (True, False, True, True)
    expected = class_normalized(probabilities, torch.tensor(tags))
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    scores = scores_of(model, picture, weak_sample(tags=tags), flip=False)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    for options in (dict(walk=True), dict(source='retrieval')):
        with pytest.raises(ValueError, match='EncoderDecoder without SPMLHead has no'):
            PseudoLabeler(model, **options)


@torch.no_grad()
def test_a_single_output_is_of_the_second_class():
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    model = plain(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)
    picture = image()
    weak = weak_sample(tags=(True, True), unknown=(False, False))
    logits = model.encode_decode(picture[None], metas(picture[None]))[0]
    small = F.interpolate(logits[None], (4, 6), mode='bilinear')[0].sigmoid()
    expected = class_normalized(torch.cat([1 - small, small]), torch.ones(2) > 0)
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    scores = scores_of(model, picture, weak, flip=False)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)


def test_labels_and_unknown_tags_may_be_shown():
    labels = torch.full(SIZE, C)
    labels[3, 4] = 2
    weak = weak_sample(labels, (False,) * C, (False, True, False, False))
    assert present_classes(weak).tolist() == [False, True, True, False]


def test_ignored_tags_tell_nothing_where_no_pixel_has_a_label():
    """An image with tags alone may show the background, which is no tag."""
    labels = torch.full(SIZE, C)
    weak = weak_sample(labels, (False, True, False, False))
    weak.gt_tags.ignored = torch.tensor([True, False, False, False])
    assert present_classes(weak).tolist() == [True, True, False, False]
    weak.gt_sem_seg.data[0, 3, 4] = 2
    assert present_classes(weak).tolist() == [False, True, True, False]


def test_padding_of_the_batch_and_of_views():
    model, picture = segmentor(), image(1)
    padded = F.pad(picture, (0, 16, 0, 8), value=9.0)
    alone = scores_of(model, picture, weak_sample(), walk=False)
    within = scores_of(model, padded, weak_sample(), walk=False)
    assert torch.equal(alone, within)
    model.data_preprocessor.test_cfg = dict(size=(64, 50), size_divisor=None)
    larger = scores_of(model, picture, weak_sample(), walk=False)
    assert larger.shape == alone.shape
    assert not torch.equal(larger, alone)  # the padding is seen at the border only
    assert torch.allclose(larger[:, :8, :8], alone[:, :8, :8], atol=0.2)


def test_frequencies_of_nearest_segments():
    model, picture = segmentor(), image(2)
    generator = torch.Generator().manual_seed(0)
    prototypes = F.normalize(torch.randn(12, D, generator=generator), dim=1)
    model.decode_head.bank = SegmentBank(prototypes, torch.arange(12) % C)
    weak = weak_sample(tags=(True, True, False, False))
    scores = scores_of(model, picture, weak, source='retrieval')
    assert model.decode_head.predictor == 'softmax'
    meta = dict(img_padding_size=(0, 0, 0, 0))
    with torch.no_grad():
        plain = model.class_frequencies(picture[None], [meta])[0]
        mirrored = model.class_frequencies(picture[None].flip(-1), [meta])[0].flip(-1)
    expected = (plain + mirrored) / 2
    for label in (0, 1):
        expected[label] /= expected[label].max().clamp(min=0.15)
    assert torch.allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize('flip', [False, True])
def test_labels_of_the_nearest_segments(flip):
    """By hand: segments of half the image, their labels on the grid, normalized."""
    model, picture, grid = segmentor(), image(3), (4, 6)
    labels = torch.full(SIZE, C)
    labels[4:12, 4:12] = 1
    labels[20:30, 30:44] = 2
    labels[0] = 255
    weak = weak_sample(labels, (False,) * C)
    regions = torch.randint(
        0, 2, (1, *SIZE), generator=torch.Generator().manual_seed(0)
    )
    weak.region_map = PixelData(data=regions)
    found = []
    for mirrored in (False, True) if flip else (False,):
        one = picture.flip(-1) if mirrored else picture
        with torch.no_grad():
            embedding = model.extract_feat(one[None])[0]
        embedding = F.interpolate(embedding, SIZE, mode='bilinear')
        embedding = embedding.flip(-1) if mirrored else embedding
        segments = pool_segments(
            F.interpolate(embedding, (16, 24), mode='bilinear'),
            labels[None, ::2, ::2].clamp(max=C), regions[:, ::2, ::2],
            torch.zeros(1, C), grid=(2, 2), iterations=3, num_classes=C,
        )  # fmt: skip
        scores = nearest_label_scores(segments).T.reshape(1, C, 16, 24)
        found.append(F.interpolate(scores, grid, mode='bilinear')[0])
    present = torch.tensor([False, True, True, False])
    expected = class_normalized(torch.stack(found).mean(0), present)
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    scores = scores_of(
        model, picture, weak, source='nearest_labels', walk=False, flip=flip
    )
    assert torch.allclose(scores, expected, atol=1e-5)
    assert scores[1].any() and not scores[0].any()


def test_activation_maps(tmp_path):
    cams = {2: np.random.default_rng(0).random(SIZE).astype(np.float32)}
    save_cam(tmp_path / 'a.npz', cams)
    model = segmentor()
    model.embedding = None  # without the walk nothing needs the network
    scores = scores_of(
        model, image(), weak_sample(img_path='x/a.jpg'),
        source='cam', cams=str(tmp_path), walk=False, alpha=2,
    )  # fmt: skip
    expected = scores_of_cams(cams, C, SIZE, alpha=2)
    expected = F.interpolate(expected[None], SIZE, mode='bilinear')[0]
    assert torch.allclose(scores, expected, atol=1e-6)


def test_activation_maps_beside_a_segmentor_without_an_embedding(tmp_path):
    cams = {2: np.random.default_rng(0).random(SIZE).astype(np.float32)}
    save_cam(tmp_path / 'a.npz', cams)
    options = dict(source='cam', cams=str(tmp_path), walk=False)
    weak = weak_sample(img_path='x/a.jpg')
    found, wanted = (
        scores_of(model, image(), weak, **options) for model in (plain(), segmentor())
    )
    assert torch.equal(found, wanted)


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match='source'):
        PseudoLabeler(segmentor(), source='bank')
    with pytest.raises(ValueError, match='cams'):
        PseudoLabeler(segmentor(), source='cam')
    with pytest.raises(FileNotFoundError, match='activation maps'):
        scores_of(
            segmentor(), image(), weak_sample(img_path='x/b.jpg'),
            source='cam', cams=str(tmp_path),
        )  # fmt: skip


def test_checkpoints_and_preprocessor_are_those_of_the_segmentor():
    model = segmentor()
    labeler = PseudoLabeler(segmentor())
    for name in ('', 'outer.'):
        state = {f'{name}{k}': v.clone() for k, v in model.state_dict().items()}
        for value in state.values():
            value += value.is_floating_point()
        parent = labeler if not name else torch.nn.ModuleDict(dict(outer=labeler))
        parent.load_state_dict(state)
        for key, value in labeler.module.state_dict().items():
            if value.is_floating_point():
                assert torch.equal(value, state[f'{name}{key}']), key
    built = PseudoLabeler(
        config(), data_preprocessor=dict(type='SPMLDataPreProcessor', size_divisor=1)
    )
    assert isinstance(built.module.data_preprocessor, SPMLDataPreProcessor)
