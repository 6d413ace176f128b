r"""Train configs under several seeds and print a table of the results.

The results of finished runs are kept in the output folder, and these runs are not
repeated, so that a table can be filled in parts.

Example:
    python -m experiments.compare_runs CONFIG ... --seeds 0 1 2 \
        --out experiments/results
"""

import argparse
from pathlib import Path

from experiments.result_tables import format_class_table, format_table
from experiments.run_comparison import Cell, load_results, run_cells


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='config files to compare')
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        help='random seeds of the runs (default: 0 1 2)',
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument(
        '--work-root',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder of logs and checkpoints (default: work_dirs/compare)',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='number of runs at the same time (default: 1)',
    )
    parser.add_argument(
        '--options', nargs='*', default=[], help='--cfg-options of all runs'
    )
    parser.add_argument(
        '--per-class', action='store_true', help='print the IoU of each class, too'
    )
    return parser.parse_args()


def main() -> None:
    """Run the missing cells and print the table."""
    args = parse_args()
    options = tuple(args.options)
    cells = [Cell(c, seed, options) for seed in args.seeds for c in args.configs]
    run_cells(cells, args.out, args.work_root, args.jobs)
    results = load_results(args.out, args.configs)
    print(format_table(results))
    if args.per_class:
        print('\n' + format_class_table(results))


if __name__ == '__main__':
    main()
