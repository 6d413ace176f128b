"""``mmseg-spml init``: a project out of annotations and images."""

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command)
@click.argument('annotations')
@click.argument('out')
@options.reading_options(images=True)
@click.option(
    '--loss',
    type=click.Choice(['propagation', 'spml', 'cross_entropy', 'dense_crf']),
    help='what to train: SPML with label propagation; SPML as published; or a baseline '
    'to compare with (default: propagation)',
)
@click.option(
    '--device',
    type=click.Choice(['cpu', 'cuda']),
    callback=options.device_or_the_fastest,
    help='where the model will be trained (default: cuda if there is one)',
)
@click.option(
    '--masks',
    help='folder of full masks of some images, NAME.png of class ids in the order of '
    '--classes (255: void); these images are held out, and IoU is measured on all of '
    'their pixels',
)
@click.option(
    '--overwrite',
    is_flag=True,
    help='replace the project that OUT has; its files move to OUT/replaced/',
)
def command(
    annotations: str,
    out: str,
    reading: options.Reading,
    loss: str | None,
    device: str,
    masks: str | None,
    overwrite: bool,
) -> None:
    r"""Look at annotations and images, and write a project that can be trained.

    ANNOTATIONS is what a tool exported. OUT gets config.py, an ordinary config of
    MMSegmentation, and report.html, which shows the labels, says why each setting was
    chosen, and warns of what will hurt.

    \b
    mmseg-spml init labels/ mine/ --images images/
    mmseg-spml init annotations.xml mine/ --images images/ --loss cross_entropy
    """
    from mmseg_spml.projects.project import init_project

    project = init_project(
        annotations,
        cuda=device == 'cuda',
        loss=loss,
        out=out,
        overwrite=overwrite,
        masks=masks,
        **vars(reading),
    )
    for line in project.summary():
        click.echo(line)
