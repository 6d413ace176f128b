"""Convert a checkpoint of this package for the authors' release.

python tools/model_converters/mmseg2spml.py iter_30000.pth model-29999.pth
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from mmseg_spml.engine.checkpoint_loading import load_checkpoint
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.models.checkpoint_names import rename_to_release


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='checkpoint of a DeepLab-v2 or PSPNet run')
    parser.add_argument('target', help='file to write')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the checkpoint, rename its tensors, and write them."""
    args = parse_args(argv)
    content = load_checkpoint(args.source)
    renamed = rename_to_release(content.get('state_dict', content))
    with atomic_file(args.target) as file:
        torch.save(renamed, file)
    count = sum(len(part) for part in renamed.values())
    print(f'{count} tensors written to {args.target}')


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
