r"""Train configs under several seeds and print a table of the results.

The results of finished runs are kept in the output folder, and these runs are not
repeated, so that a table can be filled in parts. `--jobs 0` only prints the table of
the existing results.

Example:
    python -m experiments.compare_runs CONFIG ... --seeds 0 1 2 \
        --out experiments/results
"""

import argparse

from experiments.result_tables import format_class_table, format_table
from experiments.run_comparison import (
    Cell,
    add_run_arguments,
    load_results,
    run_cells,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='config files to compare')
    add_run_arguments(parser)
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
    if args.jobs:
        run_cells(cells, args.out, args.work_root, args.jobs)
    results = load_results(args.out, args.configs)
    print(format_table(results))
    if args.per_class:
        print('\n' + format_class_table(results))


if __name__ == '__main__':
    main()
