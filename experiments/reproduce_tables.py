"""Train what a table of docs/results.md shows, print it, and write it to a file.

Finished cells are kept in the output folder and not run again: a table can be filled
in parts, column by column or seed by seed, and `--jobs 0` only prints what there is.

Example:
    python tools/reproduce_tables.py ccp --labels points --seeds 0
"""

import argparse
import os
import sys
from pathlib import Path

from mmseg_spml.evaluation.method_table import (
    FOLDER_VARIABLES,
    FULL_MASKS,
    TABLES,
    missing_labels,
)
from mmseg_spml.evaluation.run_comparison import load_results, run_cells


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('table', choices=sorted(TABLES), help='the set of photographs')
    parser.add_argument(
        '--labels',
        nargs='+',
        help='columns: folders of weak labels such as points, or "full masks"; '
        'all by default',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument(
        '--out', type=Path, default=Path('results'), help='folder of results'
    )
    parser.add_argument('--work-root', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at the same time; 0: none'
    )
    return parser.parse_args()


def _refuse_other_folders() -> None:
    """The names of results say data/...: they must come from there."""
    given = [name for name in FOLDER_VARIABLES if name in os.environ]
    if given:
        sys.exit(
            f'{", ".join(given)} set: tables are made of data/ alone; unset it, and '
            'link your folders there'
        )


def main() -> None:
    """Run the missing cells and write the table."""
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
    file.write_text(f'mIoU on {table.title}.\n\n{text}\n')
    print(f'written to {file}')


if __name__ == '__main__':
    main()
