"""Measure parts of the package against baselines.

    python -m benchmarks retrieval --out benchmarks/results/retrieval.json

The variants of a part run in turn, so that a noisy machine affects all of them alike.
The memory of a run is its peak beyond the memory that was in use before.
"""

import argparse
import os
import sys
from pathlib import Path

import torch
from rich.console import Console

from benchmarks import PARTS, Settings, measure
from benchmarks.machine import copy_rate, describe, product_rate
from benchmarks.plot import plot_scaling
from benchmarks.table import entries, markdown
from mmseg_spml.io.atomic_file import write_json

_CONFIG = (
    Path(__file__).parents[1]
    / 'experiments/configs/spml/efficientnet_lite0_camvid_scribbles.py'
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'parts',
        nargs='*',
        metavar='PART',
        help=f'parts to measure, among {", ".join(PARTS)} (default: all)',
    )
    parser.add_argument(
        '--device', default='cpu', help='cpu or cuda, the device to measure on'
    )
    parser.add_argument(
        '--repeats', type=int, default=3, help='number of runs of each variant'
    )
    parser.add_argument(
        '--threads',
        type=int,
        help='number of threads of PyTorch (default: chosen by PyTorch)',
    )
    parser.add_argument('--small', action='store_true', help='measure small scenes')
    parser.add_argument(
        '--scene',
        help='.npz file of a training step, or "generated" (default: '
        '$MMSEG_SPML_SHARED/bench/step_scene.npz if it exists, otherwise generated)',
    )
    parser.add_argument(
        '--config',
        type=Path,
        default=_CONFIG,
        help='config of the network of the parts `iteration` and `inference` '
        f'(default: {_CONFIG.name})',
    )
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument(
        '--plot', type=Path, help='picture to write, of the part `scaling`'
    )
    args = parser.parse_args()
    unknown = sorted(set(args.parts) - set(PARTS))
    if unknown:
        parser.error(f'there are no parts {unknown}, but {", ".join(PARTS)}')
    if args.repeats < 1 or (args.threads is not None and args.threads < 1):
        parser.error('--repeats and --threads must be 1 or more')
    if args.plot is not None and args.parts and 'scaling' not in args.parts:
        parser.error('--plot draws the part `scaling`: name it, too')
    if args.device.startswith('cuda') and not torch.cuda.is_available():
        parser.error('there is no CUDA device here')
    return args


def _scene(args: argparse.Namespace) -> Path | None:
    """Return the file of the scene, or None for a generated scene."""
    if args.scene is not None:
        return None if args.scene == 'generated' else Path(args.scene)
    default = Path(__file__).resolve().parents[2] / 'shared'
    shared = Path(os.environ.get('MMSEG_SPML_SHARED', default))
    file = shared / 'bench' / 'step_scene.npz'
    return file if file.is_file() and not args.small else None


def main() -> None:
    """Measure the parts, print the table, and write the files."""
    args = parse_args()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    settings = Settings(device, args.small, _scene(args), args.config)
    console = Console(stderr=True)
    with console.status('measuring the machine') as status:
        machine = describe(device)
        machine.update(gflop_s=product_rate(device), gb_s=copy_rate(device))
        found = []
        for part in args.parts or PARTS:
            for comparison in PARTS[part](settings):
                measurements = measure(comparison, device, args.repeats, status.update)
                found.append(entries(comparison, measurements, machine))
                console.print(f'measured: {comparison.title}')
    print(markdown(machine, found))
    if args.plot is not None:
        plot_scaling(found, args.plot)
    if args.out is not None:
        content = dict(
            command=' '.join(['python -m benchmarks', *sys.argv[1:]]),
            machine=machine,
            comparisons=found,
        )
        write_json(args.out, content)


if __name__ == '__main__':
    main()
