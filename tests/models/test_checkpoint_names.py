import importlib.util
from pathlib import Path

import pytest
import torch
from mmseg.models.backbones import ResNetV1c

from mmseg_spml.models.checkpoint_names import complete_state, rename_imagenet

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'cuhk2mmseg.py'


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return ResNetV1c(depth=18, base_channels=8, stem_channels=16)


@pytest.fixture
def imagenet(network):
    """The network's tensors under the names of the ImageNet file."""
    state = {}
    for name, tensor in network.state_dict().items():
        if name.startswith('stem.7.'):
            name = name.replace('stem.7.', 'bn1.')
        elif name.startswith('stem.'):
            name = name.replace('stem.', 'conv1.')
        state[name] = tensor.clone()
    state['fc.weight'] = torch.zeros(1000, 64)
    state['fc.bias'] = torch.zeros(1000)
    return state


@pytest.fixture
def tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('cuhk2mmseg', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(
        module,
        'ResNetV1c',
        lambda **_: ResNetV1c(depth=18, base_channels=8, stem_channels=16),
    )
    return module


def assert_same(state, expected):
    assert list(state) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


def test_every_name_is_mapped(network, imagenet):
    renamed = rename_imagenet(imagenet)
    assert_same(complete_state(renamed, network.state_dict()), network.state_dict())


def test_stem_of_the_release(imagenet):
    names = [n for n in imagenet if n.startswith('conv1.') and n.endswith('weight')]
    assert [n.split('.')[1] for n in names] == ['0', '1', '3', '4', '6']


def test_module_prefix_is_dropped(network, imagenet):
    prefixed = {'module.' + name: tensor for name, tensor in imagenet.items()}
    assert set(rename_imagenet(prefixed)) == set(network.state_dict())


def test_files_without_step_counters_are_complete(network, imagenet):
    old = {n: t for n, t in imagenet.items() if not n.endswith('num_batches_tracked')}
    state = complete_state(rename_imagenet(old), network.state_dict())
    assert list(state) == list(network.state_dict())


def test_unknown_tensors_are_refused_by_name(imagenet):
    imagenet.update({'layer9.0.weight': torch.zeros(1), 'head.bias': torch.zeros(1)})
    with pytest.raises(ValueError, match=r'layer9\.0\.weight, head\.bias'):
        rename_imagenet(imagenet)
    assert rename_imagenet(imagenet, ignore=('fc.', 'layer9.', 'head.'))


def test_every_problem_is_listed(network, imagenet):
    del imagenet['conv1.0.weight'], imagenet['layer2.0.bn1.weight']
    imagenet['layer1.0.conv1.weight'] = torch.zeros(3, 3)
    imagenet['layer1.7.conv1.weight'] = torch.zeros(1)
    with pytest.raises(ValueError) as caught:
        complete_state(rename_imagenet(imagenet), network.state_dict())
    message = str(caught.value)
    assert '4 tensors' in message
    assert 'missing: stem.0.weight' in message
    assert 'missing: layer2.0.bn1.weight' in message
    assert 'wrong shape: layer1.0.conv1.weight is (3, 3)' in message
    assert 'not expected: layer1.7.conv1.weight' in message


@pytest.mark.parametrize('wrap', [lambda s: s, lambda s: dict(state_dict=s)])
def test_tool_writes_a_checkpoint_that_loads(tool, network, imagenet, tmp_path, wrap):
    source, target = tmp_path / 'cuhk.pth', tmp_path / 'new' / 'mmseg.pth'
    torch.save(wrap(imagenet), source)
    tool.main([str(source), str(target)])

    fresh = ResNetV1c(
        depth=18,
        base_channels=8,
        stem_channels=16,
        init_cfg=dict(type='Pretrained', checkpoint=str(target)),
    )
    fresh.init_weights()
    assert_same(fresh.state_dict(), network.state_dict())
    assert [path.name for path in target.parent.iterdir()] == ['mmseg.pth']


def test_tool_writes_nothing_when_a_tensor_is_missing(tool, imagenet, tmp_path):
    del imagenet['bn1.running_var']
    source, target = tmp_path / 'cuhk.pth', tmp_path / 'mmseg.pth'
    torch.save(imagenet, source)
    with pytest.raises(ValueError, match=r'missing: stem\.7\.running_var'):
        tool.main([str(source), str(target)])
    assert not target.exists()


def test_tool_names_a_missing_file(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth'):
        tool.main([str(tmp_path / 'nowhere.pth'), str(tmp_path / 'mmseg.pth')])


def test_tool_refuses_other_contents(tool, tmp_path):
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='dictionary of tensors'):
        tool.main([str(tmp_path / 'list.pth'), str(tmp_path / 'mmseg.pth')])


def test_release_stem_has_128_channels():
    weight = ResNetV1c(depth=101, stem_channels=128).state_dict()['stem.6.weight']
    assert tuple(weight.shape) == (128, 64, 3, 3)
