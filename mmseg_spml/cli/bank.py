"""``mmseg-spml bank``: the segments that nearest-segment retrieval looks up."""

import os

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.argument('out')
@click.option('--labels', help='folder of label maps instead of the weak labels')
@click.option(
    '--full-masks',
    help='folder of full masks instead of the weak labels, for an upper bound: the '
    'scores are then no longer weakly supervised',
)
@click.option(
    '--scales',
    cls=SeveralValues,
    type=click.FloatRange(min=0, min_open=True),
    default=(1.0,),
    show_default=True,
    help='scales at which the images are embedded',
)
@click.option(
    '--original-size',
    is_flag=True,
    help='do not resize images as in validation, as for pseudo labels',
)
@click.option('--append', is_flag=True, help='add to the segments that OUT holds')
@click.option('--work-dir', help='folder of logs (default: logs/ beside OUT)')
@options.cfg_options
@options.launch_options
def command(
    config: str,
    checkpoint: str,
    out: str,
    labels: str | None,
    full_masks: str | None,
    scales: tuple[float, ...],
    original_size: bool,
    append: bool,
    work_dir: str | None,
    cfg_options: dict,
    launch: options.Launch,
) -> None:
    r"""Write the bank of labeled segments that nearest-segment retrieval looks up.

    The images and weak labels are those that CONFIG trains on; --labels takes pseudo
    labels instead.

    \b
    mmseg-spml bank CONFIG CHECKPOINT bank.safetensors --scales 0.5 1 1.5
    mmseg-spml test CONFIG CHECKPOINT --cfg-options \
        model.decode_head.predictor=retrieval \
        model.decode_head.retrieval.bank=bank.safetensors
    """
    from mmseg_spml.engine import launch as launching
    from mmseg_spml.engine.bank_building import build_bank, training_images
    from mmseg_spml.engine.runner import ConciseRunner
    from mmseg_spml.engine.unwrapping import unwrapped
    from mmseg_spml.models.decode_heads.segment_bank import FULL_MASKS
    from mmseg_spml.models.segmentors.prediction import check_has_segments

    if labels and full_masks:
        raise click.UsageError('--labels and --full-masks exclude each other')
    if append and not os.path.isfile(out):
        raise click.UsageError(f'--append: there is no bank {out}')
    logs = os.path.join(os.path.dirname(os.path.abspath(out)), 'logs')
    cfg = launching.read_config(
        config,
        checkpoint=checkpoint,
        work_dir=work_dir or logs,
        cfg_options=cfg_options,
        **vars(launch),
    )
    runner = ConciseRunner.from_cfg(cfg)
    check_has_segments(unwrapped(runner.model), config)
    launching.check_checkpoint(runner.model, checkpoint)
    runner.load_or_resume()
    images = training_images(cfg, original_size)
    origin = 'weak labels'
    if labels is not None:
        images['dataset']['label_dir'], origin = labels, 'pseudo labels'
    if full_masks is not None:
        images['dataset']['label_dir'], origin = full_masks, FULL_MASKS
    bank = build_bank(
        unwrapped(runner.model),
        ConciseRunner.build_dataloader(images, seed=runner.seed or 0),
        scales=scales,
        origin=origin,
        file=out,
        append=append,
    )
    runner.logger.info(f'{len(bank)} labeled segments in {out}')
    del runner
    launching.close_distributed()
