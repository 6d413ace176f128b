"""Tests of converting the ImageNet file of the release."""

import runpy
from pathlib import Path

import pytest
import torch
from imagenet_names import imagenet_names
from mmseg.models.backbones import ResNetV1c

TOOL = Path(__file__).parents[2] / 'tools/model_converters/cuhk2mmseg.py'


@pytest.fixture(scope='module')
def convert():
    return runpy.run_path(str(TOOL))['main']


@pytest.fixture(scope='module')
def backbone():
    torch.manual_seed(0)
    return ResNetV1c(depth=50, stem_channels=128)


def test_every_tensor_arrives(convert, backbone, tmp_path, capsys):
    torch.save(imagenet_names(backbone.state_dict()), tmp_path / 'in.pth')
    target = tmp_path / 'new' / 'out.pth'
    convert([str(tmp_path / 'in.pth'), str(target), '--depth', '50'])
    count = len(backbone.state_dict())
    assert f'{count} tensors written' in capsys.readouterr().out
    loaded = torch.load(target, weights_only=True)['state_dict']
    other = ResNetV1c(depth=50, stem_channels=128)
    other.load_state_dict(loaded)  # strict: every name must match
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


@pytest.mark.parametrize('lost', ['module.conv1.0.weight', 'module.layer3.2.bn1.bias'])
def test_a_missing_tensor_is_an_error(convert, backbone, tmp_path, lost):
    state = imagenet_names(backbone.state_dict())
    del state[lost]
    torch.save(state, tmp_path / 'in.pth')
    target = tmp_path / 'out.pth'
    with pytest.raises(ValueError, match='(stem.0.weight|layer3.2.bn1.bias)'):
        convert([str(tmp_path / 'in.pth'), str(target), '--depth', '50'])
    assert not target.exists()


def test_other_files_are_refused(convert, tmp_path):
    with pytest.raises(FileNotFoundError, match='resnet-101-cuhk.pth'):
        convert([str(tmp_path / 'in.pth'), 'out.pth'])
    torch.save([1, 2], tmp_path / 'in.pth')
    with pytest.raises(ValueError, match='no.* dictionary of tensors'):
        convert([str(tmp_path / 'in.pth'), 'out.pth'])
