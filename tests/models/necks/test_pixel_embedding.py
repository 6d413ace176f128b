import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.models import (
    ASPPEmbedding,
    ConvEmbedding,
    LateralEmbedding,
    PSPEmbedding,
)
from mmseg_spml.models.necks.pixel_embedding import _upsample

BN = dict(type='BN')


def resized(value, size):
    return F.interpolate(value, size=size, mode='bilinear', align_corners=False)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_aspp_is_a_sum_of_dilated_convolutions():
    embed = ASPPEmbedding(3, 4)
    x = torch.randn(2, 3, 30, 31)
    expected = sum(
        F.conv2d(x, branch.weight, branch.bias, padding=d, dilation=d)
        for branch, d in zip(embed.branches, (6, 12, 18, 24))
    )
    assert torch.equal(embed([x]), expected)
    assert len(embed.branches) == 4
    # no activation: negative values occur
    assert expected.min() < 0


def test_aspp_with_other_dilations():
    embed = ASPPEmbedding(3, 4, dilations=(1, 2))
    assert [branch.dilation for branch in embed.branches] == [(1, 1), (2, 2)]
    assert embed([torch.randn(1, 3, 5, 7)]).shape == (1, 4, 5, 7)


def test_one_map_projections_refuse_several():
    maps = [torch.randn(1, 3, 8, 8)] * 2
    for embed in (ASPPEmbedding(3, 4), PSPEmbedding(3, 4, channels=2, norm_cfg=BN)):
        with pytest.raises(ValueError, match='unpack'):
            embed(maps)


def test_psp_by_hand():
    embed = PSPEmbedding(3, 4, channels=5, norm_cfg=BN).eval()
    x = torch.randn(2, 3, 13, 11)
    parts = [x]
    for scale, branch in zip((1, 2, 3, 6), embed.pyramid):
        conv = branch[1].conv
        assert conv.bias is None and conv.kernel_size == (1, 1)
        pooled = F.conv2d(F.adaptive_avg_pool2d(x, scale), conv.weight)
        bn = branch[1].bn
        pooled = F.batch_norm(
            pooled, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps
        )
        parts.append(resized(pooled.relu(), x.shape[2:]))
    bottleneck = embed.bottleneck
    out = F.conv2d(torch.cat(parts, 1), bottleneck.conv.weight, padding=1)
    bn = bottleneck.bn
    out = F.batch_norm(
        out, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps
    ).relu()
    out = F.conv2d(out, embed.project.weight, embed.project.bias)
    assert torch.allclose(embed([x]), out, atol=1e-6)


def test_psp_norms_of_the_release():
    embed = PSPEmbedding(3, 4, channels=5)
    norms = [m for m in embed.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 5
    assert {norm.momentum for norm in norms} == {0.1}


@pytest.mark.parametrize('kernel', [1, 3])
def test_conv_on_one_map(kernel):
    embed = ConvEmbedding(3, 4, kernel_size=kernel)
    x = torch.randn(1, 3, 6, 9)
    weight, bias = embed.project.weight, embed.project.bias
    expected = F.conv2d(x, weight, bias, padding=kernel // 2)
    assert torch.equal(embed([x]), expected)
    assert expected.shape == (1, 4, 6, 9)


def test_conv_on_several_maps_takes_the_size_of_the_first():
    embed = ConvEmbedding((3, 2), 4)
    first, second = torch.randn(1, 3, 6, 9), torch.randn(1, 2, 4, 4)
    joined = torch.cat([first, resized(second, (6, 9))], 1)
    expected = F.conv2d(joined, embed.project.weight, embed.project.bias)
    assert torch.equal(embed([first, second]), expected)


def test_laterals_by_hand():
    embed = LateralEmbedding((3, 2), 4, channels=5, norm_cfg=BN).eval()
    fine, coarse = torch.randn(1, 3, 8, 9), torch.randn(1, 2, 4, 5)
    first, second = embed.laterals
    # 5 columns of stride 2 cover 10: the last one is cut, the others keep their place
    merged = first(fine) + resized(second(coarse), (8, 10))[..., :9]
    assert embed.merge.conv.bias is None
    merged = F.conv2d(merged, embed.merge.conv.weight, padding=1)
    norm = embed.merge.bn
    merged = F.batch_norm(
        merged,
        norm.running_mean,
        norm.running_var,
        norm.weight,
        norm.bias,
        eps=norm.eps,
    ).relu()
    expected = F.conv2d(merged, embed.project.weight, embed.project.bias)
    assert torch.allclose(embed([fine, coarse]), expected, atol=1e-6)


@pytest.mark.parametrize('size', [(16, 16), (13, 9), (15, 16), (9, 11), (5, 16)])
def test_levels_keep_their_place_at_sizes_that_strides_do_not_divide(size):
    """A ramp, averaged to strides 2 and 4, meets the ramp again off the border."""
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    fine = ramp[:, :, : size[0], : size[1]]
    for stride in (2, 4):
        cells = [-(-length // stride) for length in size]
        coarse = F.avg_pool2d(ramp, stride)[:, :, : cells[0], : cells[1]]
        difference = _upsample(coarse, fine) - fine
        assert difference.shape == fine.shape
        inner = slice(stride, min(size[1], stride * cells[1] - stride // 2))
        assert difference[..., inner].abs().max() < 1e-5


def test_input_maps_are_not_changed():
    maps = [torch.randn(2, 3, 8, 9), torch.randn(2, 2, 4, 5)]
    copies = [level.clone() for level in maps]
    LateralEmbedding((3, 2), 4, channels=5, norm_cfg=BN)(maps)
    ConvEmbedding((3, 2), 4)(maps)
    assert all(torch.equal(a, b) for a, b in zip(maps, copies))


@pytest.mark.parametrize(
    'embed',
    [
        ASPPEmbedding(3, 4),
        PSPEmbedding(3, 4, channels=5, norm_cfg=BN),
        ConvEmbedding(3, 4),
        LateralEmbedding((3,), 4, channels=5, norm_cfg=BN),
    ],
)
def test_every_parameter_is_used(embed):
    embed([torch.randn(3, 3, 25, 25)]).square().sum().backward()
    for name, parameter in embed.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_lateral_embedding_of_another_number_of_levels():
    embed = LateralEmbedding([4, 6], 8, channels=4, norm_cfg=dict(type='BN'))
    with pytest.raises(ValueError, match='for 2 levels, got 1'):
        embed([torch.rand(1, 4, 8, 8)])
