"""``mmseg-spml pseudo-labels``: label maps of the training images."""

import os

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.argument('out')
@click.option(
    '--truth',
    help='folder of full masks, to compare the label maps with, where they exist',
)
@click.option('--work-dir', help='folder of logs (default: OUT/logs)')
@options.cfg_options
@options.launch_options
def command(
    config: str,
    checkpoint: str,
    out: str,
    truth: str | None,
    work_dir: str | None,
    cfg_options: dict,
    launch: options.Launch,
) -> None:
    r"""Write pseudo labels of the images that a config trains on.

    The options are in `pseudo_labels` of the config: `model` has the options of
    PseudoLabeler, `evaluator` those of PseudoLabelWriter, and `boxes_complete` says
    whether boxes show all objects (default: as the annotations say). Train the next
    stage with train_dataloader.dataset.label_dir=OUT.

    \b
    mmseg-spml pseudo-labels CONFIG CHECKPOINT OUT --truth MASKS
    """
    from mmseg_spml.engine import launch as launching
    from mmseg_spml.engine.output_run import write_outputs
    from mmseg_spml.engine.pseudo_labeling import label_training_images

    if truth is not None and not os.path.isdir(truth):
        raise FileNotFoundError(f'--truth: there is no folder {truth!r}')
    cfg = launching.read_config(
        config,
        checkpoint=checkpoint,
        work_dir=work_dir or os.path.join(out, 'logs'),
        cfg_options=cfg_options,
        **vars(launch),
    )
    if 'decode_head' not in cfg.model:
        raise ValueError(f'{config} is of a {cfg.model.type}, not of a segmentor')
    label_training_images(cfg, out, truth)
    write_outputs(cfg, checkpoint, out)
