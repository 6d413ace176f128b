"""Batch normalization that keeps labeled and unlabeled images apart."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SplitBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization with statistics of their own for unlabeled images.

    In training, the labeled images, which come first, and the unlabeled images of a
    batch are normalized as two batches (Zając et al., "Split Batch Normalization",
    arXiv:1904.03515). The running statistics, with which the model is tested, are those
    of the unlabeled images: the model has seen few labeled images often, and their
    features are no longer those of new images. (In the paper, whose unlabeled images
    are of another domain, they are those of the labeled images.)

    Unless ``num_images`` is the size of the batch, and where a kind has a single value
    for each channel, the layer is an ordinary ``BatchNorm2d``, as it is in evaluation.

    Attributes:
        num_images: Number of images of the batch.
        num_labeled: Number of labeled images, which come first.

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
        if not self.training or len(input) != self.num_images or not self.num_labeled:
            return super().forward(input)
        kinds = input[: self.num_labeled], input[self.num_labeled :]
        if any(len(kind) and kind[:, 0].numel() == 1 for kind in kinds):
            return super().forward(input)
        labeled = F.batch_norm(
            kinds[0], None, None, self.weight, self.bias, True, 0.0, self.eps
        )
        if not len(kinds[1]):
            return labeled
        return torch.cat([labeled, super().forward(kinds[1])])


def split_batch_norm(model: nn.Module) -> list[SplitBatchNorm2d]:
    """Turn each ``BatchNorm2d`` of a model into a :class:`SplitBatchNorm2d`, in place.

    Parameters, buffers and their names stay the same.

    Args:
        model: Model with layers of ``BatchNorm2d``.

    Returns:
        These layers.

    Raises:
        ValueError: If the model has none, or another kind of batch normalization.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        >>> split_batch_norm(model)[0] is model[1]
        True
    """
    layers = []
    for name, module in model.named_modules():
        kind = type(module)
        if kind in (nn.BatchNorm2d, SplitBatchNorm2d):
            layers.append(module)
        # MMCV's own synchronized layer is no _BatchNorm.
        elif isinstance(module, _BatchNorm) or 'SyncBatchNorm' in kind.__name__:
            raise ValueError(
                f'{name} is a {kind.__name__}, whose statistics cannot be split by '
                "labels: set norm_cfg=dict(type='BN') in the model"
            )
    if not layers:
        raise ValueError('the model has no BatchNorm2d whose statistics could be split')
    for layer in layers:
        # In place, because optimizers and wrappers of the model hold the layer.
        layer.__class__ = SplitBatchNorm2d
    return layers
