r"""Convert a model of the authors' release for MMSegmentation.

python tools/model_converters/spml2mmseg.py configs/spml/deeplabv2_voc_scribbles.py \
    model-29999.pth spml_voc_scribbles.pth
"""

import argparse
import os
import sys
from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

import mmseg_spml  # noqa: F401
from mmseg_spml.engine import launch
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.models.checkpoint_names import complete_state, rename_release


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the same run')
    parser.add_argument('source', help='file of the release, such as model-29999.pth')
    parser.add_argument('target', help='file to write')
    parser.add_argument(
        '--without-classifier',
        action='store_true',
        help='leave the classifier out, for a file that has only the embedding',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the file, rename its tensors, compare with the config's model, and write."""
    args = parse_args(argv)
    if not os.path.isfile(args.source):
        raise FileNotFoundError(f'there is no file {args.source!r}')
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.default_scope)
    launch.without_cuda(cfg)
    cfg.model.backbone.init_cfg = None
    expected = {
        name: tensor
        for name, tensor in MODELS.build(cfg.model).state_dict().items()
        if not name.startswith('decode_head.memory.')
        and not (args.without_classifier and name.startswith('decode_head.'))
    }
    # Only tensors are loaded: code that the file may hold is not executed.
    content = torch.load(args.source, map_location='cpu', weights_only=True)
    state = complete_state(rename_release(content), expected)
    with atomic_file(args.target) as file:
        torch.save(dict(state_dict=state, meta=dict()), file)
    print(f'{len(state)} tensors written to {args.target}')


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
