"""DenseCRF, gated CRF and tree energy losses within models."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

from mmseg_spml.functional.pairwise_energy import dense_crf_energy, gated_crf_energy
from mmseg_spml.functional.tree_filter import tree_filter
from mmseg_spml.models.weak_labels import without_unlabelled
from tests.models.small_segmentor import BN, UNLABELLED, VOID, C, batch, config, sample

LOSSES = ('DenseCRFLoss', 'GatedCRFLoss', 'TreeEnergyLoss')
CE = dict(type='CrossEntropyLoss', avg_non_ignore=True)
MEAN, STD = [120.0, 110.0, 100.0], [50.0, 60.0, 70.0]


def weak_model(*losses, **changes):
    """A plain head under cross-entropy and these losses."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = config(relations=())
    model.update(
        type='WeakEncoderDecoder',
        data_preprocessor=dict(type='SPMLDataPreProcessor', mean=MEAN, std=STD),
        neck=None,
        decode_head=dict(
            type='FCNHead',
            in_channels=16,
            in_index=1,
            channels=8,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0,
            norm_cfg=BN,
            num_classes=C,
            loss_decode=[CE, *losses],
        ),
    )
    model.update(changes)
    return MODELS.build(ConfigDict(model))


@pytest.mark.parametrize('name', LOSSES)
def test_loss_trains_the_network(name):
    model = weak_model(dict(type=name, scale_factor=0.5))
    inputs, samples = batch()
    losses = model.loss(inputs, samples)
    (found,) = (losses[key] for key in losses if 'loss_ce' not in key and 'loss' in key)
    assert found > 0
    found.backward()
    gradients = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert sum(float(g.abs().sum()) for g in gradients) > 0


def test_they_see_the_image_the_mask_and_the_features():
    weights = dict(loss_weight=2.0, scale_factor=0.25)
    losses = [
        dict(type='DenseCRFLoss', sigma_xy=20.0, sigma_rgb=30.0, **weights),
        dict(type='GatedCRFLoss', radius=2, sigma_xy=3.0, sigma_rgb=40.0, **weights),
        dict(type='TreeEnergyLoss', in_index=1, sigma=0.02, **weights),
    ]
    model = weak_model(*losses).eval()
    inputs, (first, second) = batch()
    first.gt_sem_seg.data[:, 8:16] = UNLABELLED
    second.gt_sem_seg.data[:, 16:] = VOID
    found = model.loss(inputs, [first, second])

    features = model.backbone(inputs)
    logits = model.decode_head(features)
    labels = torch.cat([first.gt_sem_seg.data, second.gt_sem_seg.data])
    pool = torch.nn.AdaptiveAvgPool2d((8, 10))
    resized = torch.nn.functional.interpolate(logits, labels.shape[1:], mode='bilinear')
    probabilities = pool(resized.softmax(1))
    colours = inputs * torch.tensor(STD)[:, None, None]
    images = pool(colours + torch.tensor(MEAN)[:, None, None])
    cells = labels.view(2, 8, 4, 10, 4).transpose(2, 3).flatten(3)
    valid = (cells != VOID).all(-1)
    assert valid.any() and not valid.all()
    expected = 2 * dense_crf_energy(probabilities, images, valid, 5.0, 30.0)
    torch.testing.assert_close(found['decode.loss_dense_crf'], expected)
    expected = 2 * gated_crf_energy(probabilities, images, valid, 2, 3.0, 40.0)
    torch.testing.assert_close(found['decode.loss_gated_crf'], expected)
    filtered = tree_filter(probabilities, images / 255, 0.02)
    features = torch.nn.functional.interpolate(features[1], (8, 10), mode='bilinear')
    filtered = tree_filter(filtered, features)
    unlabelled = (cells == UNLABELLED).all(-1)
    assert unlabelled.any()
    difference = (probabilities - filtered).abs().sum(1)
    expected = 2 * difference[unlabelled].mean()
    torch.testing.assert_close(found['decode.loss_tree_energy'], expected)


@pytest.mark.parametrize('name', LOSSES)
def test_batches_without_anything(name):
    model = weak_model(dict(type=name))
    inputs, _ = batch()
    void = [sample(torch.full((32, 40), VOID)) for _ in range(2)]
    losses = model.loss(inputs, void)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    assert total == 0
    total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize('name', LOSSES)
def test_beside_spml(name):
    register_all_modules(init_default_scope=True)
    losses = [CE, dict(type=name, scale_factor=0.5)]
    model = MODELS.build(ConfigDict(config(head__loss_decode=losses)))
    values = model.loss(*batch())
    assert any(
        key.startswith('decode.loss_') and name[:4].lower() in key for key in values
    )


@pytest.mark.parametrize('name', LOSSES)
def test_autocast(name):
    model = weak_model(dict(type=name, scale_factor=0.5))
    inputs, samples = batch()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(inputs, samples)
    (found,) = (losses[key] for key in losses if 'loss_ce' not in key and 'loss' in key)
    assert found.dtype == torch.float32


def test_needs_a_model_that_lends_images():
    model = weak_model(dict(type='GatedCRFLoss'), type='EncoderDecoder')
    inputs, samples = batch()
    with pytest.raises(ValueError, match='WeakEncoderDecoder'):
        model.loss(inputs, without_unlabelled(samples, C))


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize(
    'option, message',
    [(dict(loss_name='crf'), 'loss_name'), (dict(scale_factor=0), 'scale_factor')],
)
def test_bad_options(name, option, message):
    register_all_modules(init_default_scope=True)
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type=name, **option))
