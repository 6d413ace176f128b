"""Benchmark of what a user waits for before a command begins to work."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
from skimage.data import astronaut

from benchmarks.measurement import Comparison
from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import Stroke, WeakAnnotation
from mmseg_spml.io.images import write_image

_IMPORT = [sys.executable, '-c', 'import torch']
_SIZE = (300, 200)


def commands(small: bool) -> list[Comparison]:
    """Time the help, a conversion, a check, and a training up to its first iteration.

    Args:
        small: Whether 2 images are annotated instead of 27, and nothing is trained.
    """
    folder = Path(tempfile.mkdtemp())
    labels, images = _write_files(folder, 2 if small else 27)
    converted = folder / 'converted.json'
    lines = {
        'mmseg-spml --help': '--help',
        'mmseg-spml train --help': 'train --help',
        'mmseg-spml convert': f'convert {labels} {converted} --to coco',
        'mmseg-spml check': f'check {labels} --classes background person',
    }
    variants: dict[str, Callable[[], None]] = {
        name: partial(_call, [sys.executable, '-m', 'mmseg_spml', *line.split()])
        for name, line in lines.items()
    }
    variants['import torch'] = partial(_call, _IMPORT)
    found = [_comparison('to start commands', variants)]
    if not small:
        project = folder / 'mine'
        init = f'init {labels} {project} --images {images}'.split()
        _call([sys.executable, '-m', 'mmseg_spml', *init])
        _log_every_iteration(project / 'config.py')
        to_first = partial(_to_first_iteration, project)
        to_first()  # makes the regions
        first = {'mmseg-spml train': to_first, 'import torch': partial(_call, _IMPORT)}
        title = 'to the first iteration of a training on 27 images, regions made'
        found.append(_comparison(title, first))
    return found


def _comparison(title: str, variants: dict[str, Callable[[], None]]) -> Comparison:
    return Comparison(title, variants, 'import torch', lambda found, expected: '')


def _write_files(folder: Path, number: int) -> tuple[Path, Path]:
    """Write photographs and strokes on them; return the labels and the images."""
    picture = cv2.resize(astronaut(), _SIZE, interpolation=cv2.INTER_AREA)
    person = Stroke('person', [(100.0, 60.0), (110.0, 90.0)], 5)
    background = Stroke('background', [(20.0, 20.0), (60.0, 20.0)], 5)
    annotations = []
    for index in range(number):
        name = f'{index:02d}.jpg'
        write_image(folder / 'images' / name, picture)
        strokes = [person, background]
        annotations.append(WeakAnnotation(name, *_SIZE[::-1], strokes=strokes))
    write_annotations(annotations, str(folder / 'labels.jsonl'), 'jsonl')
    return folder / 'labels.jsonl', folder / 'images'


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _log_every_iteration(config: Path) -> None:
    """Let a project log its first iteration, not one of a hundredth of the training."""
    text, found = re.subn(
        r'logger=dict\(interval=\d+\)', 'logger=dict(interval=1)', config.read_text()
    )
    if not found:
        raise RuntimeError(f'{config} sets no interval of the logger')
    config.write_text(text)


def _to_first_iteration(project: Path) -> None:
    """Train a project until its log has an iteration, and stop it."""
    command = [sys.executable, '-m', 'mmseg_spml', 'train', str(project)]
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            if line.startswith('model: train'):
                process.kill()
                return
    raise RuntimeError(f'{command} has ended without an iteration')
