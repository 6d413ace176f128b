"""``mmseg-spml cams``: class activation maps of a classifier of tags."""

import os

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.argument('out')
@click.option(
    '--format',
    'file_format',
    type=click.Choice(['npz', 'npy']),
    default='npz',
    show_default=True,
    help='format of the files; SEAM writes npy',
)
@click.option('--work-dir', help='folder of logs (default: OUT/logs)')
@options.cfg_options
@options.launch_options
def command(
    config: str,
    checkpoint: str,
    out: str,
    file_format: str,
    work_dir: str | None,
    cfg_options: dict,
    launch: options.Launch,
) -> None:
    r"""Write class activation maps of a classifier of tags.

    For each image of the config's test_dataloader, OUT/NAME.npz gets a map for each
    class that its tags name.

    \b
    mmseg-spml cams configs/cam/resnet50_voc.py CHECKPOINT cams
    """
    from mmseg_spml.engine import launch as launching
    from mmseg_spml.engine.output_run import write_outputs

    cfg = launching.read_config(
        config,
        checkpoint=checkpoint,
        work_dir=work_dir or os.path.join(out, 'logs'),
        cfg_options=cfg_options,
        **vars(launch),
    )
    cfg.test_evaluator = dict(type='CamWriter', out_dir=out, file_format=file_format)
    if cfg.model.type != 'TagClassifier':
        raise ValueError(
            f'{config} is of a {cfg.model.type}; activation maps need a TagClassifier, '
            'see configs/cam'
        )
    cfg.model.predicts_maps = True
    write_outputs(cfg, checkpoint, out)
