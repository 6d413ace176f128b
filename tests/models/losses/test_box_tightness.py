"""The box tightness loss in a model, against the function on maps made by hand."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.small_segmentor import (
    PLAIN_HEAD,
    UNLABELED,
    C,
    batch as small_batch,
    config,
)

from mmseg_spml.functional import VOID, box_tightness_loss
from mmseg_spml.models.image_batch import ImageBatch


def problem():
    register_all_modules(init_default_scope=True)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, C, 4, 5, generator=generator, requires_grad=True)
    images = 255 * torch.rand(2, 3, 16, 20, generator=generator)
    labels = torch.full((2, 16, 20), UNLABELED)
    labels[1, :6, :6] = VOID
    allowed = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1]]).bool()
    tight = torch.zeros(2, C, 16, 20, dtype=torch.bool)
    tight[0, 1, 3:12, 5:14] = True
    tight[0, 2, 9:14, 1:8] = True
    tight[1, 2, 4:9, 3:16] = True  # some of its lines meet void pixels
    return logits, ImageBatch(images, labels, allowed, tight_boxes=tight)


@pytest.mark.parametrize('tag_mask', [True, False])
def test_value_by_hand(tag_mask):
    logits, batch = problem()
    options = dict(scale_factor=0.5, loss_weight=3.0, tag_mask=tag_mask)
    loss = MODELS.build(dict(type='BoxTightnessLoss', **options))
    found = loss(logits, batch)

    resized = torch.nn.functional.interpolate(logits, (16, 20), mode='bilinear')
    if tag_mask:
        resized[1, 1] = -torch.inf
    cells = torch.nn.functional.avg_pool2d(resized.softmax(1), 2)
    void = (batch.labels == VOID).view(2, 8, 2, 10, 2).any(4).any(2)
    # How many of the four pixels of a cell are in the box.
    counts = batch.tight_boxes.long().view(2, C, 8, 2, 10, 2).sum(dim=(3, 5))
    boxes = counts >= 2
    expected = 3 * box_tightness_loss(cells, boxes, ~void)
    torch.testing.assert_close(found, expected)
    assert not torch.isclose(expected, 3 * box_tightness_loss(cells, boxes))
    (gradient,) = torch.autograd.grad(found, logits)
    assert gradient.any()


@pytest.mark.parametrize('side', [2, 3])
def test_a_mirrored_image_has_the_same_loss(side):
    logits, batch = problem()
    loss = MODELS.build(dict(type='BoxTightnessLoss', scale_factor=0.25))
    mirrored = ImageBatch(
        batch.images.flip(side),
        batch.labels.flip(side - 1),
        batch.allowed,
        tight_boxes=batch.tight_boxes.flip(side),
    )
    found, other = loss(logits, batch), loss(logits.flip(side), mirrored)
    assert found > 0
    torch.testing.assert_close(found, other)


def test_a_class_with_a_box_is_allowed():
    logits, batch = problem()
    loss = MODELS.build(dict(type='BoxTightnessLoss'))
    none = ImageBatch(
        batch.images,
        batch.labels,
        torch.tensor([[1, 0, 0, 1], [1, 0, 0, 1]]).bool(),
        tight_boxes=batch.tight_boxes,
    )
    allowed = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1]]).bool()
    some = ImageBatch(
        batch.images, batch.labels, allowed, tight_boxes=batch.tight_boxes
    )
    assert loss(logits, none) == loss(logits, some)


def test_it_trains_the_network():
    register_all_modules(init_default_scope=True)
    model = MODELS.build(
        ConfigDict(
            config(relations=()),
            type='WeakEncoderDecoder',
            neck=None,
            decode_head=dict(
                PLAIN_HEAD,
                loss_decode=[
                    dict(type='CrossEntropyLoss', avg_non_ignore=True),
                    dict(type='BoxTightnessLoss'),
                ],
            ),
        )
    )
    inputs, samples = small_batch()
    inside = torch.zeros(C, *inputs.shape[2:], dtype=torch.bool)
    inside[1, 5:23, 7:29] = True
    samples[0].tight_boxes = PixelData(data=inside)
    loss = model.loss(inputs, samples)['decode.loss_box_tightness']
    assert loss > 0
    loss.backward()
    gradients = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert sum(float(g.abs().sum()) for g in gradients) > 0


def test_without_boxes_it_is_zero():
    logits, batch = problem()
    loss = MODELS.build(dict(type='BoxTightnessLoss'))
    found = loss(logits, ImageBatch(batch.images, batch.labels, batch.allowed))
    (gradient,) = torch.autograd.grad(found, logits)
    assert found == 0 and not gradient.any()
