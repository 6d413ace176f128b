"""Write a model's classifier as an ONNX file that takes images as OpenCV reads them.

Example:
    python tools/export_onnx.py CONFIG CHECKPOINT model.onnx --size 384 512
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmseg.apis import init_model

from mmseg_spml.models.onnx_export import export_onnx

# Largest difference of a probability that rounding can explain.
_TOLERANCE = 1e-3


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='checkpoint of the model')
    parser.add_argument('out', type=Path, help='.onnx file to write')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        required=True,
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the images that the model will be used for',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, key=value ...',
    )
    args = parser.parse_args()
    if args.out.suffix != '.onnx':
        parser.error(f'the file must end in .onnx, got {args.out}')
    return args


def main() -> None:
    """Export the model, compare it with PyTorch, and report the difference."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    model = init_model(config, args.checkpoint, device='cpu')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        difference = export_onnx(model, args.out, tuple(args.size), progress=True)
    except (ImportError, ValueError) as error:
        sys.exit(str(error))
    print(f'{args.out}: largest difference from PyTorch {difference:.1e}')
    if difference > _TOLERANCE:
        sys.exit(f'that is more than {_TOLERANCE}: do not use the file')


if __name__ == '__main__':
    main()
