"""The commands whose reliability is measured, on eight generated scenes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from mmseg_spml.engine.checkpoint_loading import load_checkpoint

SCRIBBLES = 'experiments/configs/demo/scribbles.py'
MASKS = 'experiments/configs/demo/full_ce.py'
GRABCUT = 'experiments/configs/cam/demo_grabcut.py'
ITERATIONS = 8


@dataclass(frozen=True)
class Job:
    """A command that writes to a folder of its own.

    Attributes:
        name: What it is called in the table.
        words: The words after ``mmseg-spml``; ``{data}``, ``{made}`` and ``{out}`` are
            the folders of the scenes, of what other commands made, and of the job.
        again: The words that are added when it is called again after a kill.
        files: Which files are compared, as a pattern below the folder.
        anew: Whether the command wants an empty folder when it is called again.
    """

    name: str
    words: str
    again: str = ''
    files: str = '**/*'
    anew: bool = False

    def command(self, folders: dict[str, str], again: bool = False) -> list[str]:
        """Return the command with its folders."""
        words = f'{self.words} {self.again}' if again else self.words
        filled = [word.format(**folders) for word in words.split()]
        return [sys.executable, '-m', 'mmseg_spml', *filled]


_SHORT = (
    f'--cfg-options max_iters={ITERATIONS} train_dataloader.batch_size=2 '
    'default_hooks.checkpoint.interval=2'
)
JOBS = (
    Job(
        'train',
        f'train {SCRIBBLES} --work-dir {{out}} {_SHORT}',
        again='--resume',
        files=f'iter_{ITERATIONS}.pth',
    ),
    Job('recipe', 'recipe {made}/recipe.py --work-dir {out}', files='*/bank*'),
    Job('regions', 'regions {data}/JPEGImages {out} --method owt-ucm --workers 2'),
    Job('seeds', f'seeds {GRABCUT} {{out}} --workers 2'),
    Job(
        'bank',
        f'bank {SCRIBBLES} {{made}}/model.pth {{out}}/bank.safetensors',
        files='*.safetensors',
    ),
    Job(
        'convert',
        'convert {data}/boxes.jsonl {out} --to labelme',
    ),
    Job(
        'pseudo-labels',
        f'pseudo-labels {SCRIBBLES} {{made}}/model.pth {{out}}',
        files='*.png',
    ),
    Job(
        'predict',
        f'predict {SCRIBBLES} {{data}}/JPEGImages {{out}} --checkpoint '
        '{made}/model.pth --probabilities',
    ),
    Job(
        'export',
        'export {made}/predicted {out} --to labelme --images {data}/JPEGImages',
        anew=True,
    ),
)
RECIPE = f"""
work_dir = 'work'
stages = [
    dict(name='model', command='train', args=['{SCRIBBLES}', '--work-dir', '{{out}}',
         '--cfg-options', 'max_iters=2', 'train_dataloader.batch_size=2']),
    dict(name='bank', command='bank', args=['{SCRIBBLES}', '{{model.checkpoint}}',
         '{{out}}/bank.safetensors']),
]
"""


def prepare(work: Path) -> dict[str, str]:
    """Make the scenes and what the jobs start from; return their folders."""
    data, made = work / 'data', work / 'made'
    made.mkdir(parents=True, exist_ok=True)
    os.environ.update(DEMO_ROOT=str(data), OMP_NUM_THREADS='1')
    folders = dict(data=str(data / 'VOC2012'), made=str(made), out=str(work / 'start'))
    if not (made / 'predicted').exists():
        scenes = ['experiments.demo.make_data', str(data), '--train', '8', '--val', '2']
        _call([sys.executable, '-m', *scenes])
        (made / 'recipe.py').write_text(RECIPE)
        boxes = f'simulate {MASKS} {{data}}/boxes.jsonl --kinds boxes'
        _call(Job('boxes', boxes).command(folders))
        _call(JOBS[0].command(folders))
        (work / 'start' / f'iter_{ITERATIONS}.pth').rename(made / 'model.pth')
        folders['out'] = str(made / 'predicted')
        predict = next(job for job in JOBS if job.name == 'predict')
        _call(predict.command(folders))
    return folders


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def timed(command: list[str], log: Path) -> float:
    """Run a command to its end; return its seconds.

    Raises:
        RuntimeError: It fails; the message has the end of its output.
    """
    start = time.monotonic()
    with open(log, 'w') as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f'{command}: {log.read_text()[-2000:]}')
    return time.monotonic() - start


def killed(command: list[str], seconds: float, log: Path) -> bool:
    """Run a command and kill its processes after a time; return whether it ran."""
    with (
        open(log, 'w') as file,
        subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """Return what the files of a job hold, by their names below its folder."""
    return {
        str(path.relative_to(folder)): _content(path)
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith('.') and path.name != 'lock'
    }


def _content(path: Path) -> bytes:
    """Return the bytes of a file, or of the weights of a checkpoint."""
    if path.suffix != '.pth':
        return path.read_bytes()
    state = load_checkpoint(path)['state_dict']
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    return b''.join(tensor.contiguous().numpy().tobytes() for tensor in tensors)
