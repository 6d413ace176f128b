"""Profile a training iteration: loading, parts of the model, optimizer.

The config is trained for some iterations on a CPU, and a table is printed. The folder
of the run is removed.

Example:
    python -m benchmarks.profile_iteration configs/spml/deeplabv2_voc_tags.py
"""

import argparse
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import Config, DictAction

from benchmarks.iteration_profile import profile_iterations
from benchmarks.machine import describe, named
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.progress import watched


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a training run')
    parser.add_argument(
        '--iterations',
        type=int,
        default=20,
        help='number of iterations to time, and then again to profile (default: 20)',
    )
    parser.add_argument(
        '--warm-up',
        type=int,
        default=5,
        help='number of iterations before, which are not timed (default: 5)',
    )
    parser.add_argument(
        '--threads',
        type=int,
        help='number of threads of PyTorch (default: chosen by PyTorch)',
    )
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings that override the config, key=value ...',
    )
    args = parser.parse_args()
    numbers = (args.iterations, args.warm_up, args.threads)
    if any(number is not None and number < 1 for number in numbers):
        parser.error('--iterations, --warm-up and --threads must be 1 or more')
    if args.out is not None and args.out.is_dir():
        parser.error(f'--out: {args.out} is a folder')
    return args


def main() -> None:
    """Profile the iterations, print the table, and write the file."""
    args = parse_args()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    total = args.warm_up + 2 * args.iterations
    with closing(watched(range(total), 'training')) as bar:
        found = profile_iterations(
            config, args.warm_up, args.iterations, lambda: next(bar, None)
        )
        next(bar, None)  # completes the bar
    machine = describe(torch.device('cpu'))
    print(
        f'{named(machine)}; {found.plain_ms:.0f} ms an iteration, '
        f'{found.total_ms:.0f} ms profiled:\n'
    )
    print(found.markdown())
    if args.out is not None:
        command = ' '.join(['python', *sys.argv])
        content = dict(command=command, machine=machine, **asdict(found))
        write_json(args.out, content)


if __name__ == '__main__':
    main()
