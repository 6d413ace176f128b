"""Measure parts of the package beside what they are compared with.

    python tools/benchmark.py retrieval --out results/benchmark_retrieval.json

Variants run in turn, so that a noisy machine treats all alike; memory is what a run
needs beyond what was in use before.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Optional

import torch
from rich.console import Console

from mmseg_spml.atomic_file import write_json
from mmseg_spml.benchmark import PARTS, Settings, measure
from mmseg_spml.benchmark.plot import plot_scaling
from mmseg_spml.benchmark.table import entries, markdown
from mmseg_spml.machine import copy_rate, describe, product_rate

_CONFIG = (
    Path(__file__).parents[1] / 'configs/spml/efficientnet_lite0_camvid_scribbles.py'
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'parts', nargs='*', metavar='PART', help=f'of {", ".join(PARTS)} (default: all)'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--repeats', type=int, default=3, help='runs of each variant')
    parser.add_argument('--threads', type=int, help="PyTorch's (default: its own)")
    parser.add_argument('--small', action='store_true', help='small scenes')
    parser.add_argument(
        '--scene',
        help='.npz of a training step, or "generated" (default: '
        '$MMSEG_SPML_SHARED/bench/step_scene.npz if there is one, else generated)',
    )
    parser.add_argument(
        '--config',
        type=Path,
        default=_CONFIG,
        help='network of the parts `iteration` and `inference` '
        f'(default: {_CONFIG.name})',
    )
    parser.add_argument('--out', type=Path, help='also write a JSON file')
    parser.add_argument('--plot', type=Path, help='picture of the part `scaling`')
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


def _scene(args: argparse.Namespace) -> Optional[Path]:
    """File of the scene; None: generated."""
    if args.scene is not None:
        return None if args.scene == 'generated' else Path(args.scene)
    beside = Path(__file__).resolve().parents[2] / 'shared'
    shared = Path(os.environ.get('MMSEG_SPML_SHARED', beside))
    file = shared / 'bench' / 'step_scene.npz'
    return file if file.is_file() and not args.small else None


def main() -> None:
    """Measure, print, write."""
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
            command=' '.join(['python', *sys.argv]), machine=machine, comparisons=found
        )
        write_json(args.out, content)


if __name__ == '__main__':
    main()
