r"""Convert the ImageNet file ``resnet-101-cuhk.pth`` for MMSegmentation's ResNetV1c.

python tools/model_converters/cuhk2mmseg.py resnet-101-cuhk.pth \
    pretrained/resnet101_cuhk_mmseg.pth
"""

import argparse
import os
import sys
from collections.abc import Sequence

import torch
from mmseg.models.backbones import ResNetV1c

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.models.checkpoint_names import complete_state, rename_imagenet


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='file of the ImageNet weights')
    parser.add_argument('target', help='file to write')
    parser.add_argument(
        '--depth',
        type=int,
        default=101,
        choices=(50, 101, 152),
        help='depth of the ResNet (default: 101)',
    )
    parser.add_argument(
        '--ignore',
        nargs='+',
        default=['fc.'],
        metavar='PREFIX',
        help='prefixes of the names of tensors to leave out (default: fc.)',
    )
    return parser.parse_args(argv)


def load_state(path: str) -> dict:
    """Load tensors by name without executing code that the file may hold.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a dictionary of tensors.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'there is no file {path!r}: give the path of resnet-101-cuhk.pth'
        )
    state = torch.load(path, map_location='cpu', weights_only=True)
    if isinstance(state, dict) and isinstance(state.get('state_dict'), dict):
        state = state['state_dict']
    if not isinstance(state, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in state.values()
    ):
        raise ValueError(f'{path} is not a dictionary of tensors by name')
    return state


def main(argv: Sequence[str] | None = None) -> None:
    """Read the file, rename its tensors, compare with a new backbone, and write."""
    args = parse_args(argv)
    backbone = ResNetV1c(depth=args.depth, stem_channels=128)
    state = rename_imagenet(load_state(args.source), args.ignore)
    state = complete_state(state, backbone.state_dict())
    with atomic_file(args.target) as file:
        torch.save(dict(state_dict=state, meta=dict()), file)
    print(f'{len(state)} tensors written to {args.target}')


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
