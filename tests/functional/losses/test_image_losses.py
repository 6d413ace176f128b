"""The losses that see the image, as functions of logits: sizes, masks, gradients."""

import warnings

import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional import (
    dense_crf_energy,
    dense_crf_loss,
    gated_crf_energy,
    gated_crf_loss,
    tree_energy_loss,
)

C = 3


def scene(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, C, 6, 8, generator=generator, dtype=dtype)
    coarse = torch.rand(2, 3, 3, 4, generator=generator)
    images = 255 * F.interpolate(coarse, size=(24, 32))
    labels = torch.full((2, 24, 32), C)
    labels[0, :5], labels[1, :, 20:] = 1, 255
    return logits.requires_grad_(), images, labels


def test_dense_crf_of_logits_is_the_energy_at_its_scale():
    logits, images, labels = scene()
    found = dense_crf_loss(logits, images, labels, sigma_xy=20.0, sigma_rgb=30.0)
    large = F.interpolate(logits, (24, 32), mode='bilinear').softmax(1)
    halved = F.avg_pool2d(large, 2), F.avg_pool2d(images, 2)
    valid = (labels != 255)[:, ::2, ::2]
    torch.testing.assert_close(found, dense_crf_energy(*halved, valid, 10.0, 30.0))


def test_gated_crf_of_logits_is_the_energy_at_its_scale():
    logits, images, labels = scene()
    found = gated_crf_loss(logits, images, labels, radius=2, sigma_xy=3.0)
    large = F.interpolate(logits, (24, 32), mode='bilinear').softmax(1)
    small = F.avg_pool2d(large, 4), F.avg_pool2d(images, 4)
    valid = (labels != 255)[:, ::4, ::4]
    torch.testing.assert_close(found, gated_crf_energy(*small, valid, 2, 3.0, 25.5))


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss])
def test_without_labels_all_pixels_count(loss):
    logits, images, labels = scene()
    everything = loss(logits, images)
    assert everything == loss(logits, images, torch.zeros_like(labels))
    assert everything != loss(logits, images, labels)


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss, tree_energy_loss])
def test_gradients_and_degenerate_batches(loss):
    logits, images, labels = scene()
    value = loss(logits, images, labels)
    value.backward()
    assert value > 0 and logits.grad.abs().sum() > 0 and logits.grad.isfinite().all()
    void = loss(logits, images, torch.full_like(labels, 255))
    assert void == 0 and void.requires_grad


def test_tree_energy_takes_only_unlabeled_pixels():
    logits, images, labels = scene()
    assert tree_energy_loss(logits, images, torch.zeros_like(labels)) == 0
    features = torch.rand(2, 5, 6, 8)
    with_features = tree_energy_loss(logits, images, labels, features)
    assert with_features != tree_energy_loss(logits, images, labels)


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss, tree_energy_loss])
def test_autocast(loss):
    logits, images, labels = scene()
    plain = loss(logits, images, labels)
    with torch.autocast('cpu', torch.bfloat16):
        assert loss(logits, images, labels) == plain


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss, tree_energy_loss])
def test_mistakes_are_named(loss):
    logits, images, labels = scene()
    with pytest.raises(ValueError, match='at least two classes, got 1'):
        loss(logits[:, :1], images, labels)
    with pytest.raises(ValueError, match='logits .N, C, h, w. and images'):
        loss(logits, images[:1], labels)
    with pytest.raises(ValueError, match='of the size of the images'):
        loss(logits, images, labels[:, :12])
    with pytest.raises(ValueError, match='scale_factor must be positive'):
        loss(logits, images, labels, scale_factor=0)


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss, tree_energy_loss])
@pytest.mark.parametrize(
    'scaled', [lambda x: x / 255, lambda x: (x - 117) / 58], ids=['unit', 'normalized']
)
def test_scaled_images_are_pointed_out(loss, scaled):
    logits, images, labels = scene()
    with pytest.warns(UserWarning, match='expected images with values in 0 to 255'):
        loss(logits, scaled(images), labels)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        loss(logits, images, labels)
        loss(logits, 0 * images, labels)
        loss(logits, images - 200, labels)  # bands of 16 bits may be below 0


@pytest.mark.parametrize('loss', [dense_crf_loss, gated_crf_loss])
def test_a_bandwidth_of_images_in_0_to_1(loss):
    logits, images, labels = scene()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = loss(logits, images / 255, labels, sigma_rgb=20 / 255)
    torch.testing.assert_close(found, loss(logits, images, labels, sigma_rgb=20.0))
