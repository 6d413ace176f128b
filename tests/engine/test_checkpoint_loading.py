"""Checkpoints that would run code, and those that MMEngine writes."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from cli.commands import run_command
from integration import tiny
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader

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
    loss = found['message_hub']['log_scalars']['loss']
    assert type(loss) is HistoryBuffer and loss.mean() == 1.5
    loss.update(3.0)
    assert loss.max() == 3
    assert found['optimizer'] == dict(lr=0.5, step=3)
    assert found['state_dict']['weight'].tolist() == [0, 1, 2]


def with_pickle(path, content):
    """Write a checkpoint whose pickle is replaced."""
    torch.save({}, path.with_suffix('.empty'))
    with (
        zipfile.ZipFile(path.with_suffix('.empty')) as empty,
        zipfile.ZipFile(path, 'w') as archive,
    ):
        for name in empty.namelist():
            own = content if name.endswith('data.pkl') else empty.read(name)
            archive.writestr(name, own)


def text(word):
    return b'X' + struct.pack('<I', len(word)) + word.encode()


def number(value):
    return b'J' + struct.pack('<i', value)


DTYPE, NDARRAY = b'cnumpy\ndtype\n', b'cnumpy\nndarray\n'


@needs_restricted_reader
@pytest.mark.parametrize('code', ['u8', 'U2', 'O', 'V8'])
@pytest.mark.parametrize('offset', [0, 2_000_000_000])
def test_types_of_numbers_cannot_be_made_to_write_anywhere(tmp_path, code, offset):
    """NumPy would write where the fields of a made-up type say."""
    object_type = DTYPE + b'(' + text('O') + b'tR'
    own = DTYPE + b'(' + text(code) + b'\x89\x88tRq\x01'
    field = b'}' + text('f') + object_type + number(offset) + b'\x86s'
    names = b'(' + text('f') + b't'
    state = b'(' + number(3) + text('<') + b'N' + names + field
    state += number(8) + number(8) + number(0x3F) + b't'
    array = NDARRAY + b'((' + number(1) + b'th\x01tR'
    with_pickle(tmp_path / 'a.pth', b'\x80\x02(' + own + state + b'b' + array + b't.')
    with pytest.raises(ValueError, match=r'a\.pth'):
        load_checkpoint(tmp_path / 'a.pth')


@needs_restricted_reader
@pytest.mark.parametrize('shape', [(2,), (2**40,), (-1,)])
def test_arrays_have_the_size_of_their_content(tmp_path, shape):
    array = np.zeros(1)
    function, arguments, state = array.__reduce__()
    wrong = (state[0], shape, *state[2:])
    torch.save(dict(a=Built(function, arguments, wrong)), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth'):
        load_checkpoint(tmp_path / 'a.pth')


class Built:
    """An object whose pickle calls a function and sets the state of the result."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


@needs_restricted_reader
def test_a_compressed_archive_is_not_read(tmp_path):
    torch.save(dict(weight=torch.zeros(10_000)), tmp_path / 'whole.pth')
    with (
        zipfile.ZipFile(tmp_path / 'whole.pth') as whole,
        zipfile.ZipFile(tmp_path / 'a.pth', 'w', zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    with pytest.raises(ValueError, match='a.pth .*compressed'):
        load_checkpoint(tmp_path / 'a.pth')


def test_functions_of_a_schedule_of_mmengine(tmp_path):
    function = OneCycleParamScheduler._annealing_cos
    torch.save(dict(anneal_func=function), tmp_path / 'a.pth')
    found = load_checkpoint(tmp_path / 'a.pth')['anneal_func']
    assert found(1, 0, 0.5) == function(1, 0, 0.5)


@needs_restricted_reader
def test_mmengines_own_loader_runs_no_code_either(tmp_path):
    path, marker = harmful(tmp_path)
    with pytest.raises(UntrustedCheckpointError):
        CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert not marker.exists()


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
