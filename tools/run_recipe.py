"""Run all stages of a recipe.

Stages that are done are skipped. If anything that a stage depends on has changed, the
stage and all stages that follow from it run again. After an interruption, the same
command continues. WORK_DIR/report.md has the scores, and WORK_DIR/NAME.log the output
of each stage. Example:

    python tools/run_recipe.py experiments/configs/recipes/demo.py
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from mmseg_spml.recipes import read_recipe, run_recipe, write_report


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('recipe', help='config file with `stages`')
    parser.add_argument(
        '--work-dir', help='folder of the recipe (default: that of the recipe file)'
    )
    parser.add_argument(
        '--set',
        nargs='+',
        action=DictAction,
        default={},
        metavar='NAME=VALUE',
        help="values of the recipe's `variables`, such as seed=1",
    )
    parser.add_argument(
        '--gpus',
        type=int,
        default=1,
        help='number of processes, one for each GPU (default: 1)',
    )
    args = parser.parse_args()
    if args.gpus < 1:
        parser.error('--gpus must be 1 or more')
    return args


def main() -> None:
    """Run the recipe and write its report."""
    args = parse_args()
    try:
        recipe = read_recipe(args.recipe, args.work_dir, args.set)
        run_recipe(recipe, Path(__file__).parent, args.gpus)
    except (ValueError, FileNotFoundError, RuntimeError, SyntaxError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('stopped; the same command goes on')
    print(f'report: {write_report(recipe)}')


if __name__ == '__main__':
    main()
