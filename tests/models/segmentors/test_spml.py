from copy import deepcopy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from models.small_segmentor import (
    PLAIN_HEAD,
    C,
    D,
    batch,
    build,
    metas,
    sample,
    weak_maps,
)

from mmseg_spml.functional.segments.pooling import resize_labels
from mmseg_spml.models import SegmentBank
from mmseg_spml.models.segmentors import heads
from mmseg_spml.models.segmentors.prediction import log_probabilities

REPOSITORY = Path(__file__).parents[3]
SLIDE = dict(mode='slide', crop_size=(32, 40), stride=(20, 24))


def bank(seed=0):
    generator = torch.Generator().manual_seed(seed)
    prototypes = F.normalize(torch.randn(12, D, generator=generator), dim=1)
    return SegmentBank(prototypes, torch.arange(12) % C)


def retrieving(test_cfg=None, **options):
    model = build(head__predictor='retrieval', test_cfg=test_cfg or {}, **options)
    model.decode_head.bank = bank()
    return model.eval()


def images(size=(32, 40), count=2, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *size, generator=generator)


# ------------------------------------------------------------------- softmax


def test_softmax_inference_is_whole():
    model = build().eval()
    inputs = images()
    with torch.no_grad():
        out = model.inference(inputs, metas(inputs))
        expected = model.decode_head.predict(
            model.extract_feat(inputs), metas(inputs), {}
        )
    assert torch.equal(out, expected)
    assert out.shape == (2, C, 32, 40)


def test_softmax_inference_slides():
    """Logits of the windows, averaged."""
    model = build(test_cfg=SLIDE).eval()
    inputs = images((50, 56))
    total, count = torch.zeros(2, C, 50, 56), torch.zeros(50, 56)
    with torch.no_grad():
        out = model.inference(inputs, metas(inputs))
        for top in (0, 18):
            for left in (0, 16):
                rows, columns = slice(top, top + 32), slice(left, left + 40)
                window = inputs[:, :, rows, columns]
                total[:, :, rows, columns] += model.decode_head.predict(
                    model.extract_feat(window), metas(window), {}
                )
                count[rows, columns] += 1
    assert torch.allclose(out, total / count, atol=1e-5)


def test_predict_gives_labels_at_the_original_size():
    model = build().eval()
    inputs = images(count=1)
    one = sample(torch.zeros(32, 40))
    one.set_metainfo(dict(ori_shape=(64, 80), img_padding_size=(0, 8, 0, 0)))
    with torch.no_grad():
        (out,) = model.predict(inputs, [one])
        logits = model.inference(inputs, [one.metainfo])[:, :, :, :32]
    expected = F.interpolate(logits, (64, 80), mode='bilinear', align_corners=False)
    assert torch.equal(out.pred_sem_seg.data, expected.argmax(1))


# ----------------------------------------------------------------- retrieval


def test_embedding_of_a_whole_image():
    model = retrieving(dict(mode='whole'))
    inputs = images()
    with torch.no_grad():
        out = model.embed(inputs)
        raw = model.extract_feat(inputs)[0]
    raw = F.interpolate(raw, size=(32, 40), mode='bilinear', align_corners=False)
    assert torch.allclose(out, F.normalize(raw, dim=1), atol=1e-6)


def test_embedding_at_its_own_resolution():
    options = dict(grid=(2, 2), iterations=3, neighbors=3, resolution='embedding')
    model = retrieving(dict(mode='whole'), head__retrieval=options)
    inputs = images()
    with torch.no_grad():
        out = model.embed(inputs)
        raw = model.extract_feat(inputs)[0]
        scores = model.inference(inputs, metas(inputs))
        coarse = model.decode_head.retrieve(out, torch.ones_like(out[:, 0]).bool())
    assert torch.allclose(out, F.normalize(raw, dim=1), atol=1e-6)
    assert out.shape[2:] == (8, 10)
    # as the classifier's logits, but frequencies and not their logarithms
    expected = F.interpolate(
        coarse, scale_factor=4, mode='bilinear', align_corners=False
    )
    assert torch.allclose(scores, log_probabilities(expected), atol=1e-4)
    assert (scores[..., 1:, 1:] != scores[..., :-1, :-1]).any()


def test_one_window_equals_the_whole():
    inputs = images()
    slide = retrieving(SLIDE)
    whole = retrieving(dict(mode='whole'))
    with torch.no_grad():
        assert torch.allclose(slide.embed(inputs), whole.embed(inputs), atol=1e-6)
        first, second = (m.inference(inputs, metas(inputs)) for m in (slide, whole))
    assert torch.equal(first, second)


def test_an_image_smaller_than_the_window():
    inputs = images((24, 28))
    with torch.no_grad():
        slide, whole = retrieving(SLIDE).embed(inputs), retrieving().embed(inputs)
    assert torch.allclose(slide, whole, atol=1e-6)


def test_windows_are_averaged_as_unit_vectors():
    model = retrieving(SLIDE)
    whole = retrieving()
    inputs = images((50, 56))
    total, count = torch.zeros(2, D, 50, 56), torch.zeros(50, 56)
    with torch.no_grad():
        out = model.embed(inputs)
        for top in (0, 18):
            for left in (0, 16):
                rows, columns = slice(top, top + 32), slice(left, left + 40)
                total[:, :, rows, columns] += whole.embed(inputs[:, :, rows, columns])
                count[rows, columns] += 1
    assert torch.allclose(out, total / count, atol=1e-5)
    assert count.max() == 4 and count.min() == 1


def test_retrieval_inference():
    model = retrieving()
    inputs = images()
    with torch.no_grad():
        out = model.inference(inputs, metas(inputs))
        valid = torch.ones(2, 32, 40, dtype=torch.bool)
        expected = model.decode_head.retrieve(model.embed(inputs), valid)
    assert torch.equal(out, log_probabilities(expected))
    assert out.argmax(1).unique().numel() > 1
    # a softmax gives the frequencies back
    assert torch.allclose(out.softmax(1), expected, atol=1e-5)


@pytest.mark.parametrize('key', ['img_padding_size', 'padding_size'])
def test_padding_is_in_no_segment(key):
    model = retrieving()
    inputs = images()
    padded = metas(inputs)
    padded[0][key] = (3, 8, 0, 6)  # left, right, top, bottom
    with torch.no_grad():
        out = model.inference(inputs, padded)
        valid = torch.ones(2, 32, 40, dtype=torch.bool)
        valid[0, 26:] = valid[0, :, :3] = valid[0, :, 32:] = False
        expected = model.decode_head.retrieve(model.embed(inputs), valid)
    assert torch.equal(out, log_probabilities(expected))
    # no class has been seen on padding, some class elsewhere
    assert (out[0, :, 26:] < -13).all() and (out[0, :, :, :3] < -13).all()
    assert (out[0, :, :26, 3:32] > -2).any(0).all()


@pytest.mark.parametrize('scale', [1.0, 1.5])
def test_labeled_segments_of_a_batch(scale):
    """Labels of the file's size follow the image; padding is that of a test."""
    preprocessor = dict(type='SPMLDataPreProcessor', test_cfg=dict(size=(48, 40)))
    model = retrieving(data_preprocessor=preprocessor)
    inputs = images()
    small = weak_maps(2, (16, 10))[0]
    samples = [sample(one) for one in small]
    for one in samples:
        one.set_metainfo(dict(img_shape=(32, 20)))  # padded to 32 x 40
    height, width = int(32 * scale), int(20 * scale)
    canvas = torch.full((2, 48, 40), 255)
    canvas[:, :height, :width] = resize_labels(small, (height, width))
    views = F.interpolate(inputs[..., :20], scale_factor=scale, mode='bilinear')
    views = F.pad(views, (0, 40 - width, 0, 48 - height))
    with torch.no_grad():
        prototypes, labels = model.labeled_segments(inputs, samples, scale)
        expected = [
            model.decode_head.labeled_segments(model.embed(view[None]), map_[None])
            for view, map_ in zip(views, canvas)
        ]
    assert torch.allclose(prototypes, torch.cat([p for p, _ in expected]), atol=1e-6)
    assert torch.equal(labels, torch.cat([found for _, found in expected]))
    assert labels.max() < C and len(labels) > 2


def test_padding_has_no_class():
    """Of a bank of one class, nothing else appears where padding is near."""
    preprocessor = dict(type='SPMLDataPreProcessor', test_cfg=dict(size_divisor=32))
    options = dict(grid=(2, 2), iterations=3, neighbors=3, resolution='embedding')
    model = retrieving(data_preprocessor=preprocessor, head__retrieval=options)
    model.decode_head.bank = SegmentBank(bank().prototypes, torch.ones(12))
    sample_ = sample(torch.zeros(37, 41))
    data = dict(inputs=[images((37, 41))[0]], data_samples=[sample_])
    (out,) = model.test_step(data)
    frequencies = out.seg_logits.data.exp()
    assert (frequencies[1] > 0.999).all()
    assert frequencies[[0, 2, 3]].max() < 1e-3


# --------------------------------------------------------- what is not trained


def test_fixed_weights_stay_and_their_statistics_move():
    model = build(frozen_modules=('backbone.stem', 'backbone.layer1')).train()
    stem = model.backbone.stem
    before = [stem[1].running_mean.clone(), stem[1].weight.detach().clone()]
    losses = model.loss(*batch())
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert (stem[1].running_mean - before[0]).abs().max() > 1e-4
    assert torch.equal(stem[1].weight, before[1])
    for name, parameter in model.named_parameters():
        held = name.startswith(('backbone.stem.', 'backbone.layer1.'))
        assert parameter.requires_grad != held, name
        assert (parameter.grad is None) == held, name


def test_fixed_names_must_exist():
    with pytest.raises(ValueError, match=r"frozen_modules names 'backbone\.layer9'"):
        build(frozen_modules=('backbone.stem', 'backbone.layer9'))


def test_frozen_embedding():
    model = build(relations=(), freeze_embedding=True)
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.loss(*batch())['decode.loss_ce'].backward()
    assert model.decode_head.training and model.decode_head.classifier[1].training
    for name, value in model.state_dict().items():
        frozen = not name.startswith('decode_head.')
        if frozen:
            assert torch.equal(value, before[name]), name
    for name, parameter in model.named_parameters():
        trained = name.startswith('decode_head.')
        assert (parameter.grad is not None) == trained, name
    assert not any(m.training for m in model.backbone.modules())
    assert not any(m.training for m in model.neck.modules())


def test_without_relations_nothing_is_pooled(monkeypatch):
    with pytest.raises(ValueError, match='nothing trains the embedding'):
        build(relations=()).train().loss(*batch())
    model = build(relations=()).train()
    model.decode_head.detach = False
    monkeypatch.setattr(model.neck, 'pool', None)
    losses = model.loss(*batch())
    assert set(losses) == {'decode.loss_ce', 'decode.acc_seg'}


def test_ordinary_auxiliary_heads_see_unlabeled_pixels_as_void():
    auxiliary = dict(
        type='FCNHead',
        in_channels=D,
        in_index=0,
        channels=D,
        num_convs=0,
        concat_input=False,
        num_classes=C,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    model = build(auxiliary_head=auxiliary).train()
    inputs, samples = batch()
    labels = torch.stack([sample.gt_sem_seg.data for sample in samples])
    assert (labels == C).any()
    assert model.loss(inputs, samples)['aux.loss_ce'] > 0
    after = torch.stack([sample.gt_sem_seg.data for sample in samples])
    assert torch.equal(labels, after)


def test_retrieval_resizes_frequencies_and_not_their_logarithms():
    """Halfway between two segments a class that is rare in both does not win."""
    model = retrieving()
    frequencies = torch.tensor([[0.95, 0.05, 0, 0], [0, 0.05, 0.95, 0]])
    frequencies = frequencies.t()[None, :, None, :]  # 1 x C x 1 x 2
    model.class_frequencies = lambda *_: frequencies
    sample = SegDataSample(metainfo=dict(ori_shape=(1, 6)))
    (result,) = model.predict(torch.zeros(1, 3, 1, 2), [sample])
    assert result.pred_sem_seg.data.flatten().tolist() == [0, 0, 0, 2, 2, 2]
    middle = result.seg_logits.data[:, 0].exp()
    assert torch.allclose(middle.sum(0), torch.ones(6), atol=1e-4)


def test_auxiliary_head_takes_the_embedding():
    auxiliary = dict(
        type='SPMLHead',
        embedding_dim=D,
        num_classes=C,
        norm_cfg=dict(type='BN'),
    )
    model = build(auxiliary_head=auxiliary).train()
    losses = model.loss(*batch())
    assert losses['aux.loss_ce'] > 0


def small_lite0(**options):
    path = REPOSITORY / 'configs/_base_/models/efficientnet_lite0_spml.py'
    return MODELS.build(ConfigDict(Config.fromfile(path).model, **options))


@pytest.mark.parametrize('made', [build, small_lite0])
def test_compiled_embedding_has_no_graph_break(made):
    plain = made().train()
    compiled = made(compile=dict(backend='eager', fullgraph=True)).train()
    compiled.load_state_dict(plain.state_dict())
    inputs = images((64, 64))
    (expected,), (found,) = plain.extract_feat(inputs), compiled.extract_feat(inputs)
    assert torch.allclose(found, expected, atol=1e-5)
    assert compiled._compiled is not None and plain._compiled is None
    found.square().mean().backward()
    assert all(p.grad is not None for p in compiled.neck.parameters())
    compiled._compiled = None
    compiled.eval().extract_feat(inputs)
    assert compiled._compiled is None  # images of any size: not compiled


def test_a_copy_of_a_compiled_model_has_its_own_weights():
    compiled = build(compile=dict(backend='eager')).train()
    inputs = images((64, 64))
    (expected,) = compiled.extract_feat(inputs)
    other = deepcopy(compiled)
    torch.nn.init.zeros_(other.neck.projection.project.weight)
    (found,) = other.extract_feat(inputs)
    assert not torch.allclose(found, expected)
    plain = build().train()
    plain.load_state_dict(other.state_dict())
    assert torch.allclose(found, plain.extract_feat(inputs)[0], atol=1e-5)


def test_diluted_losses_are_warned_of(monkeypatch):
    said = []
    monkeypatch.setattr(heads, 'print_log', lambda text, **options: said.append(text))
    build()
    assert not said
    build(head__loss_decode=dict(type='CrossEntropyLoss'))
    assert 'avg_non_ignore=True' in said[0]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(neck=None), 'the neck .* SegmentPoolingNeck, got NoneType'),
        (dict(decode_head=PLAIN_HEAD), 'the decode_head .* SPMLHead, got FCNHead'),
    ],
)
def test_parts_of_other_models(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
