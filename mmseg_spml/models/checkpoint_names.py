"""Conversion of tensor names between other projects' checkpoints and this package."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_IMAGENET_PREFIXES: tuple[tuple[str, str], ...] = (
    ('conv1.', 'stem.'),
    ('bn1.', 'stem.7.'),
    ('layer1.', 'layer1.'),
    ('layer2.', 'layer2.'),
    ('layer3.', 'layer3.'),
    ('layer4.', 'layer4.'),
)


# Models of the release: part, name prefix in the release, name prefix here.
_RELEASE_PREFIXES: tuple[tuple[str, str, str], ...] = (
    ('embedding_model', 'resnet_backbone.conv1.conv1.', 'backbone.stem.'),
    ('embedding_model', 'resnet_backbone.conv1.bn1.', 'backbone.stem.7.'),
    *(
        ('embedding_model', f'resnet_backbone.res{n + 1}.', f'backbone.layer{n}.')
        for n in range(1, 5)
    ),
    *(
        ('embedding_model', f'aspp.aspp_{n}.0.', f'neck.projection.branches.{n - 1}.')
        for n in range(1, 5)
    ),
    *(
        (
            'embedding_model',
            f'pspp.0.pspp_{n}.{place}.',
            f'neck.projection.pyramid.{n - 1}.1.{name}.',
        )
        for n in range(1, 5)
        for place, name in ((1, 'conv'), (2, 'bn'))
    ),
    ('embedding_model', 'pspp.0.conv.0.', 'neck.projection.bottleneck.conv.'),
    ('embedding_model', 'pspp.0.conv.1.', 'neck.projection.bottleneck.bn.'),
    ('embedding_model', 'pspp.1.', 'neck.projection.project.'),
    ('prediction_model', 'semantic_classifier.', 'decode_head.classifier.'),
)
# A constant that the release stores with its DensePose models.
_RELEASE_CONSTANTS = ('lfn.smooth_kernel.',)


def rename_release(
    checkpoint: Mapping[str, Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """Rename the tensors of a released checkpoint for ``SPMLSegmentor``.

    Args:
        checkpoint: Mapping with the state dicts ``embedding_model`` and
            ``prediction_model`` (which may be missing or empty). A prefix ``module.``
            is dropped from names.

    Returns:
        The same tensors by their new names.

    Raises:
        ValueError: If there is no ``embedding_model``, or a name has no counterpart.

    Example:
        >>> released = {'embedding_model': {'module.aspp.aspp_1.0.bias': torch.ones(1)}}
        >>> list(rename_release(released))
        ['neck.projection.branches.0.bias']
    """
    if not isinstance(checkpoint.get('embedding_model'), Mapping):
        raise ValueError(
            'expected a checkpoint of the release, with `embedding_model` and '
            f'`prediction_model`, got {sorted(checkpoint)[:8]}'
        )
    renamed, unknown = {}, []
    for part in ('embedding_model', 'prediction_model'):
        for name, tensor in (checkpoint.get(part) or {}).items():
            bare = name[len('module.') :] if name.startswith('module.') else name
            if bare.startswith(_RELEASE_CONSTANTS):
                continue
            for of, old, new in _RELEASE_PREFIXES:
                if of == part and bare.startswith(old):
                    renamed[new + bare[len(old) :]] = tensor
                    break
            else:
                unknown.append(f'{part}: {name}')
    if unknown:
        raise ValueError(f'tensors without a counterpart: {", ".join(unknown)}')
    return renamed


def rename_to_release(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Rename the tensors of an ``SPMLSegmentor`` as in the release.

    This is the inverse of :func:`rename_release`.

    Args:
        state: Tensors by name; those of the segment memory are dropped.

    Returns:
        The state dicts ``embedding_model`` and ``prediction_model``.

    Raises:
        ValueError: If a name has no counterpart in the release, such as names of
            another backbone or neck.

    Example:
        >>> rename_to_release({'decode_head.classifier.4.bias': torch.zeros(1)})
        {'embedding_model': {}, 'prediction_model': {'semantic_classifier.4.bias': \
tensor([0.])}}
    """
    renamed: dict[str, dict[str, Tensor]] = dict(
        embedding_model={}, prediction_model={}
    )
    unknown = []
    # Try longer prefixes first: backbone.stem.7 before backbone.stem.
    pairs = sorted(_RELEASE_PREFIXES, key=lambda entry: -len(entry[2]))
    for name, tensor in state.items():
        if name.startswith('decode_head.memory.'):
            continue
        for part, old, new in pairs:
            if name.startswith(new):
                renamed[part][old + name[len(new) :]] = tensor
                break
        else:
            unknown.append(name)
    if unknown:
        raise ValueError(
            f'tensors that the release does not have: {", ".join(unknown)}'
        )
    return renamed


def rename_imagenet(
    state: Mapping[str, Tensor], ignore: Sequence[str] = ('fc.',)
) -> dict[str, Tensor]:
    """Rename the tensors of ``resnet-101-cuhk.pth`` for MMSegmentation's ``ResNetV1c``.

    The convolutions and inner norms of the stem, ``conv1.{0,1,3,4,6}``, become
    ``stem.*``, its last norm ``bn1`` becomes ``stem.7``, and the stages keep their
    names. A prefix ``module.`` is dropped.

    Args:
        state: Tensors by name.
        ignore: Prefixes of names to drop. Default: the ImageNet classifier.

    Returns:
        The same tensors by their new names.

    Raises:
        ValueError: If a name matches neither a part of the network nor ``ignore``.

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
) -> dict[str, Tensor]:
    """Check that a state dict has exactly the expected tensors, and sort it like them.

    Only the step counters of batch norms (``num_batches_tracked``), which old files do
    not have, may be missing; they are set to zero.

    Args:
        state: Tensors by name.
        expected: State dict of a newly built network.

    Returns:
        The tensors of ``state`` in the order of ``expected``.

    Raises:
        ValueError: If tensors are missing, have another shape or are unexpected; the
            message lists all of them.

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
