"""Test a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

import argparse
import os

from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_spml.engine import launch


def parse_args() -> argparse.Namespace:
    """Parse the command line, which is that of MMSegmentation's tool."""
    parser = argparse.ArgumentParser(description='Test (and evaluate) a segmentor')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir',
        help='folder of logs and scores (default: work_dirs/<name of the config>)',
    )
    parser.add_argument('--out', help='folder for the predicted label maps')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument('--show-dir', help='folder for painted predictions')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='time in seconds to show each prediction (default: 2)',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test with augmentation by tta_pipeline of the config',
    )
    parser.add_argument(
        '--crf',
        action='store_true',
        help='refine the predictions by a dense CRF with the options tta_model.crf',
    )
    parser.add_argument(
        '--report',
        help='folder for report.json (confusion, scores of each image) and picture.png '
        '(best and worst images)',
    )
    launch.add_arguments(parser)
    return parser.parse_args()


def draw_predictions(cfg: Config, args: argparse.Namespace) -> None:
    """Have the visualization hook show or save the predictions.

    Raises:
        ValueError: The config has no such hook.
    """
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need default_hooks.visualization='
            "dict(type='SegVisualizationHook') in the config"
        )
    hook.update(draw=True, interval=1, show=args.show, wait_time=args.wait_time)
    if args.show_dir:
        cfg.visualizer.save_dir = args.show_dir


def use_tta(cfg: Config, views: bool, crf: bool) -> None:
    """Wrap the model and the pipeline for test-time augmentation.

    Args:
        cfg: The config, which is changed in place.
        views: Whether to use the views of ``cfg.tta_pipeline``; otherwise the test
            pipeline gives a single view.
        crf: Whether a dense CRF refines the predictions.

    Raises:
        ValueError: ``views`` is set, and the config has no ``tta_pipeline`` or
            ``tta_model``.
    """
    if views and ('tta_pipeline' not in cfg or 'tta_model' not in cfg):
        raise ValueError('--tta needs `tta_pipeline` and `tta_model` in the config')
    dataset = cfg.test_dataloader.dataset
    if views:
        dataset.pipeline = cfg.tta_pipeline
    else:
        steps = [[step] for step in dataset.pipeline]
        dataset.pipeline = [dict(type='TestTimeAug', transforms=steps)]
    if crf:
        options = cfg.get('tta_model', {}).get('crf')
        cfg.tta_model = dict(type='SPMLTTAModel', crf=options or {})
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def evaluators(cfg: Config) -> list:
    """Return the metrics of a config, which names one or a list, as a list."""
    found = cfg.test_evaluator
    return list(found) if isinstance(found, (list, tuple)) else [found]


def main() -> None:
    """Adapt the config to the command line and the machine, and test."""
    args = parse_args()
    cfg = launch.read_config(args)
    cfg.resume = False
    if args.show or args.show_dir:
        draw_predictions(cfg, args)
    if args.tta or args.crf:
        use_tta(cfg, args.tta, args.crf)
    if args.out is not None:
        # The metric creates the folder only on rank 0, while others already write.
        os.makedirs(args.out, exist_ok=True)
        first = evaluators(cfg)[0]
        first.output_dir, first.keep_results = args.out, True
    if args.report is not None:
        report = dict(type='PredictionReport', out_dir=args.report)
        cfg.test_evaluator = [*evaluators(cfg), report]

    Runner.from_cfg(cfg).test()
    launch.close_distributed()


if __name__ == '__main__':
    main()
