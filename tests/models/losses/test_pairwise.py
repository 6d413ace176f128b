"""DenseCRF, gated CRF and tree energy losses within models."""

import pytest
import torch
from functional.losses.tree_paths import affinities
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.small_segmentor import (
    BN,
    PLAIN_HEAD,
    UNLABELED,
    VOID,
    C,
    batch,
    config,
    sample,
)

from mmseg_spml.functional.losses.pairwise import dense_crf_energy, gated_crf_energy
from mmseg_spml.functional.losses.tree import tree_filter
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.weak_labels import without_unlabeled

LOSSES = ('DenseCRFLoss', 'GatedCRFLoss', 'TreeEnergyLoss')
CE = dict(type='CrossEntropyLoss', avg_non_ignore=True)
SE = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2)
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
            PLAIN_HEAD,
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
    first.gt_sem_seg.data[:, 8:16] = UNLABELED
    second.gt_sem_seg.data[:, 16:] = VOID
    found = model.loss(inputs, [first, second])

    features = model.backbone(inputs)
    logits = model.decode_head(features)
    labels = torch.cat([first.gt_sem_seg.data, second.gt_sem_seg.data])
    pool = torch.nn.AdaptiveAvgPool2d((8, 10))
    resized = torch.nn.functional.interpolate(logits, labels.shape[1:], mode='bilinear')
    probabilities = pool(resized.softmax(1))
    colors = inputs * torch.tensor(STD)[:, None, None]
    images = pool(colors + torch.tensor(MEAN)[:, None, None])
    cells = labels.view(2, 8, 4, 10, 4).transpose(2, 3).flatten(3)
    valid = (cells != VOID).all(-1)
    assert valid.any() and not valid.all()
    expected = 2 * dense_crf_energy(probabilities, images, valid, 5.0, 30.0)
    torch.testing.assert_close(found['decode.loss_dense_crf'], expected)
    expected = 2 * gated_crf_energy(probabilities, images, valid, 2, 3.0, 40.0)
    torch.testing.assert_close(found['decode.loss_gated_crf'], expected)
    filtered = tree_filter(probabilities, images / 255, 0.02, valid)
    features = torch.nn.functional.interpolate(features[1], (8, 10), mode='bilinear')
    filtered = tree_filter(filtered, features, valid=valid)
    unlabeled = (cells == UNLABELED).all(-1)
    assert unlabeled.any()
    difference = (probabilities - filtered).abs().sum(1)
    expected = 2 * difference[unlabeled].mean()
    torch.testing.assert_close(found['decode.loss_tree_energy'], expected)


def test_tree_energy_by_loops_over_pixels():
    generator = torch.Generator().manual_seed(0)
    shape = 2, C, 4, 5
    logits = torch.randn(shape, generator=generator, requires_grad=True)
    images = 255 * torch.rand(2, 3, 4, 5, generator=generator)
    features = torch.rand(2, 6, 4, 5, generator=generator)
    labels = torch.full((2, 4, 5), UNLABELED)
    labels[0, 0] = 1
    labels[1, :, 3:] = VOID
    loss = MODELS.build(dict(type='TreeEnergyLoss', scale_factor=1.0, sigma=0.3))
    found = loss(
        logits,
        ImageBatch(images, labels, torch.ones(len(images), C).bool()),
        [features],
    )

    total, count = 0, 0
    for number in range(2):
        rows = logits[number].flatten(1).T.double().softmax(1)
        seen = (labels[number] != VOID).flatten().double()
        filtered = rows
        for maps, sigma in ((images[number] / 255, 0.3), (features[number], 1.0)):
            near = affinities(maps, sigma) * seen
            filtered = torch.stack([row @ filtered / row.sum() for row in near])
        for row, other, label in zip(rows, filtered, labels[number].flatten()):
            if label == UNLABELED:
                total, count = total + (row - other).abs().sum(), count + 1
    expected = 0.4 * total / count
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    (gradient,) = torch.autograd.grad(found, logits)
    (exact,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient, exact, rtol=1e-4, atol=1e-6)


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
def test_in_an_spml_head_they_keep_their_weight(name):
    """That of the annotation loss scales the cross-entropy alone."""
    register_all_modules(init_default_scope=True)
    found = []
    for weight in (1.0, 0.1):
        torch.manual_seed(0)
        losses = [CE, dict(type=name, scale_factor=0.5)]
        options = dict(head__loss_decode=losses, head__classifier_weight=weight)
        model = MODELS.build(ConfigDict(config(**options))).eval()
        found.append(model.loss(*batch()))
    (key,) = set(found[0]) - {'decode.acc_seg'} - set(spml_losses())
    assert found[0][key] > 0
    torch.testing.assert_close(found[0][key], found[1][key])
    ce = 'decode.loss_ce'
    torch.testing.assert_close(0.1 * found[0][ce], found[1][ce])


def spml_losses():
    model = MODELS.build(ConfigDict(config()))
    return model.loss(*batch())


def test_in_a_branch_the_features_are_its_embedding():
    losses = [CE, dict(type='TreeEnergyLoss', scale_factor=0.5)]
    branch = config(head__loss_decode=losses)
    spml = dict(neck=branch['neck'], decode_head=branch['decode_head'])
    model = weak_model(spml=spml).eval()
    seen = []
    (loss,) = model.spml.decode_head.image_losses
    loss.energy = lambda p, batch, features: seen.append(features) or p.sum()
    inputs, samples = batch()
    model.loss(inputs, samples)
    ((embedding,),) = seen
    torch.testing.assert_close(embedding, model.embedding(inputs))


@pytest.mark.parametrize('name', LOSSES)
def test_autocast(name):
    model = weak_model(dict(type=name, scale_factor=0.5)).eval()
    inputs, samples = batch()
    (key,) = set(model.loss(inputs, samples)) - {'decode.loss_ce', 'decode.acc_seg'}
    plain = model.loss(inputs, samples)[key]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = model.loss(inputs, samples)[key]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=0.02, atol=0)


def test_losses_of_one_name_are_summed():
    """As MMSegmentation does, also with the cross-entropy."""
    crf = dict(type='GatedCRFLoss', scale_factor=0.5)
    inputs, samples = batch()
    single, double, joined = (
        weak_model(*losses).loss(inputs, samples)
        for losses in ([crf], [crf, crf], [dict(crf, loss_name='loss_ce')])
    )
    value = single['decode.loss_gated_crf']
    torch.testing.assert_close(double['decode.loss_gated_crf'], 2 * value)
    torch.testing.assert_close(
        joined['decode.loss_ce'], single['decode.loss_ce'] + value
    )


def test_a_head_that_returns_more_than_logits():
    head = weak_model().decode_head
    model = weak_model(
        decode_head=dict(
            type='EncHead',
            in_channels=[8, head.in_channels],
            in_index=(0, 1),
            channels=8,
            num_codes=4,
            norm_cfg=BN,
            num_classes=C,
            loss_se_decode=dict(SE),
            loss_decode=[CE, dict(type='GatedCRFLoss', scale_factor=0.5)],
        )
    )
    losses = model.loss(*batch())
    assert {'decode.loss_gated_crf', 'decode.loss_se'} < set(losses)
    assert losses['decode.loss_gated_crf'] > 0


def test_heads_with_losses_of_their_own_are_refused():
    with pytest.raises(ValueError, match='DDRHead computes its losses in its own way'):
        weak_model(
            decode_head=dict(
                type='DDRHead',
                in_channels=16,
                in_index=1,
                channels=8,
                norm_cfg=BN,
                num_classes=C,
                loss_decode=[CE, CE, dict(type='GatedCRFLoss')],
            )
        )


def test_one_channel_is_refused():
    model = weak_model(dict(type='GatedCRFLoss'))
    (loss,) = model.decode_head.image_losses
    batch = ImageBatch(
        torch.zeros(1, 3, 4, 4),
        torch.zeros(1, 4, 4).long(),
        torch.ones(1, C).bool(),
    )
    with pytest.raises(ValueError, match='score for each class'):
        loss(torch.zeros(1, 1, 4, 4), batch)


def test_needs_a_model_that_has_images():
    model = weak_model(dict(type='GatedCRFLoss'), type='EncoderDecoder')
    inputs, samples = batch()
    with pytest.raises(ValueError, match='WeakEncoderDecoder'):
        model.loss(inputs, without_unlabeled(samples, C))


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize(
    'option, message',
    [
        (dict(loss_name='crf'), 'loss_name'),
        (dict(scale_factor=0), 'scale_factor'),
        (dict(loss_weight=-1), 'loss_weight'),
    ],
)
def test_bad_options(name, option, message):
    register_all_modules(init_default_scope=True)
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type=name, **option))
