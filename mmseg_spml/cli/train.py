"""``mmseg-spml train``: training of a config."""

from contextlib import nullcontext
from pathlib import Path
from shlex import quote

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.option(
    '--work-dir',
    help='folder of logs and checkpoints (default: work_dirs/<name of the config>)',
)
@click.option(
    '--resume',
    is_flag=False,
    flag_value='auto',
    metavar='[CHECKPOINT]',
    help='resume from this checkpoint (default: the latest of the work folder)',
)
@click.option(
    '--load-from',
    metavar='CHECKPOINT',
    help='start from the weights of this checkpoint',
)
@click.option('--amp', is_flag=True, help='train in automatic mixed precision')
@click.option(
    '--amp-dtype',
    type=click.Choice(['float16', 'bfloat16']),
    help='number format of mixed precision (default: float16 on CUDA, bfloat16 on a '
    'CPU)',
)
@click.option(
    '--labels',
    help='new labels of a project, from an annotation tool or a folder of `mmseg-spml '
    'export`: they join those that it has, the last round moves to rounds/, and a '
    'training of full length starts from its weights',
)
@options.cfg_options
@options.launch_options
def command(
    config: str,
    work_dir: str | None,
    resume: str | None,
    load_from: str | None,
    amp: bool,
    amp_dtype: str | None,
    labels: str | None,
    cfg_options: dict,
    launch: options.Launch,
) -> None:
    r"""Train a project or a config.

    CONFIG is the folder of a project (`mmseg-spml init`), a config file, or
    mmseg_spml::PATH for one of the package. A project is trained with all that it
    needs: seeds of boxes or tags, regions, the model, and a page with its scores and
    pictures; the same command goes on where it was stopped. A config needs --resume
    for that. Options of a project beside --labels, --gpus and --trust are set in its
    config.py.

    \b
    mmseg-spml train mine/
    mmseg-spml train mine/ --labels corrected/
    mmseg-spml train configs/spml/deeplabv2_voc_scribbles.py --gpus 8
    mmseg-spml train mmseg_spml::spml/deeplabv2_voc_scribbles.py --resume
    """
    if Path(config).is_dir():
        if work_dir or resume or load_from or amp or amp_dtype or cfg_options:
            raise click.UsageError(
                f'{config} is a project: change its config.py instead of giving options'
            )
        _train_project(config, labels)
        return
    if labels:
        raise click.UsageError(f'--labels is of projects, but {config} is no folder')
    from mmseg.registry import RUNNERS

    from mmseg_spml.engine import launch as launching
    from mmseg_spml.engine.run_length import save_in_time
    from mmseg_spml.engine.runner import ConciseRunner
    from mmseg_spml.io.folder_lock import locked_folder

    cfg = launching.read_config(
        config,
        work_dir=work_dir,
        cfg_options=cfg_options,
        checkpoint=load_from,
        **vars(launch),
    )
    launching.fit_batch_to_processes(cfg, launching.world_size(launch.launcher))
    if amp or amp_dtype:
        launching.enable_amp(cfg, amp_dtype)
    launching.set_resume(cfg, resume)
    save_in_time(cfg)
    first = launching.is_first_process(launch.launcher)
    with locked_folder(cfg.work_dir, 'another training') if first else nullcontext():
        if 'runner_type' in cfg:
            runner = RUNNERS.build(cfg)
        else:
            runner = ConciseRunner.from_cfg(cfg)
        runner.train()
        del runner
    launching.close_distributed()


def _train_project(folder: str, labels: str | None) -> None:
    from mmseg_spml.projects.result_page import held_out_score
    from mmseg_spml.projects.training import train_project

    if labels is not None:
        _add_labels(folder, labels)
    try:
        page = train_project(folder, click.get_current_context().meta[options.GPUS])
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException('stopped; the same command goes on') from None
    score = held_out_score(Path(folder))
    if score is not None:
        click.echo(score)
    click.echo(f'{page} has the scores and pictures. Next:')
    click.echo(f'  mmseg-spml predict {quote(folder)} IMAGES OUT')


def _add_labels(folder: str, labels: str) -> None:
    from mmseg_spml.annotations.check import problem_lines
    from mmseg_spml.io.folder_lock import locked_folder
    from mmseg_spml.projects.rounds import add_labels

    with locked_folder(folder, 'another training'):
        new = add_labels(folder, labels)
    click.echo(new.summary())
    for line in problem_lines(new.problems):
        click.echo(line, err=True)
