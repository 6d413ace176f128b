"""Full disks, several processes in one folder, dead processes, damaged checkpoints."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from experiments.reliability.commands import (
    ITERATIONS,
    JOBS,
    SCRIBBLES,
    Job,
    contents,
    timed,
)
from experiments.reliability.processes import children_of, is_alive, wait_for
from mmseg_spml.engine.checkpoints import is_whole
from mmseg_spml.models import SegmentBank

_BY_NAME = {job.name: job for job in JOBS}
_APPENDED = 40
_TWO_RANKS = Job(
    'ranks',
    f'train {SCRIBBLES} --work-dir {{out}} --gpus 2 --device cpu --cfg-options '
    'max_iters=100000 total_batch_size=4',
)


def cause_faults(work: Path, folders: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Cause each fault, and yield what was expected and whether it held.

    Args:
        work: The folder to work in.
        folders: The folders of the scenes and of what the jobs start from.

    Yields:
        A fault, what is expected, whether it held, and the end of the output.
    """
    for job in JOBS:
        if job.name != 'recipe':  # its stages are other jobs
            yield _full_disk(job, work, folders)
    yield _two_trainings(work, folders)
    yield _two_appends(work)
    yield _two_writers(work, folders)
    yield _damaged_checkpoint(work, folders, _cut_in_half, 'is cut in half')
    yield _damaged_checkpoint(work, folders, _emptied, 'is empty')
    yield _damaged_checkpoint(work, folders, Path.unlink, 'is gone')
    yield _killed_rank(work, folders)
    for moment in ('its ranks have started', 'they train'):
        yield _killed_launcher(work, folders, moment)
    yield _rank_with_a_damaged_image(work, folders)


def _row(fault: str, expected: str, held: bool, output: str) -> dict[str, Any]:
    lines = [line for line in output.strip().splitlines() if line]
    said = lines[-1].strip()[-160:] if lines else ''
    return dict(fault=fault, expected=expected, held=held, said=said)


def _output(command: list[str], **options: Any) -> tuple[int, str]:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    return done.returncode, done.stdout


def _fresh(folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    return str(folder)


def _full_disk(job: Job, work: Path, folders: dict[str, str]) -> dict[str, Any]:
    """Run a job on a disk that holds half of what the job writes."""
    # As deep as the disk, since some files hold relative paths.
    whole = work / 'whole' / 'out'
    timed(job.command({**folders, 'out': _fresh(whole)}), work / 'log')
    wanted = contents(whole, job.files)
    size = sum(path.stat().st_size for path in whole.rglob('*') if path.is_file())
    disk, left = work / 'disk', work / 'left'
    disk.mkdir(exist_ok=True)
    out = str(disk / 'out')
    command = job.command({**folders, 'out': out})
    # A disk of its own, which ends with the command: its files are copied out of it.
    script = (
        'mount -t tmpfs -o size="$1" none "$2" && shift 2 && left="$1" && shift && '
        f'"$@"; code=$?; cp -r {disk} "$left"; exit $code'
    )
    parts = [str(size // 2), str(disk), _fresh(left), *command]
    code, output = _output(['unshare', '-r', '-m', 'sh', '-c', script, 'sh', *parts])
    found = contents(left / 'out', job.files)
    # A table lists what could be written, and is another one: its last line is whole.
    cut = [
        name
        for name, content in found.items()
        if not (content.endswith(b'\n') and name.endswith('.csv'))
        and content != wanted.get(name)
    ]
    cut += [path.name for path in left.rglob('*.pth') if not is_whole(path)]
    row = _row(
        f'{job.name}: the disk is full',
        'fails, names the file or folder, leaves none cut',
        bool(code) and not cut,
        output,
    )
    row['held'] &= out in row['said']
    return row


def _two_trainings(work: Path, folders: dict[str, str]) -> dict[str, Any]:
    command = _BY_NAME['train'].command({**folders, 'out': _fresh(work / 'two')})
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        _await(lambda: (work / 'two' / 'lock').exists(), 60)
        code, output = _output(command)
        ended = first.wait()
    held = bool(code) and 'is in use by another training' in output and not ended
    expected = 'the second is refused, the first ends well'
    return _row('two trainings in one folder', expected, held, output)


def _two_appends(work: Path) -> dict[str, Any]:
    file = Path(_fresh(work / 'appended')) / 'bank.safetensors'
    row = SegmentBank(torch.ones(1, 1), torch.zeros(1))
    row.save(file)
    code = (
        'import sys, torch\n'
        'from mmseg_spml.models import SegmentBank\n'
        'row = SegmentBank(torch.ones(1, 1), torch.zeros(1))\n'
        f'for _ in range({_APPENDED}):\n'
        '    row.save(sys.argv[1], append=True)\n'
    )
    command = [sys.executable, '-c', code, str(file)]
    running = [subprocess.Popen(command) for _ in range(2)]
    codes = [process.wait() for process in running]
    held = codes == [0, 0] and len(SegmentBank.load(file)) == 1 + 2 * _APPENDED
    fault = f'two processes append {_APPENDED} times to a bank'
    return _row(fault, 'no row is lost', held, '')


def _two_writers(work: Path, folders: dict[str, str]) -> dict[str, Any]:
    job = _BY_NAME['regions']
    alone, shared = work / 'regions_alone', work / 'regions_shared'
    timed(job.command({**folders, 'out': _fresh(alone)}), work / 'log')
    command = job.command({**folders, 'out': _fresh(shared)})
    running = [subprocess.Popen(command) for _ in range(2)]
    codes = [process.wait() for process in running]
    same = contents(alone, job.files) == contents(shared, job.files)
    expected = 'both end well, with the files of one'
    return _row('two `regions` in one folder', expected, codes == [0, 0] and same, '')


def _damaged_checkpoint(
    work: Path, folders: dict[str, str], damage: Callable[[Path], None], how: str
) -> dict[str, Any]:
    out = Path(_fresh(work / 'damaged_run'))
    job = _BY_NAME['train']
    command = job.command({**folders, 'out': str(out)})
    timed(command, work / 'log')
    last, before = (out / f'iter_{n}.pth' for n in (ITERATIONS, ITERATIONS - 2))
    wanted = contents(out, job.files)
    damage(last)
    code, output = _output(job.command({**folders, 'out': str(out)}, again=True))
    named = f'resuming from {before}' in output
    held = not code and named and is_whole(last) and contents(out, job.files) == wanted
    expected = 'resumes from the one before, says so, same weights'
    return _row(f'the last checkpoint {how}', expected, held, '')


def _cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _emptied(path: Path) -> None:
    path.write_bytes(b'')


def _killed_rank(work: Path, folders: dict[str, str]) -> dict[str, Any]:
    """Kill one of two processes of a training, and time the end of all."""
    out = Path(_fresh(work / 'ranks'))
    command = _TWO_RANKS.command({**folders, 'out': str(out)})
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as launcher:
        _await(lambda: any(out.glob('*/vis_data/scalars.json')), 180)
        ranks = children_of(launcher.pid)
        start = time.monotonic()
        os.kill(ranks[-1], signal.SIGKILL)
        output, _ = launcher.communicate(timeout=120)
        seconds = time.monotonic() - start
    held = launcher.returncode != 0 and seconds < 60 and not any(map(is_alive, ranks))
    expected = 'all end within 60 s'
    return _row(
        'one of two ranks is killed', expected, held, f'{output}\n{seconds:.0f} s'
    )


def _killed_launcher(
    work: Path, folders: dict[str, str], moment: str
) -> dict[str, Any]:
    """Kill what started two ranks, at one moment or another."""
    out = Path(_fresh(work / 'launched'))
    command = _TWO_RANKS.command({**folders, 'out': str(out)})
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as launcher:
        _await(lambda: len(children_of(launcher.pid)) == 2, 60)
        if moment == 'they train':
            _await(lambda: any(out.glob('*/vis_data/scalars.json')), 180)
        ranks = children_of(launcher.pid)
        launcher.kill()
    start = time.monotonic()
    ended = wait_for(lambda: not any(map(is_alive, ranks)), 60)
    seconds = time.monotonic() - start
    fault = f'the launcher is killed when {moment}'
    return _row(fault, 'its ranks end within 60 s', ended, f'{seconds:.0f} s')


def _rank_with_a_damaged_image(work: Path, folders: dict[str, str]) -> dict[str, Any]:
    """Train on two processes with an image that cannot be decoded."""
    data = Path(_fresh(work / 'bad'))
    shutil.copytree(folders['data'], data / 'VOC2012')
    image = sorted((data / 'VOC2012' / 'JPEGImages').glob('train*'))[3]
    image.write_bytes(b'no image')
    command = _TWO_RANKS.command({**folders, 'out': _fresh(work / 'bad_run')})
    start = time.monotonic()
    code, output = _output(
        command, env={**os.environ, 'DEMO_ROOT': str(data)}, timeout=300
    )
    seconds = time.monotonic() - start
    held = code != 0 and image.name in output
    named = [line for line in output.splitlines() if image.name in line]
    expected = 'all end, the error names the image'
    return _row(
        'a damaged image on two ranks',
        f'{expected} ({seconds:.0f} s with the start)',
        held,
        named[-1] if named else output,
    )


def _await(condition: Callable[[], bool], seconds: float) -> None:
    if not wait_for(condition, seconds):
        raise TimeoutError(f'nothing has happened for {seconds} seconds')
