"""Checkpoints that would run code, and those that MMEngine writes."""

import io
import os
import zipfile

import numpy as np
import pytest
import torch
from cli.commands import run_command
from integration import tiny
from mmengine.logging import HistoryBuffer

from mmseg_spml.engine import checkpoint_loading
from mmseg_spml.engine.checkpoint_loading import (
    TRUST,
    UntrustedCheckpointError,
    load_checkpoint,
)

needs_restricted_reader = pytest.mark.skipif(
    not checkpoint_loading._RESTRICTED, reason='needs PyTorch 2.6'
)


class Payload:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def harmful(folder, **parts):
    """Write a checkpoint that makes the file ``ran``; return the paths of both."""
    marker = folder / 'ran'
    path = folder / 'harmful.pth'
    content = dict(state_dict={}, payload=Payload(os.mkdir, str(marker)), **parts)
    torch.save(content, path)
    return path, marker


def test_what_mmengine_stores_is_loaded(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    # MMEngine's message hub stores the methods of each history.
    history._statistics_methods = HistoryBuffer._statistics_methods
    content = dict(
        message_hub=dict(log_scalars=dict(loss=history)),
        optimizer=dict(lr=np.float64(0.5), step=np.int64(3)),
        state_dict=dict(weight=torch.arange(3)),
    )
    torch.save(content, tmp_path / 'a.pth')
    found = load_checkpoint(tmp_path / 'a.pth')
    assert found['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert found['optimizer'] == dict(lr=0.5, step=3)
    assert found['state_dict']['weight'].tolist() == [0, 1, 2]


def test_names_of_numpy_1_are_loaded(tmp_path):
    torch.save(dict(lr=np.float64(0.5)), tmp_path / 'new.pth')
    with (
        zipfile.ZipFile(tmp_path / 'new.pth') as new,
        zipfile.ZipFile(tmp_path / 'old.pth', 'w') as old,
    ):
        for name in new.namelist():
            content = new.read(name).replace(b'numpy._core', b'numpy.core')
            old.writestr(name, content)
    assert load_checkpoint(tmp_path / 'old.pth') == dict(lr=0.5)


@needs_restricted_reader
@pytest.mark.parametrize(
    'call, named',
    [
        ((os.system, 'true'), 'system'),
        ((eval, '1'), 'eval'),
        ((getattr, dict, 'fromkeys'), 'dict'),
        ((getattr, HistoryBuffer, 'register_statistics'), 'HistoryBuffer.register'),
        ((io.open, '/dev/null'), 'open'),
    ],
)
def test_functions_are_named_and_not_called(tmp_path, call, named):
    torch.save(dict(state_dict=Payload(*call)), tmp_path / 'a.pth')
    with pytest.raises(UntrustedCheckpointError, match=f'a.pth .* call .*{named}.*'):
        load_checkpoint(tmp_path / 'a.pth')


def test_trust_runs_the_code(tmp_path, monkeypatch):
    path, marker = harmful(tmp_path)
    monkeypatch.setenv(TRUST, '1')
    load_checkpoint(path)
    assert marker.is_dir()


def test_old_pytorch_warns(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_loading, '_RESTRICTED', False)
    torch.save(dict(a=1), tmp_path / 'a.pth')
    with pytest.warns(UserWarning, match=r'cannot keep .*a.pth from running code'):
        assert load_checkpoint(tmp_path / 'a.pth') == dict(a=1)


@pytest.mark.parametrize('share', [0, 0.01, 0.5, 0.99])
def test_damaged_files_are_named(tmp_path, share):
    torch.save(dict(weight=torch.rand(1000)), tmp_path / 'whole.pth')
    content = (tmp_path / 'whole.pth').read_bytes()
    (tmp_path / 'cut.pth').write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match='cut.pth is damaged'):
        load_checkpoint(tmp_path / 'cut.pth')


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        load_checkpoint('nowhere.pth')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    tiny.registered()
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=2)
    path = tiny.write_config(root)
    path.write_text(path.read_text().replace("'SyncBN'", "'BN'"))
    return root


COMMANDS = {
    'train': ('train', '{config}', '--work-dir', '{out}', '--resume', '{checkpoint}'),
    'load_from': (
        *('train', '{config}', '--work-dir', '{out}'),
        *('--cfg-options', 'load_from={checkpoint}'),
    ),
    'test': ('test', '{config}', '{checkpoint}', '--work-dir', '{out}'),
    'bank': ('bank', '{config}', '{checkpoint}', '{out}/bank.safetensors'),
    'pseudo-labels': ('pseudo-labels', '{config}', '{checkpoint}', '{out}'),
    'draw': ('draw', '{config}', '{checkpoint}', '--out', '{out}/a.png'),
    'neighbors': (
        *('neighbors', '{config}', '{checkpoint}', '{image}', '3', '3'),
        *('--out', '{out}/a.html'),
    ),
    'onnx': ('onnx', '{config}', '{checkpoint}', '{out}/a.onnx', '--size', '32', '40'),
    'predict': (
        *('predict', '{config}', '{images}', '{out}'),
        *('--checkpoint', '{checkpoint}'),
    ),
    'suggest': (
        *('suggest', '{config}', '{images}', '{out}'),
        *('--checkpoint', '{checkpoint}'),
    ),
}


@needs_restricted_reader
@pytest.mark.parametrize('name', COMMANDS)
def test_commands_run_no_code(root, tmp_path, name):
    path, marker = harmful(tmp_path, meta={}, message_hub={}, optimizer={})
    words = [
        word.format(
            config=root / 'tiny.py',
            checkpoint=path,
            out=tmp_path / 'out',
            images=root / 'JPEGImages',
            image=root / 'JPEGImages' / '0.png',
        )
        for word in COMMANDS[name]
    ]
    with pytest.raises(SystemExit, match=r'harmful.pth holds more than weights.*mkdir'):
        run_command(*words)
    assert not marker.exists()


@needs_restricted_reader
def test_the_option_allows_it(root, tmp_path, monkeypatch):
    monkeypatch.setenv(TRUST, '0')
    path, marker = harmful(tmp_path, meta={})
    out = tmp_path / 'a.onnx'
    words = (root / 'tiny.py', path, out, '--size', 32, 40)
    with pytest.raises(SystemExit, match='--trust'):
        run_command('onnx', *words)
    run_command('onnx', *words, '--trust')
    assert marker.is_dir()
