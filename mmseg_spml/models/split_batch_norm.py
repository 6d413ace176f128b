"""Batch normalization that keeps labeled and unlabeled images apart."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SplitBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization with statistics of their own for unlabeled images.

    In training, the images with labeled pixels, which come first, and the other images
    of a batch are normalized as two batches (Zając et al., "Split Batch Normalization",
    arXiv:1904.03515). The running statistics, with which the model is tested, are those
    of the unlabeled images: the model has seen few labeled images often, and their
    features are no longer those of new images. (In the paper, which adds unlabeled
    images of another domain, they are those of the labeled images.) Batches with images
    of one kind, and evaluation, are those of ``BatchNorm2d``.

    Attributes:
        num_images: Number of images of the batch.
        num_labeled: Number of images with labeled pixels, which come first.

    Example:
        >>> layer = nn.BatchNorm2d(1, affine=False)
        >>> (layer,) = split_batch_norm(nn.Sequential(layer))
        >>> layer.num_images, layer.num_labeled = 4, 2
        >>> images = torch.tensor([0.0, 2.0, 10.0, 12.0]).view(4, 1, 1, 1)
        >>> layer(images).flatten().round()
        tensor([-1.,  1., -1.,  1.])
    """

    num_images = 0
    num_labeled = 0

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``(N, C, H, W)``."""
        own, whole = self.num_labeled, self.num_images
        if not self.training or len(input) != whole or not 0 < own < whole:
            return super().forward(input)
        labeled = F.batch_norm(
            input[:own], None, None, self.weight, self.bias, True, 0.0, self.eps
        )
        return torch.cat([labeled, super().forward(input[own:])])


def split_batch_norm(model: nn.Module) -> list[SplitBatchNorm2d]:
    """Turn each ``BatchNorm2d`` of a model into a :class:`SplitBatchNorm2d`, in place.

    Parameters, buffers and their names stay the same.

    Args:
        model: Model with layers of ``BatchNorm2d``.

    Returns:
        These layers.

    Raises:
        ValueError: If the model has none, or has layers of ``SyncBatchNorm``.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        >>> split_batch_norm(model)[0] is model[1]
        True
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.SyncBatchNorm):
            raise ValueError(
                f'{name} is a SyncBatchNorm, whose statistics cannot be split by '
                "labels: set norm_cfg=dict(type='BN') in the model"
            )
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            # In place, because optimizers and wrappers of the model hold the layer.
            module.__class__ = SplitBatchNorm2d
    layers = [m for m in model.modules() if isinstance(m, SplitBatchNorm2d)]
    if not layers:
        raise ValueError('the model has no BatchNorm2d whose statistics could be split')
    return layers
