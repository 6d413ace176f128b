"""Train the runs of a table of docs/results.md, print the table, and write it.

The results of finished runs are kept in the output folder, and these runs are not
repeated, so that a table can be filled in parts, column by column or seed by seed.
`--jobs 0` only prints the table of the existing results.

Example:
    python -m experiments.reproduce_tables ccp --labels points --seeds 0
"""

import argparse
import os
import sys

from experiments.method_table import (
    FOLDER_VARIABLES,
    FULL_MASKS,
    TABLES,
    missing_labels,
)
from experiments.run_comparison import add_run_arguments, load_results, run_cells


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'table', choices=sorted(TABLES), help='data set of the table to reproduce'
    )
    parser.add_argument(
        '--labels',
        nargs='+',
        help='columns of the table: names of folders of weak labels, such as points, '
        'or "full masks" (default: all)',
    )
    add_run_arguments(parser)
    return parser.parse_args()


def _refuse_other_folders() -> None:
    """Exit if the data lie outside of data/, which the names of results refer to."""
    given = [name for name in FOLDER_VARIABLES if name in os.environ]
    if given:
        sys.exit(
            f'{", ".join(given)} set: tables are made of data/ alone; unset it, and '
            'link your folders there'
        )


def main() -> None:
    """Run the missing cells, and print and write the table."""
    args = parse_args()
    table = TABLES[args.table]
    try:
        cells = table.cells(args.labels, args.seeds)
    except ValueError as error:
        sys.exit(str(error))
    if args.jobs:
        _refuse_other_folders()
        missing = missing_labels(cells)
        if missing:
            sys.exit(
                f'no folder {", ".join(map(str, missing))}: docs/results.md says how '
                f'to make it, or leave it out: --labels scribbles "{FULL_MASKS}"'
            )
        run_cells(cells, args.out, args.work_root, args.jobs)
    text = table.format(load_results(args.out))
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f'table_{args.table}.md'
    file.write_text(f'{table.measure} on {table.title}.\n\n{text}\n')
    print(f'written to {file}')


if __name__ == '__main__':
    main()
