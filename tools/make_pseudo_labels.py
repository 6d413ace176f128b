"""Write pseudo labels of the training images.

    python tools/make_pseudo_labels.py CONFIG CHECKPOINT OUT [--truth MASKS]

The images are those that CONFIG trains on. The options are in ``pseudo_labels`` of the
config: ``model`` has the options of ``PseudoLabeler``, ``evaluator`` the options of
``PseudoLabelWriter``, and ``boxes_complete`` says whether boxes show all objects
(default: as the annotations say). Train the next stage with
``train_dataloader.dataset.label_dir=OUT``. To use several processes, run ``torchrun
--nproc_per_node 8 tools/make_pseudo_labels.py ... --launcher pytorch``.
"""

import argparse
import os

from mmseg_spml.engine import launch
from mmseg_spml.engine.bank_building import training_step
from mmseg_spml.engine.output_run import write_outputs


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('out', help='folder for the label maps')
    parser.add_argument(
        '--truth',
        help='folder of full masks, to compare the label maps with where there are any',
    )
    parser.add_argument('--work-dir', help='folder of logs (default: OUT/logs)')
    launch.add_arguments(
        parser, example='pseudo_labels.evaluator.keep_weak_labels=True'
    )
    return parser.parse_args()


def main() -> None:
    """Run MMEngine's test loop over the training images."""
    args = parse_args()
    if args.truth is not None and not os.path.isdir(args.truth):
        raise FileNotFoundError(f'--truth: there is no folder {args.truth!r}')
    cfg = launch.read_config(args, os.path.join(args.out, 'logs'))
    if 'decode_head' not in cfg.model:
        raise ValueError(f'{args.config} is of a {cfg.model.type}, not of a segmentor')
    settings = cfg.get('pseudo_labels', {})
    model, evaluator = (settings.get(part, {}) for part in ('model', 'evaluator'))
    cfg.model = dict(type='PseudoLabeler', module=cfg.model, **model)
    dataset = cfg.train_dataloader.dataset
    loading = [training_step(dataset, 'LoadWeakAnnotations')]
    if model.get('source') == 'nearest_labels':
        loading.append(training_step(dataset, 'LoadRegions'))
    if evaluator.get('keep_boxes'):
        complete = settings.get('boxes_complete')
        loading.append(dict(type='LoadBoxExtents', boxes_complete=complete))
    cfg.test_dataloader.dataset = dict(
        dataset,
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile', to_float32=True),
            *loading,
            dict(type='PackWeakSegInputs'),
        ],
    )
    cfg.test_evaluator = dict(
        type='PseudoLabelWriter',
        out_dir=args.out,
        truth=args.truth,
        **evaluator,
    )
    write_outputs(cfg, args.checkpoint, args.out)


if __name__ == '__main__':
    main()
