"""Projections from backbone features to the pixel embedding."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.psp_head import PPM
from mmseg.registry import MODELS
from torch import Tensor, nn


def _upsample(features: Tensor, like: Tensor) -> Tensor:
    """Resize features bilinearly to the size of ``like``.

    Strided layers round odd sizes up, so that the last cells of a coarse level extend
    beyond the image. They are cropped, because resizing them into the image would shift
    all other cells.
    """
    # Sizes must be int even if shapes are traced, by exporters and FLOP counters.
    size = tuple(int(length) for length in like.shape[2:])
    coarse = tuple(int(length) for length in features.shape[2:])
    ratio = max(-(-fine // cells) for fine, cells in zip(size, coarse))
    factor = 1
    while factor < ratio:  # strides are powers of two
        factor *= 2
    enlarged = size
    if coarse == tuple(-(-fine // factor) for fine in size):
        enlarged = tuple(factor * cells for cells in coarse)
    features = F.interpolate(
        features, size=enlarged, mode='bilinear', align_corners=False
    )
    return features[:, :, : size[0], : size[1]]


@MODELS.register_module()
class ASPPEmbedding(BaseModule):
    """Sum of parallel dilated 3 x 3 convolutions, the embedding of the VOC runs.

    As in DeepLabv2, there is no normalization and no activation.

    Args:
        in_channels: Number of channels of the single input feature map.
        embedding_dim: ``D``.
        dilations: Dilation (and padding) of each branch, in pixels of the map.
        init_cfg: Initialization config; PyTorch's default if None.

    Example:
        >>> embed = ASPPEmbedding(in_channels=16, embedding_dim=8)
        >>> embed([torch.rand(1, 16, 9, 9)]).shape
        torch.Size([1, 8, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        embedding_dim: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, embedding_dim, 3, padding=d, dilation=d)
            for d in dilations
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``[(N, in_channels, h, w)]`` to ``(N, D, h, w)``."""
        (feature,) = features
        return sum(branch(feature) for branch in self.branches)


@MODELS.register_module()
class PSPEmbedding(BaseModule):
    """Pyramid pooling and two convolutions, the embedding of the DensePose runs.

    Args:
        in_channels: Number of channels of the single input feature map.
        embedding_dim: ``D``.
        channels: Number of channels of each pooled branch and of the 3 x 3 convolution.
        pool_scales: Number of cells per side of each pooled branch.
        norm_cfg: Normalization layer. Default: BN.
        init_cfg: Initialization config; PyTorch's default if None.

    Example:
        >>> embed = PSPEmbedding(16, 8, channels=4, norm_cfg=dict(type='BN')).eval()
        >>> embed([torch.rand(1, 16, 9, 9)]).shape
        torch.Size([1, 8, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        embedding_dim: int,
        channels: int = 512,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN')
        layers = dict(conv_cfg=None, norm_cfg=norm_cfg, act_cfg=dict(type='ReLU'))
        self.pyramid = PPM(
            pool_scales, in_channels, channels, align_corners=False, **layers
        )
        self.bottleneck = ConvModule(
            in_channels + len(pool_scales) * channels, channels, 3, padding=1, **layers
        )
        self.project = nn.Conv2d(channels, embedding_dim, 1)

    def init_weights(self) -> None:
        """Initialize convolutions as PyTorch does, as in the release, unlike MMCV."""
        super().init_weights()
        if self.init_cfg is None:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.reset_parameters()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``[(N, in_channels, h, w)]`` to ``(N, D, h, w)``."""
        (feature,) = features
        pooled = torch.cat([feature, *self.pyramid(feature)], dim=1)
        return self.project(self.bottleneck(pooled))


@MODELS.register_module()
class ConvEmbedding(BaseModule):
    """One convolution on the concatenated feature maps, for any backbone.

    Args:
        in_channels: Number of channels of the feature map, or of each feature map.
        embedding_dim: ``D``.
        kernel_size: Kernel size of the convolution, odd.
        init_cfg: Initialization config; PyTorch's default if None.

    Example:
        >>> embed = ConvEmbedding([4, 6], embedding_dim=8)
        >>> embed([torch.rand(1, 4, 8, 8), torch.rand(1, 6, 4, 4)]).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        embedding_dim: int,
        kernel_size: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(in_channels, int):
            in_channels = sum(in_channels)
        self.project = nn.Conv2d(
            in_channels, embedding_dim, kernel_size, padding=kernel_size // 2
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps ``(N, c, h, w)`` to ``(N, D, h, w)`` at the size of the first map."""
        first, *others = features
        resized = [_upsample(level, first) for level in others]
        return self.project(torch.cat([first, *resized], dim=1))


@MODELS.register_module()
class LateralEmbedding(BaseModule):
    """Sum of lateral 1 x 1 convolutions, followed by a 3 x 3 and a 1 x 1 convolution.

    It suits backbones with a high output stride: fine levels provide the localization
    and coarse levels the context, at low cost.

    Args:
        in_channels: Number of channels of each level, finest first.
        embedding_dim: ``D``.
        channels: Number of channels of the lateral convolutions and of the 3 x 3
            convolution, which is followed by normalization and ReLU.
        norm_cfg: Normalization layer. Default: BN.
        init_cfg: Initialization config; if None, the defaults of PyTorch and of MMCV's
            ``ConvModule``.

    Example:
        >>> embed = LateralEmbedding([4, 6], 8, channels=16, norm_cfg=dict(type='BN'))
        >>> embed([torch.rand(2, 4, 8, 8), torch.rand(2, 6, 4, 4)]).shape
        torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        embedding_dim: int,
        channels: int = 128,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN')
        self.laterals = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels)
        self.merge = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg)
        self.project = nn.Conv2d(channels, embedding_dim, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps ``(N, c, h, w)``, finest first, to ``(N, D, h, w)`` at the finest size.

        Raises:
            ValueError: If the number of maps differs from that of ``in_channels``.
        """
        if len(features) != len(self.laterals):
            raise ValueError(
                f'in_channels of LateralEmbedding are for {len(self.laterals)} levels, '
                f'got {len(features)}: in_index of the neck must name as many'
            )
        laterals = [conv(level) for conv, level in zip(self.laterals, features)]
        merged = sum(_upsample(lateral, laterals[0]) for lateral in laterals)
        return self.project(self.merge(merged))
