"""Make seed label maps from image tags or boxes.

    python tools/make_cams.py CONFIG CHECKPOINT cams
    python tools/make_seeds.py CONFIG seeds --cams cams

The images are those of the config's ``test_dataloader``. The options are in ``seeds``
of the config. ``method`` is 'tags' (activation maps of the whole image), 'boxes'
(activation maps inside of its boxes), or 'grabcut' (boxes alone, without --cams). The
first two have the options ``alpha`` and ``threshold``, and average the maps over
regions if ``regions`` names a folder. The files OUT/NAME.png are 8-bit label maps in
which 0 is background and C is unlabeled. Images that cannot be used are skipped and
named at the end, and the exit code is then 1.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import mmseg_spml  # noqa: F401
from mmseg_spml.cli.workers import spread
from mmseg_spml.datasets.seed_files import (
    SeedMaker,
    check_outputs,
    make_seed_file,
)
from mmseg_spml.evaluation.label_report import write_label_report
from mmseg_spml.functional.labels.confusion import class_scores
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.image_grid import write_picture
from mmseg_spml.visualization.seeds import draw_seeds


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', help='config file with `seeds`, such as configs/cam/*'
    )
    parser.add_argument('out', help='folder for the label maps')
    parser.add_argument('--cams', help='folder of activation maps')
    parser.add_argument(
        '--truth',
        help='folder of full masks, to compare the seeds with where there are any',
    )
    parser.add_argument('--report', help='JSON file to write the scores to')
    parser.add_argument('--show', help='picture to write, of the seeds of 4 images')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings that override the config, such as seeds.alpha=4',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='number of processes (default: one for each core)',
    )
    args = parser.parse_args()
    if args.workers < 1:
        parser.error('--workers must be 1 or more')
    if args.report is not None and args.truth is None:
        parser.error('--report needs --truth')
    if args.truth is not None and not os.path.isdir(args.truth):
        parser.error(f'there is no folder {args.truth}')
    return args


def report(
    confusions: dict[str, np.ndarray],
    labeled: float,
    classes: Sequence[str],
    args: argparse.Namespace,
) -> None:
    """Print the scores of the seeds, and write them to the file of ``--report``."""
    scores = class_scores(np.sum([*confusions.values()], axis=0))
    print('\n| class | IoU | precision | recall |\n|---|---|---|---|')
    rows = [*zip(classes, *scores.values())]
    rows.append(('mean', *(np.nanmean(values) for values in scores.values())))
    for name, *values in rows:
        print(f'| {name} | ' + ' | '.join(f'{value:.1f}' for value in values) + ' |')
    if args.report is not None:
        more = dict(command=' '.join(sys.argv), labeled=labeled)
        write_label_report(args.report, confusions, classes, 'training', **more)


def main() -> None:
    """Make all label maps, compare them with the masks, and report the failures."""
    args = parse_args()
    try:
        cfg = Config.fromfile(args.config)
        if args.cfg_options is not None:
            cfg.merge_from_dict(args.cfg_options)
        if 'seeds' not in cfg:
            raise ValueError(
                f'{args.config} does not say how to make seeds: it needs '
                "seeds=dict(method='tags', ...), see configs/cam"
            )
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
        settings = dict(cfg.seeds)
        maker = SeedMaker(
            dataset.num_classes,
            method=settings.pop('method', 'tags'),
            cams=args.cams,
            regions=settings.pop('regions', None),
            boxes_complete=settings.pop('boxes_complete', None),
            options=settings,
        )
        samples = [dataset.get_data_info(index) for index in range(len(dataset))]
        check_outputs(samples, args.out)
        maker.check()
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    work = partial(make_seed_file, maker=maker, out=args.out, truth=args.truth)
    files = list(watched(spread(work, samples, args.workers), 'seeds', len(samples)))
    made = [file for file in files if file.error is None]
    confusions = {f.name: f.confusion for f in made if f.confusion is not None}
    if made:
        labeled = float(np.mean([file.labeled for file in made]))
        print(f'{len(made)} label maps, {labeled:.1%} of an image labeled on average')
    if args.truth is not None:
        print(f'{len(confusions)} of them have a mask')
    if confusions:
        report(confusions, labeled, dataset.metainfo['classes'], args)
    failed = [file for file in files if file.error is not None]
    for file in failed:
        print(f'{file.name}: {file.error}', file=sys.stderr)
    if args.show is not None and made:
        usable = [s for s, file in zip(samples, files) if file.error is None][:4]
        meta = dataset.metainfo
        picture = draw_seeds(
            usable, maker, meta['classes'], meta['palette'], args.truth
        )
        os.makedirs(os.path.dirname(args.show) or '.', exist_ok=True)
        write_picture(args.show, picture)
        print(f'drawn to {args.show}')
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
