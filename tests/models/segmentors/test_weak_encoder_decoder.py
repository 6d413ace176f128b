"""MMSegmentation's heads on weak labels, and SPML beside them."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.small_segmentor import (
    BN,
    PLAIN_HEAD,
    UNLABELED,
    VOID,
    C,
    D,
    batch,
    config,
    metas,
)

from mmseg_spml.models import SegmentBank
from mmseg_spml.models.segmentors import heads

FINE = dict(in_channels=(8, 16), in_index=(0, 1), input_transform='resize_concat')
OCR = dict(
    type='OCRHead',
    **FINE,
    channels=8,
    ocr_channels=8,
    dropout_ratio=0,
    norm_cfg=BN,
    num_classes=C,
)


def beside(cascade=False, **changes):
    """A plain decode head (or OCR's cascade) with an SPML branch."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = config()
    spml = dict(neck=model.pop('neck'), decode_head=model['decode_head'])
    model.update(type='WeakEncoderDecoder', spml=spml, decode_head=PLAIN_HEAD)
    if cascade:
        first = dict(PLAIN_HEAD, **FINE)
        model.update(
            type='WeakCascadeEncoderDecoder', num_stages=2, decode_head=[first, OCR]
        )
    model.update(changes)
    return MODELS.build(ConfigDict(model))


def test_own_head_learns_as_before_from_labeled_pixels():
    model = beside(spml=None)
    inputs, samples = batch()
    found = model.eval().loss(inputs, samples)['decode.loss_ce']
    labels = torch.cat([one.gt_sem_seg.data for one in samples])
    assert (labels == UNLABELED).any()
    logits = torch.nn.functional.interpolate(
        model.decode_head(model.backbone(inputs)), labels.shape[1:], mode='bilinear'
    )
    labels = labels.masked_fill(labels == UNLABELED, VOID)
    expected = torch.nn.functional.cross_entropy(logits, labels, ignore_index=VOID)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('cascade', [False, True])
def test_both_heads_train_the_backbone(cascade):
    model = beside(cascade)
    losses = model.loss(*batch())
    for part in ('decode', 'spml'):
        total = sum(v for k, v in losses.items() if k.startswith(part) and 'loss' in k)
        (gradient,) = torch.autograd.grad(
            total, [model.backbone.stem[0].weight], retain_graph=True
        )
        assert gradient.abs().sum() > 0
    assert {'spml.loss_annotation', 'spml.loss_ce'} <= set(losses)
    assert model.spml_head.memory.segments(torch.device('cpu')) is not None


def test_branch_is_that_of_the_segmentor():
    """Same parameters, same batch: the losses of an SPMLSegmentor."""
    model = beside().eval()
    alone = MODELS.build(ConfigDict(config())).eval()
    alone.backbone.load_state_dict(model.backbone.state_dict())
    alone.neck.load_state_dict(model.spml.neck.state_dict())
    alone.decode_head.load_state_dict(model.spml.decode_head.state_dict())
    inputs, samples = batch()
    expected = alone.loss(inputs, samples)
    found = model.loss(inputs, samples)
    for name, value in expected.items():
        torch.testing.assert_close(found[name.replace('decode.', 'spml.')], value)
    model.predict_with = 'spml'
    torch.testing.assert_close(
        model.inference(inputs, metas(inputs)), alone.inference(inputs, metas(inputs))
    )
    bank = SegmentBank(torch.eye(D)[:C], torch.arange(C))
    for one in (model, alone):
        one.spml_head.predictor = 'retrieval'
        one.spml_head.bank = bank
    torch.testing.assert_close(
        model.inference(inputs, metas(inputs)), alone.inference(inputs, metas(inputs))
    )


@pytest.mark.parametrize('cascade', [False, True])
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_prediction_by_either(cascade, mode):
    test_cfg = dict(mode=mode, crop_size=(24, 24), stride=(16, 16))
    model = beside(cascade, test_cfg=test_cfg).eval()
    inputs, samples = batch()
    scores = {}
    with torch.no_grad():
        for predictor in ('decode_head', 'spml'):
            model.predict_with = predictor
            assert not model.retrieves
            out = model.predict(inputs, samples)
            scores[predictor] = torch.stack([one.seg_logits.data for one in out])
            assert scores[predictor].shape == (2, C, 32, 40)
    assert not torch.equal(scores['decode_head'], scores['spml'])


def test_numbers_of_classes_must_agree():
    spml = dict(neck=config()['neck'], decode_head=config()['decode_head'])
    fewer = dict(PLAIN_HEAD, num_classes=C - 1)
    with pytest.raises(ValueError, match=f"'decode_head': {C - 1}.*{C}"):
        beside(decode_head=fewer, spml=spml)
    model = beside(decode_head=fewer, spml=None)
    with pytest.raises(ValueError, match=f'head has {C - 1} classes, the data set {C}'):
        model.loss(*batch())


@pytest.mark.parametrize('diluted', [False, True])
def test_diluted_cross_entropy_is_pointed_out(diluted, monkeypatch):
    said = []
    monkeypatch.setattr(heads, 'print_log', lambda text, **_: said.append(text))
    loss = dict(type='CrossEntropyLoss', avg_non_ignore=not diluted)
    beside(decode_head=dict(PLAIN_HEAD, loss_decode=loss))
    assert len(said) == diluted


def test_bad_options():
    with pytest.raises(ValueError, match='predict_with'):
        beside(predict_with='retrieval')
    spml = dict(neck=config()['neck'], decode_head=config(relations=())['decode_head'])
    with pytest.raises(ValueError, match='nothing trains the embedding'):
        beside(spml=spml)
    with pytest.raises(ValueError, match='branch'):
        beside(spml=None, predict_with='spml')


def test_a_branch_without_relations_needs_no_regions():
    head = dict(config()['decode_head'], relations=[], detach=False, memory=None)
    model = beside(spml=dict(neck=config()['neck'], decode_head=head))
    inputs, samples = batch()
    for one in samples:
        del one.region_map
    losses = model.loss(inputs, samples)
    assert 'spml.loss_ce' in losses and 'spml.loss_annotation' not in losses


@pytest.mark.parametrize('class_weight, warned', [(None, True), ([1.0] * C, False)])
def test_diluted_losses_are_warned_of(monkeypatch, class_weight, warned):
    said = []
    monkeypatch.setattr(heads, 'print_log', lambda text, **options: said.append(text))
    loss = dict(type='CrossEntropyLoss', class_weight=class_weight)
    beside(spml=None, decode_head=dict(PLAIN_HEAD, loss_decode=loss))
    assert bool(said) == warned
