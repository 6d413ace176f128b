"""``mmseg-spml onnx``: a model's classifier as an ONNX file."""

from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command

# Largest difference of a probability that rounding can explain.
_TOLERANCE = 1e-3


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.argument('out', type=Path)
@click.option(
    '--size',
    nargs=2,
    type=click.IntRange(min=1),
    required=True,
    metavar='HEIGHT WIDTH',
    help='size of the images that the model will be used for',
)
@options.cfg_options
def command(
    config: str,
    checkpoint: str,
    out: Path,
    size: tuple[int, int],
    cfg_options: dict,
) -> None:
    r"""Write a model's classifier as an ONNX file, and compare it with PyTorch.

    The network takes an image of one size as cv2.imread returns it, (HEIGHT, WIDTH, 3)
    uint8, and gives probabilities, (classes, HEIGHT, WIDTH) float32.

    \b
    mmseg-spml onnx CONFIG CHECKPOINT model.onnx --size 384 512
    """
    from mmseg.apis import init_model

    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.models.onnx_export import export_onnx

    if out.suffix != '.onnx':
        raise click.UsageError(f'the file must end in .onnx, got {out}')
    cfg = load_config(config, cfg_options)
    model = init_model(cfg, checkpoint, device='cpu')
    out.parent.mkdir(parents=True, exist_ok=True)
    difference = export_onnx(model, out, size, progress=True)
    click.echo(f'{out}: largest difference from PyTorch {difference:.1e}')
    if difference > _TOLERANCE:
        raise click.ClickException(
            f'that is more than {_TOLERANCE}: do not use the file'
        )
