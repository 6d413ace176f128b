"""``mmseg-spml test``: scores and predictions of a checkpoint."""

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.option(
    '--work-dir',
    help='folder of logs and scores (default: work_dirs/<name of the config>)',
)
@click.option(
    '--split',
    type=click.Choice(['test', 'val']),
    default='test',
    show_default=True,
    help='images to test: those of test_dataloader or of val_dataloader, such as the '
    'held-out images of a project',
)
@click.option('--out', help='folder for the predicted label maps')
@click.option('--show', is_flag=True, help='show the predictions')
@click.option('--show-dir', help='folder for painted predictions')
@click.option(
    '--wait-time',
    type=float,
    default=2,
    show_default=True,
    help='time in seconds to show each prediction',
)
@click.option(
    '--tta', is_flag=True, help='test with augmentation by tta_pipeline of the config'
)
@click.option(
    '--crf',
    is_flag=True,
    help='refine the predictions by a dense CRF with the options tta_model.crf',
)
@click.option(
    '--report',
    help='folder for report.json (confusion, scores of each image) and picture.png '
    '(best and worst images)',
)
@click.option(
    '--tile',
    type=click.IntRange(min=0),
    help='side of the tiles in which images of more than 4 megapixels are tested '
    '(default: 1024, or that of the config); 0 tests them whole, as do --tta and --crf',
)
@options.cfg_options
@options.launch_options
def command(
    config: str,
    checkpoint: str,
    work_dir: str | None,
    split: str,
    out: str | None,
    show: bool,
    show_dir: str | None,
    wait_time: float,
    tta: bool,
    crf: bool,
    report: str | None,
    tile: int | None,
    cfg_options: dict,
    launch: options.Launch,
) -> None:
    r"""Test a checkpoint on the test or validation images of a config.

    \b
    mmseg-spml test CONFIG CHECKPOINT --crf --report report/
    """
    from mmseg_spml.engine import launch as launching, testing
    from mmseg_spml.engine.runner import ConciseRunner

    cfg = launching.read_config(
        config,
        checkpoint=checkpoint,
        work_dir=work_dir,
        cfg_options=cfg_options,
        **vars(launch),
    )
    cfg.resume = False
    if split == 'val':
        testing.use_validation_images(cfg)
    masked = testing.loads_masks(cfg)
    if show or show_dir:
        testing.draw_predictions(cfg, show=show, show_dir=show_dir, wait_time=wait_time)
    if tta or crf:
        testing.use_tta(cfg, tta, crf)
    else:
        testing.use_tiles(cfg, tile)
    if out is not None:
        testing.write_label_maps(cfg, out)
    if report is not None:
        testing.write_report(cfg, report)
    runner = ConciseRunner.from_cfg(cfg)
    if masked:
        testing.check_masks(runner.test_dataloader.dataset)
    if out is not None:
        testing.name_label_maps(runner, out)
    runner.test()
    launching.close_distributed()
