"""Run all stages of a recipe: ``python tools/run_recipe.py configs/recipes/demo.py``.

Stages that are done are skipped; if anything that a stage depends on changed, it and
what follows from it are done again. Stopped anywhere, the same command goes on.
WORK_DIR/report.md has the scores, WORK_DIR/NAME.log the output of each stage.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from mmseg_spml.recipes import read_recipe, run_recipe, write_report


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('recipe', help='config file with `stages`')
    parser.add_argument('--work-dir', help="instead of the recipe's")
    parser.add_argument(
        '--set',
        nargs='+',
        action=DictAction,
        default={},
        metavar='NAME=VALUE',
        help="the recipe's `variables`, such as seed=1",
    )
    parser.add_argument(
        '--gpus', type=int, default=1, help='processes, one a GPU (default: 1)'
    )
    args = parser.parse_args()
    if args.gpus < 1:
        parser.error('--gpus must be 1 or more')
    return args


def main() -> None:
    """Run and report."""
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
