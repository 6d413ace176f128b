"""Names of pretrained tensors: from other projects' files to MMSegmentation's."""

from typing import Dict, Mapping, Sequence, Tuple

import torch
from torch import Tensor

_IMAGENET_PREFIXES: Tuple[Tuple[str, str], ...] = (
    ('conv1.', 'stem.'),
    ('bn1.', 'stem.7.'),
    ('layer1.', 'layer1.'),
    ('layer2.', 'layer2.'),
    ('layer3.', 'layer3.'),
    ('layer4.', 'layer4.'),
)


def rename_imagenet(
    state: Mapping[str, Tensor], ignore: Sequence[str] = ('fc.',)
) -> Dict[str, Tensor]:
    """Names of ``resnet-101-cuhk.pth`` to those of MMSegmentation's ``ResNetV1c``.

    The stem's convolutions and inner norms ``conv1.{0,1,3,4,6}`` become ``stem.*``, its
    last norm ``bn1`` becomes ``stem.7``, the stages keep their names. A prefix
    ``module.`` is dropped.

    Args:
        state: Tensors by name.
        ignore: Prefixes of names that are left out, by default the ImageNet classifier.

    Returns:
        The same tensors by their new names.

    Raises:
        ValueError: A name fits neither a part of the network nor ``ignore``.

    Example:
        >>> list(rename_imagenet({'bn1.weight': torch.ones(1)}))
        ['stem.7.weight']
    """
    renamed, unknown = {}, []
    for name, tensor in state.items():
        bare = name[len('module.') :] if name.startswith('module.') else name
        if bare.startswith(tuple(ignore)):
            continue
        for old, new in _IMAGENET_PREFIXES:
            if bare.startswith(old):
                renamed[new + bare[len(old) :]] = tensor
                break
        else:
            unknown.append(name)
    if unknown:
        raise ValueError(
            'unknown tensors, which are no part of a ResNet with a three-convolution '
            f'stem: {", ".join(unknown)}. Is it the right file? If so, name their '
            'prefixes to be ignored'
        )
    return renamed


def complete_state(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> Dict[str, Tensor]:
    """Check that a state has exactly the expected tensors, and put it in their order.

    Only the step counters of batch norms (``num_batches_tracked``), which old files do
    not have, may be missing: they are filled in as zero.

    Args:
        state: Tensors by name.
        expected: State of a freshly built network.

    Returns:
        The tensors of ``state`` by the names of ``expected``.

    Raises:
        ValueError: Tensors are missing, of another shape or not expected; the message
            lists all of them.

    Example:
        >>> norm = torch.nn.BatchNorm2d(1).state_dict()
        >>> old = {k: v for k, v in norm.items() if k != 'num_batches_tracked'}
        >>> list(complete_state(old, norm)) == list(norm)
        True
    """
    complete, problems = {}, []
    for name, wanted in expected.items():
        tensor = state.get(name)
        if tensor is None and name.endswith('num_batches_tracked'):
            tensor = torch.zeros_like(wanted)
        if tensor is None:
            problems.append(f'missing: {name} {tuple(wanted.shape)}')
        elif tensor.shape != wanted.shape:
            problems.append(
                f'wrong shape: {name} is {tuple(tensor.shape)}, '
                f'expected {tuple(wanted.shape)}'
            )
        else:
            complete[name] = tensor
    problems += [f'not expected: {name}' for name in state if name not in expected]
    if problems:
        raise ValueError(
            f'the checkpoint does not fit the network ({len(problems)} tensors):\n  '
            + '\n  '.join(problems)
        )
    return complete
