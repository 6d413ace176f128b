"""The quick start of the README, by the package that is installed alone.

``make release-check`` runs it in fresh environments, outside of the clone, with nothing
of the clone but this file.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import Stroke, WeakAnnotation

COMMAND = Path(sysconfig.get_path('scripts'), 'mmseg-spml')
SIDE = 96


def write_labels(folder: Path, number: int = 30, labeled: int = 24) -> None:
    """Write images of bright squares, and labelme's files with two strokes on most."""
    generator = np.random.default_rng(0)
    images = folder / 'images'
    images.mkdir(parents=True)
    annotations = []
    for index in range(number):
        name = f'{index:02d}.png'
        left, top = generator.integers(8, 40, 2).tolist()
        image = generator.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        image[top : top + 40, left : left + 40] += 150
        cv2.imwrite(str(images / name), image)
        inside = Stroke('square', [(left + 8, top + 8), (left + 32, top + 32)], 3)
        outside = Stroke('background', [(2, 2), (SIDE - 3, 2)], 3)
        annotations.append(WeakAnnotation(name, SIDE, SIDE, strokes=[inside, outside]))
    write_annotations(annotations[:labeled], str(folder / 'labels'), 'labelme')


def run(folder: Path, *words: str) -> None:
    """Run a command in a folder, and show it."""
    print('mmseg-spml', *words, flush=True)
    subprocess.run([COMMAND, *words], cwd=folder, check=True)


def shorten(config: Path) -> None:
    """Let a project train for three iterations."""
    text = re.sub(r'max_iters = \d+', 'max_iters = 3', config.read_text())
    config.write_text(re.sub(r'interval=\d+', 'interval=3', text))


def quick_start(folder: Path) -> None:
    """Run the commands of the README, and check what they write."""
    write_labels(folder)
    run(folder, 'init', 'labels/', 'mine/', '--images', 'images/')
    shorten(folder / 'mine' / 'config.py')
    run(folder, 'train', 'mine/')
    run(folder, 'predict', 'mine/', 'images/', 'out/', '--uncertainty')
    run(folder, 'suggest', 'mine/', 'images/', 'next/')
    run(folder, 'predict', 'mine/', 'images/', 'first/', '--only', 'next/images.txt')
    run(folder, 'export', 'first/', 'corrected/', '--to', 'cvat')
    run(folder, 'train', 'mine/', '--labels', 'corrected/')
    for path in (
        'mine/report.html',
        'mine/result.html',
        'out/labels/00.png',
        'out/predictions.csv',
        'next/suggestions.html',
        'corrected/annotations.xml',
    ):
        if not (folder / path).is_file():
            raise SystemExit(f'the quick start has not written {folder / path}')
    print('The quick start has run.')


if __name__ == '__main__':
    quick_start(Path(sys.argv[1]).resolve())
