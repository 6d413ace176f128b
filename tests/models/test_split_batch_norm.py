"""Split batch normalization against two ordinary layers."""

import copy

import pytest
import torch
from torch import nn

from mmseg_spml.models.split_batch_norm import SplitBatchNorm2d, split_batch_norm


def pair(num_labeled, num_images=5, momentum=0.1):
    """An ordinary layer and a split one with the same random parameters."""
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, momentum=momentum, dtype=torch.float64)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    (split,) = split_batch_norm(nn.Sequential(copy.deepcopy(plain)))
    split.num_images, split.num_labeled = num_images, num_labeled
    return plain, split


def images(num=5):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(num, 3, 4, 2, generator=generator, dtype=torch.float64)
    return (x * torch.arange(1, num + 1).view(-1, 1, 1, 1)).requires_grad_()


@pytest.mark.parametrize('num_labeled', [1, 2, 4])
@pytest.mark.parametrize('momentum', [0.1, None])
def test_each_kind_has_its_own_statistics(num_labeled, momentum):
    plain, split = pair(num_labeled, momentum=momentum)
    x, y = images(), images()
    of_labeled = copy.deepcopy(plain)
    expected = torch.cat([of_labeled(x[:num_labeled]), plain(x[num_labeled:])])
    found = split(y)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(split.running_mean, plain.running_mean, rtol=0, atol=0)
    torch.testing.assert_close(split.running_var, plain.running_var, rtol=0, atol=0)
    assert split.num_batches_tracked == 1
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    for name in ('weight', 'bias'):
        both = getattr(of_labeled, name).grad + getattr(plain, name).grad
        torch.testing.assert_close(getattr(split, name).grad, both)


@pytest.mark.parametrize(
    ('num_labeled', 'num_images'), [(0, 5), (2, 4), (5, 6), (0, 0)]
)
def test_otherwise_it_is_an_ordinary_layer(num_labeled, num_images):
    plain, split = pair(num_labeled, num_images)
    assert torch.equal(split(images()), plain(images()))
    assert torch.equal(split.running_var, plain.running_var)


def test_labeled_images_alone_leave_the_running_statistics():
    plain, split = pair(5)
    before = split.running_var.clone()
    torch.testing.assert_close(split(images()), plain(images()))
    assert torch.equal(split.running_var, before)
    assert not torch.equal(plain.running_var, before)


def test_a_single_value_of_a_kind():
    """Image pooling leaves one value, which alone has no statistics."""
    plain, split = pair(2, num_images=3)
    pooled = images(3).mean(dim=(2, 3), keepdim=True)
    assert torch.equal(split(pooled), plain(pooled))
    plain, split = pair(2, num_images=4)
    assert not torch.equal(split(images(4)[..., :1, :1]), plain(images(4)[..., :1, :1]))


def test_evaluation_knows_no_kinds():
    plain, split = pair(2)
    assert torch.equal(split.eval()(images()), plain.eval()(images()))


def test_a_layer_without_running_statistics():
    (split,) = split_batch_norm(
        nn.Sequential(nn.BatchNorm2d(3, affine=False, track_running_stats=False))
    )
    split.num_images, split.num_labeled = 5, 2
    x = images().float()
    means = split(x)[:2].mean(dim=(0, 2, 3))
    torch.testing.assert_close(means, torch.zeros(3), atol=1e-6, rtol=0)


def test_a_model_keeps_its_parameters_and_its_order_of_memory():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).to(
        memory_format=torch.channels_last
    )
    state, parameters = copy.deepcopy(model.state_dict()), [*model.parameters()]
    (layer,) = split_batch_norm(model)
    assert layer is model[1]
    assert [*model.state_dict()] == [*state]
    assert all(a is b for a, b in zip(model.parameters(), parameters))
    layer.num_images, layer.num_labeled = 5, 2
    x = images().float().contiguous(memory_format=torch.channels_last)
    assert model(x).is_contiguous(memory_format=torch.channels_last)
    assert split_batch_norm(model) == [layer]  # a second time changes nothing


def test_a_model_that_cannot_be_split():
    with pytest.raises(ValueError, match='no BatchNorm2d'):
        split_batch_norm(nn.Conv2d(3, 3, 1))

    class Activated(nn.BatchNorm2d):
        pass

    for layer in (nn.SyncBatchNorm(3), nn.BatchNorm1d(3), Activated(3)):
        model = nn.Sequential(nn.BatchNorm2d(3), layer)
        with pytest.raises(ValueError, match=f'1 is a {type(layer).__name__}'):
            split_batch_norm(model)
        assert not isinstance(model[0], SplitBatchNorm2d)
