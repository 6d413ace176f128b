"""Tests of converting models to the names of the release and back."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from goldens import Golden
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_spml.engine import launch
from mmseg_spml.models.checkpoint_names import rename_release, rename_to_release

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'model_converters'
RUNS = ('deeplabv2_voc_scribbles', 'pspnet_densepose_points')


def convert(tool, *arguments):
    runpy.run_path(str(TOOLS / f'{tool}.py'))['main'](list(map(str, arguments)))


@pytest.fixture(scope='module', params=RUNS)
def case(request, tmp_path_factory):
    """Config, state of a new model, and the file of this model as in the release."""
    init_default_scope('mmseg')
    path = ROOT / 'configs' / 'spml' / f'{request.param}.py'
    cfg = Config.fromfile(path)
    launch._replace_sync_norms(cfg.model)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    state = {k: v for k, v in state.items() if not k.startswith('decode_head.memory.')}
    folder = tmp_path_factory.mktemp(request.param)
    torch.save(dict(state_dict=state), folder / 'mine.pth')
    convert('mmseg2spml', folder / 'mine.pth', folder / 'released.pth')
    return path, state, folder / 'released.pth'


def test_there_and_back(case, tmp_path):
    path, state, released = case
    convert('spml2mmseg', path, released, tmp_path / 'back.pth')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)['state_dict']
    assert list(back) == list(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_names_of_parallel_runs_and_the_constant(case):
    _, state, released = case
    content = torch.load(released, weights_only=True)
    prefixed = {
        part: {f'module.{name}': tensor for name, tensor in tensors.items()}
        for part, tensors in content.items()
    }
    prefixed['embedding_model']['module.lfn.smooth_kernel.weight'] = torch.ones(1)
    assert set(rename_release(prefixed)) == set(state)


@pytest.mark.parametrize('part', ['embedding_model', 'prediction_model'])
def test_a_missing_tensor_is_an_error(case, tmp_path, part):
    path, _, released = case
    content = torch.load(released, weights_only=True)
    del content[part][next(n for n in content[part] if n.endswith('bias'))]
    torch.save(content, tmp_path / 'in.pth')
    with pytest.raises(ValueError, match=r'missing: .*bias'):
        convert('spml2mmseg', path, tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_an_embedding_alone(case, tmp_path):
    path, state, released = case
    content = torch.load(released, weights_only=True)
    del content['prediction_model']
    torch.save(content, tmp_path / 'in.pth')
    target = tmp_path / 'out.pth'
    with pytest.raises(ValueError, match='missing: decode_head'):
        convert('spml2mmseg', path, tmp_path / 'in.pth', target)
    convert('spml2mmseg', path, tmp_path / 'in.pth', target, '--without-classifier')
    names = torch.load(target, weights_only=True)['state_dict']
    assert list(names) == [n for n in state if not n.startswith('decode_head.')]


def test_other_files_and_networks(case, tmp_path):
    path, _, _ = case
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'in.pth')
    with pytest.raises(ValueError, match='embedding_model'):
        convert('spml2mmseg', path, tmp_path / 'in.pth', tmp_path / 'out.pth')
    with pytest.raises(FileNotFoundError, match='no file'):
        convert('spml2mmseg', path, tmp_path / 'none.pth', tmp_path / 'out.pth')
    with pytest.raises(ValueError, match='without a counterpart: embedding_model: fc'):
        rename_release({'embedding_model': {'fc.weight': torch.zeros(1)}})
    with pytest.raises(ValueError, match='does not have: neck.laterals'):
        rename_to_release({'neck.laterals.0.weight': torch.zeros(1)})


@pytest.mark.parametrize('name', ['network_deeplab', 'network_pspnet'])
def test_names_of_the_release(name):
    """The names of the network of the release are converted."""
    shapes = json.loads(str(Golden(name)['state_dict']))
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    renamed = rename_release(dict(embedding_model=tensors))
    assert len(renamed) == len(tensors)
    assert set(rename_to_release(renamed)['embedding_model']) == set(tensors)


def test_errors_on_the_command_line(tmp_path, monkeypatch):
    """A sentence instead of a traceback."""
    torch.save(dict(meta={}), tmp_path / 'in.pth')
    script = TOOLS / 'mmseg2spml.py'
    for source, message in (('in.pth', 'meta'), ('none.pth', 'none.pth')):
        arguments = [script, tmp_path / source, tmp_path / 'out.pth']
        monkeypatch.setattr('sys.argv', list(map(str, arguments)))
        with pytest.raises(SystemExit, match=message):
            runpy.run_path(str(script), run_name='__main__')
    assert not (tmp_path / 'out.pth').exists()
