"""What the console shows of a training, and what the log file keeps."""

import torch
from integration import tiny
from packaging.version import Version


def test_console_and_log_file(tmp_path):
    tiny.write_data(tmp_path, images=4)
    tiny.write_config(tmp_path)
    output = tiny.python(
        tmp_path, '-m', 'mmseg_spml', 'train', 'tiny.py', '--work-dir', 'w',
        '--cfg-options', 'max_iters=2',
    )  # fmt: skip
    before, _, _ = output.partition('Iter(train)')
    # Before 2.6, PyTorch says something of TorchScript, and other packages say more.
    if Version(torch.__version__) >= Version('2.6'):
        assert len(before.splitlines()) <= 4, before
    (log,) = (tmp_path / 'w').glob('*/*.log')
    text = log.read_text()
    parts = 'System environment', 'Config:', 'Hooks will be executed', 'mIoU'
    for part in (*parts, 'TestProgressHook'):
        assert part in text
    assert 'mIoU' in output and 'Saving checkpoint at 2 iterations' in output
