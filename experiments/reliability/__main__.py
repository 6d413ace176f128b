"""Measure what kills, damaged files and full disks do to the commands.

The parts are: `kills` of each command at random moments, `damage` of the files that are
read, `faults` (a full disk, two processes in one folder, a dead process of several, a
checkpoint cut in half) and `memory` over many iterations. Each part is kept in the JSON
file as soon as it is done; a part that is there is not measured again.
"""

import argparse
import json
import tempfile
from pathlib import Path

from experiments.reliability import damage, faults, kills, memory
from experiments.reliability.commands import prepare
from mmseg_spml.io.atomic_file import write_json


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m experiments.reliability',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('build/reliability.json'),
        help='file of the results (default: %(default)s)',
    )
    parser.add_argument(
        '--work', type=Path, help='folder to work in (default: a temporary one)'
    )
    parser.add_argument(
        '--kills', type=int, default=12, help='kills of each command (default: 12)'
    )
    parser.add_argument(
        '--files',
        type=int,
        default=2000,
        help='damaged files of each format (default: 2000)',
    )
    parser.add_argument(
        '--iterations',
        type=int,
        default=2000,
        help='iterations over which memory is measured (default: 2000)',
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed (default: 0)')
    return parser.parse_args()


def main() -> None:
    """Measure all parts, and print the tables."""
    args = parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        folders = prepare(work)
        parts = {
            'kills': lambda: kills.kill_jobs(work, folders, args.kills, args.seed),
            'damage': lambda: damage.damage_files(work, folders, args.files, args.seed),
            'faults': lambda: faults.cause_faults(work, folders),
            'memory': lambda: memory.train_long(work, args.iterations),
        }
        for name, measure in parts.items():
            if name not in results:
                rows = []
                for row in measure():
                    print(name, row, flush=True)
                    rows.append(row)
                results[name] = rows
                write_json(args.out, results)
    for name, rows in results.items():
        print(f'\n{name}\n\n{table(rows)}')
    if any(map(_is_bad, (row for rows in results.values() for row in rows))):
        raise SystemExit('not everything held')


def _is_bad(row: dict) -> bool:
    counted = row.get('torn') or row.get('different') or row.get('unnamed')
    return bool(counted) or not row.get('held', True)


def table(rows: list[dict]) -> str:
    """Format rows of the same keys as a Markdown table."""
    lines = [list(rows[0]), ['---'] * len(rows[0])]
    lines += [[_cell(value) for value in row.values()] for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _cell(value: object) -> str:
    return f'{value:.3g}' if isinstance(value, float) else str(value)


if __name__ == '__main__':
    main()
