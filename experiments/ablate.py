r"""Vary a config one part at a time, print a table, and draw a plot.

The results of finished runs are kept in the output folder, and these runs are not
repeated. `--jobs 0` makes table and plot of the existing results.

Example:
    python -m experiments.ablate experiments/configs/ablations/ccp_points.py \
        --groups relations
"""

import argparse
import sys
from pathlib import Path

from experiments.ablation import (
    AS_IT_IS,
    ablation_table,
    plot_ablations,
    read_ablations,
)
from experiments.run_comparison import add_run_arguments, load_results, run_cells


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'ablations', help='file of variants in experiments/configs/ablations/'
    )
    parser.add_argument(
        '--groups', nargs='+', help='groups of variants to run (default: all)'
    )
    add_run_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Run the missing variants, and write the table and the plot."""
    args = parse_args()
    try:
        variants = read_ablations(args.ablations)
        groups = {variant.group for variant in variants} - {AS_IT_IS}
        unknown = set(args.groups or ()) - groups
        if unknown:
            raise ValueError(
                f'--groups must be among {sorted(groups)}, got {sorted(unknown)}'
            )
        chosen = groups if args.groups is None else set(args.groups)
        if args.jobs:
            cells = [
                variant.cell(seed)
                for seed in args.seeds
                for variant in variants
                if variant.group in {AS_IT_IS, *chosen}
            ]
            run_cells(cells, args.out, args.work_root, args.jobs)
        results = load_results(args.out)
        table = ablation_table(variants, results)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    print(table)
    name = Path(args.ablations).stem
    (args.out / f'ablations_{name}.md').write_text(table + '\n')
    plot_ablations(variants, results, args.out / f'ablations_{name}.png')
    print(f'written to {args.out}/ablations_{name}.md and .png')


if __name__ == '__main__':
    main()
