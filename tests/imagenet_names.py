"""Backbones by the names of the release's ImageNet file, ``resnet-101-cuhk.pth``."""

import re

import torch
from torch import Tensor


def imagenet_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a ResNetV1c as that file would have it."""
    renamed = {}
    for name, tensor in state.items():
        name = re.sub(r'^stem\.7\.', 'bn1.', name)
        renamed['module.' + re.sub(r'^stem\.', 'conv1.', name)] = tensor
    return {**renamed, 'module.fc.weight': torch.zeros(1)}
