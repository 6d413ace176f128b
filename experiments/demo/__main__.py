"""Demonstrate SPML in minutes: data, training, test, a table and a picture.

The demo generates a small data set of textured objects. It trains on the scribbles with
plain cross-entropy and with SPML, and on full masks for comparison. It tests each model
with tools/test.py, prints a table, and draws samples with the results of SPML.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from experiments.run_comparison import Cell, run_cell
from mmseg_spml.io.progress import JobBars

CONFIGS = ('scribbles_ce', 'scribbles', 'full_ce')
ROWS = {
    ('scribbles_ce', 'softmax'): 'cross-entropy on the scribbles alone',
    ('scribbles', 'softmax'): 'SPML on the scribbles, softmax',
    ('scribbles', 'retrieval'): 'SPML on the scribbles, retrieval',
    ('full_ce', 'softmax'): 'cross-entropy on full masks',
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m experiments.demo',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed of training (default: 0)'
    )
    parser.add_argument(
        '--data',
        type=Path,
        default=Path('data/demo'),
        help='folder of the generated data (default: data/demo)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/demo'),
        help='folder of the runs and the picture (default: work_dirs/demo)',
    )
    return parser.parse_args()


def make_data(root: Path) -> None:
    """Generate the data set if it does not exist."""
    if not (root / 'VOC2012' / 'val.txt').is_file():
        subprocess.run(
            [sys.executable, '-m', 'experiments.demo.make_data', str(root)], check=True
        )


def draw(cell: Cell, args: argparse.Namespace, picture: Path) -> None:
    """Draw samples with the results of the trained model of a cell."""
    last = args.out / cell.name / 'train' / 'last_checkpoint'
    command = [sys.executable, '-m', 'mmseg_spml', 'draw', cell.config]
    command += [last.read_text().strip(), '--out', str(picture)]
    command += ['--truth-dir', str(args.data / 'VOC2012/segcls')]
    subprocess.run(command, check=True)


def print_table(scores: dict) -> None:
    """Print the mIoU of each row."""
    print('\nmIoU on the validation images, %')
    for key, text in ROWS.items():
        print(f'  {text:<36} {scores[key]:.1f}')


def main() -> None:
    """Run the demo."""
    args = parse_args()
    start = time.time()
    make_data(args.data)
    os.environ['DEMO_ROOT'] = str(args.data)  # the configs read it
    scores = {}
    for number, name in enumerate(CONFIGS, start=1):
        cell = Cell(f'experiments/configs/demo/{name}.py', args.seed)
        # Earlier results are removed, so that the demo runs again.
        (args.out / f'{cell.name}.json').unlink(missing_ok=True)
        step = f'[{number}/{len(CONFIGS)}] {name}'
        print(step, flush=True)
        with JobBars() as bars, bars.job(step) as report:
            result = run_cell(cell, args.out, args.out, report, keep_checkpoint=True)
        for predictor, score in result['mIoU'].items():
            scores[name, predictor] = score
        if name == 'scribbles':
            picture = args.out / f'samples_seed{args.seed}.png'
            draw(cell, args, picture)
    print_table(scores)
    print(
        f'Picture: {picture}. The demo took {(time.time() - start) / 60:.1f} minutes.'
    )


if __name__ == '__main__':
    main()
