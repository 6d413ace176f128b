r"""Rounds of labeling: images chosen by suggestion against images chosen at random.

Both ways start from the same labeled images and the model trained on them. In each
round some images are added with their simulated labels, and the training goes on from
the last checkpoint. Each round of each way is kept in a file and
not repeated.

Example:
    python -m experiments.label_rounds \
        experiments/configs/propagation/efficientnet_lite0_ccp_points_propagation.py \
        --seeds 0 1 2 --out experiments/results/rounds/ccp
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config, ConfigDict

from experiments.result_tables import mean_and_spread
from experiments.run_comparison import train_and_test
from mmseg_spml.engine.trained_model import last_checkpoint
from mmseg_spml.inference.suggestion import suggest_from_folder
from mmseg_spml.io.atomic_file import atomic_file, write_json
from mmseg_spml.registration import register_modules

# The names of the rows of the table.
WAYS = {'suggestion': 'chosen by suggestion', 'random': 'chosen at random'}


@dataclass(frozen=True)
class Study:
    """Rounds of labeling of one config.

    Attributes:
        config: The path of the config file.
        pool: The number of images to choose among, drawn at random.
        count: The number of images to start with, and to add in each round.
        rounds: The number of rounds after the start.
        iterations: The length of each training.
        options: Further ``--cfg-options``.
    """

    config: str
    pool: int
    count: int
    rounds: int
    iterations: int
    options: tuple[str, ...] = ()

    def names(self, seed: int) -> list[str]:
        """Draw the names of the images to choose among."""
        path = Path(self.dataset().ann_file)
        names = sorted(path.read_text().split())
        return random.Random(seed).sample(names, min(self.pool, len(names)))

    def dataset(self) -> ConfigDict:
        """The training set of the config."""
        dataset = Config.fromfile(self.config).train_dataloader.dataset
        root = dataset.get('data_root') or ''
        dataset.ann_file = str(Path(root, dataset.ann_file))
        return dataset


@dataclass(frozen=True)
class Rounds:
    """The rounds of one way of choosing under one seed.

    Attributes:
        study: What all ways and seeds have in common.
        way: ``'suggestion'`` or ``'random'``.
        seed: The seed of the images to choose among, of random choice and of training.
        out: The folder of result files.
        work_root: The folder of logs and checkpoints.
    """

    study: Study
    way: str
    seed: int
    out: Path
    work_root: Path

    def run(self) -> Iterator[dict]:
        """Run the rounds that have no result file yet, and yield all results."""
        labeled: list[str] = []
        for number in range(self.study.rounds + 1):
            file = self.out / f'{self._name(number)}_seed{self.seed}.json'
            if file.is_file():
                result = json.loads(file.read_text())
            else:
                result = self._run(number, labeled)
                write_json(file, result)
            labeled += result['images']
            yield result

    def _name(self, number: int) -> str:
        return f'{self.way}_{number}' if number else 'start'

    def _folder(self, number: int) -> Path:
        return self.work_root / f'seed{self.seed}' / self._name(number)

    def _run(self, number: int, labeled: Sequence[str]) -> dict:
        """Choose images, and train and test with these and the labeled ones."""
        rest = [n for n in self.study.names(self.seed) if n not in set(labeled)]
        if number == 0 or self.way == 'random':
            added = rest[: self.study.count]  # in random order
        else:
            added = self._suggested(number, rest)
        folder = self._folder(number)
        names = folder.with_name(f'{folder.name}.txt')
        with atomic_file(names) as file:
            file.write('\n'.join([*labeled, *added]).encode() + b'\n')
        options = [
            f'randomness.seed={self.seed}',
            f'train_cfg.max_iters={self.study.iterations}',
            f'param_scheduler.0.max_iters={self.study.iterations}',
            f'train_dataloader.dataset.ann_file={names.resolve()}',
            *self.study.options,
        ]
        if number:
            options.append(
                f'load_from={last_checkpoint(self._folder(number - 1) / "train")}'
            )
        result = train_and_test(self.study.config, options, folder, {'softmax': []})
        del result['command']  # it names files that are not kept
        return dict(
            config=self.study.config,
            iterations=self.study.iterations,
            pool=self.study.pool,
            options=list(self.study.options),
            seed=self.seed,
            way=self.way if number else None,
            round=number,
            images=added,
            **result,
        )

    def _suggested(self, number: int, rest: Sequence[str]) -> list[str]:
        """Choose images by the model of the round before."""
        register_modules()
        before = self._folder(number - 1)
        cfg = Config.fromfile(self.study.config)
        dataset = cfg.train_dataloader.dataset = self.study.dataset()
        dataset.ann_file = str(before.with_name(f'{before.name}.txt').resolve())
        suffix = dataset.get('img_suffix', '.jpg')
        images = Path(dataset.get('data_root') or '', dataset.data_prefix.img_path)
        found, errors = suggest_from_folder(
            cfg,
            last_checkpoint(before / 'train'),
            images,
            count=self.study.count,
            among=[f'{name}{suffix}' for name in rest],
        )
        if errors:
            raise ValueError(f'{len(errors)} images cannot be read, first {errors[0]}')
        return [one.image.removesuffix(suffix) for one in found]


def table(results: Sequence[dict]) -> str:
    """Format mIoU by way (rows) and number of labeled images (columns) in Markdown."""
    scores: dict[tuple[str, int], list[float]] = {}
    labeled: dict[int, int] = {}
    for result in results:
        number = result['round']
        labeled[number] = labeled.get(0, len(result['images'])) * (number + 1)
        for way in (result['way'],) if result['way'] else WAYS:
            scores.setdefault((way, number), []).append(result['mIoU']['softmax'])
    numbers = sorted(labeled)
    lines = [
        '| images with points | ' + ' | '.join(str(labeled[n]) for n in numbers) + ' |',
        '|---' * (len(numbers) + 1) + '|',
    ]
    for way in WAYS:
        cells = [mean_and_spread(scores.get((way, n), [])) for n in numbers]
        lines.append('| ' + ' | '.join([WAYS[way], *cells]) + ' |')
    return '\n'.join(lines)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument(
        '--work-root',
        type=Path,
        default=Path('work_dirs/rounds'),
        help='folder of logs and checkpoints (default: work_dirs/rounds)',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0, 1, 2], help='random seeds'
    )
    parser.add_argument(
        '--pool', type=int, default=300, help='number of images to choose among'
    )
    parser.add_argument(
        '--count',
        type=int,
        default=20,
        help='number of images of the start and a round',
    )
    parser.add_argument('--rounds', type=int, default=3, help='number of rounds')
    parser.add_argument(
        '--iterations', type=int, default=200, help='length of each training'
    )
    parser.add_argument(
        '--options', nargs='*', default=[], help='--cfg-options of all trainings'
    )
    parser.add_argument(
        '--table', action='store_true', help='print the table of the result files alone'
    )
    return parser.parse_args()


def main() -> None:
    """Run the missing rounds and print the table."""
    args = parse_args()
    study = Study(
        args.config,
        args.pool,
        args.count,
        args.rounds,
        args.iterations,
        tuple(args.options),
    )
    for seed in () if args.table else args.seeds:
        for way in WAYS:
            for result in Rounds(study, way, seed, args.out, args.work_root).run():
                print(seed, way, result['round'], result['mIoU'], flush=True)
    files = sorted(args.out.glob('*_seed*.json'))
    print(table([json.loads(file.read_text()) for file in files]))


if __name__ == '__main__':
    main()
