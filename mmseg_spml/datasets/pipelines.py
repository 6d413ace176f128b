"""Parts of the pipelines of configs."""

import copy
from collections.abc import Sequence

IMAGE_LOADING = ('LoadImageFromFile', 'LoadMultiBandImage', 'LimitSize')
"""Transforms that load an image at the size at which the model works."""


def image_loading(pipeline: Sequence[dict]) -> list[dict]:
    """Copy the steps of a pipeline that load an image at its working size.

    Returns:
        The configs of the transforms; ``LoadImageFromFile`` if the pipeline has none.

    Example:
        >>> names = ('LoadImageFromFile', 'LimitSize', 'WeakRandomFlip')
        >>> [step['type'] for step in image_loading([{'type': n} for n in names])]
        ['LoadImageFromFile', 'LimitSize']
    """
    found = [dict(step) for step in pipeline if step['type'] in IMAGE_LOADING]
    return found or [dict(type='LoadImageFromFile', to_float32=True)]


def step_of_type(pipeline: Sequence[dict], name: str) -> dict:
    """Copy the first step of a type, or name its type alone if there is none.

    Args:
        pipeline: Configs of transforms.
        name: Type of the transform.

    Example:
        >>> step_of_type([dict(type='LimitSize', max_side=9)], 'LimitSize')
        {'type': 'LimitSize', 'max_side': 9}
    """
    for step in pipeline:
        if step['type'] == name:
            return copy.deepcopy(dict(step))
    return dict(type=name)
