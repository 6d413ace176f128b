"""Train configs under several seeds and print their table.

Finished cells are kept in the output folder and not run again, so that a table can be
filled in parts: ``python tools/compare_runs.py CONFIG ... --seeds 0 1 2 --out results``
"""

import argparse
from pathlib import Path

from mmseg_spml.evaluation.run_comparison import (
    Cell,
    format_class_table,
    format_table,
    load_results,
    run_cells,
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='config files to compare')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--out', type=Path, required=True, help='folder of results')
    parser.add_argument('--work-root', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument('--jobs', type=int, default=1, help='runs at the same time')
    parser.add_argument(
        '--options', nargs='*', default=[], help='--cfg-options of all runs'
    )
    parser.add_argument(
        '--per-class', action='store_true', help='also print the IoU of each class'
    )
    return parser.parse_args()


def main() -> None:
    """Run the missing cells, report progress, print the table."""
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
