"""Normalization, padding and stacking of a batch."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID, padding_value

Size = tuple[int, int]


@MODELS.register_module()
class SPMLDataPreProcessor(SegDataPreProcessor):
    """MMSegmentation's data preprocessor, extended to pad every map of a sample.

    The parent class pads only label, edge and depth maps. In training, this class pads
    all PixelData of a sample like the image, with the values of
    :func:`~mmseg_spml.functional.labels.values.padding_value`.
    Padding is added on the right and at the bottom, up to ``size`` or the largest image
    of the batch, whichever is larger, rounded up to ``size_divisor``. In testing,
    images are padded to a common size in the same way, with the options of
    ``test_cfg``; maps are not padded, and MMSegmentation crops the predictions by
    ``img_padding_size``.

    Input samples are not modified: in training new samples are returned.

    Args:
        mean: The mean of each channel, after a conversion of their order.
        std: The standard deviation of each channel.
        size: Smallest (height, width) after padding.
        size_divisor: Divisor of the padded size; only without ``size``.
        **kwargs: Other arguments of ``mmseg.models.SegDataPreProcessor``.

    Attributes:
        is_eight_bit: Whether images are taken for colors in 0 to 255: they have one or
            three channels whose means and deviations are those of such colors.

    Raises:
        ValueError: If both ``size`` and ``size_divisor`` are given, the numbers of
            means and deviations differ, or the size of a map differs from that of its
            image.

    Example:
        >>> preprocessor = SPMLDataPreProcessor()
        >>> images = [torch.zeros(3, 4, 6), torch.zeros(3, 5, 2)]
        >>> samples = [SegDataSample(), SegDataSample()]
        >>> batch = preprocessor(dict(inputs=images, data_samples=samples), True)
        >>> batch['inputs'].shape
        torch.Size([2, 3, 5, 6])
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: Size | None = None,
        size_divisor: int | None = None,
        **kwargs: Any,
    ) -> None:
        if (mean is None) != (std is None) or len(mean or ()) != len(std or ()):
            raise ValueError(
                f'`mean` and `std` must have one value for each channel, got {mean} '
                f'and {std}'
            )
        super().__init__(size=size, size_divisor=size_divisor, **kwargs)
        if mean is not None and std is not None:
            # MMEngine's own arguments take no more than three channels.
            self._enable_normalize = True
            for name, values in (('mean', mean), ('std', std)):
                levels = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
                self.register_buffer(name, levels, persistent=False)
        channels = len(mean) if mean is not None else 3
        # No deviation of eight bits is larger than half of their range, and that of
        # photographs with values in 0 to 1 is smaller than 1.
        fits = mean is None or (max(mean) <= 255 and 1 <= max(std or ()) <= 127.5)
        self.is_eight_bit = channels in (1, 3) and fits
        if self.seg_pad_val != VOID:
            raise ValueError(
                f'seg_pad_val must be {VOID} (void), got {self.seg_pad_val}: leave it '
                'out'
            )
        _check_target(size, size_divisor)
        if self.test_cfg:
            _check_target(self.test_cfg.get('size'), self.test_cfg.get('size_divisor'))

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Move a batch to the device, normalize, pad and stack it.

        Args:
            data: ``inputs`` (list of (3, H, W), or (N, 3, H, W)) and
                ``data_samples``.
            training: Whether to pad the maps of the samples, too.

        Returns:
            dict: ``inputs`` (N, 3, H, W) float32 and ``data_samples``.
        """
        data = self.cast_data(data)
        samples = data.get('data_samples')
        images = [normalize(image, self) for image in data['inputs']]
        if training:
            if samples is None:
                raise ValueError('training needs `data_samples` beside `inputs`')
            target = _target(images, self.size, self.size_divisor)
            samples = [
                self._pad_sample(sample, image, target)
                for sample, image in zip(samples, images)
            ]
        else:
            options = self.test_cfg or {}
            target = _target(images, options.get('size'), options.get('size_divisor'))
            self._record_padding(samples, images, target)
        inputs = torch.stack(
            [
                F.pad(image, _padding(image, target), value=self.pad_val)
                for image in images
            ]
        )
        if training and self.batch_augments is not None:
            inputs, samples = self.batch_augments(inputs, samples)
        return dict(inputs=inputs, data_samples=samples)

    def _pad_sample(
        self, sample: SegDataSample, image: Tensor, target: Size
    ) -> SegDataSample:
        padding = _padding(image, target)
        padded = sample.new()
        for name, field in sample.items():
            if not isinstance(field, PixelData):
                continue
            if tuple(field.shape) != tuple(image.shape[-2:]):
                raise ValueError(
                    f'`{name}` is {tuple(field.shape)} but the image '
                    f'{sample.metainfo.get("img_path")} is {tuple(image.shape[-2:])} '
                    '(height, width): the pipeline must treat both alike'
                )
            value = padding_value(name)
            maps = {
                key: F.pad(map_, padding, value=value) for key, map_ in field.items()
            }
            padded.set_data({name: PixelData(metainfo=field.metainfo, **maps)})
        padded.set_metainfo(
            dict(
                img_shape=tuple(image.shape[-2:]),
                pad_shape=target,
                padding_size=padding,
            )
        )
        return padded

    def _record_padding(
        self,
        samples: list[SegDataSample] | None,
        images: list[Tensor],
        target: Size,
    ) -> None:
        paddings = [_padding(image, target) for image in images]
        if samples is None:
            if not all(padding == paddings[0] for padding in paddings):
                raise ValueError(
                    'images of different sizes need `data_samples`, which record how '
                    'they were padded; hand them over one by one, or with samples'
                )
        elif self.test_cfg or any(map(any, paddings)):
            # `cast_data` created these samples: those of the caller are not modified.
            for sample, padding in zip(samples, paddings):
                sample.set_metainfo(dict(img_padding_size=padding, pad_shape=target))


def padded_for_test(image: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Pad a single normalized image as in testing.

    Args:
        image: (3, H, W).
        preprocessor: Preprocessor whose ``test_cfg`` and ``pad_val`` are used, if it
            has them.

    Returns:
        Tensor: (1, 3, h, w), padded on the right and at the bottom.

    Example:
        >>> preprocessor = SPMLDataPreProcessor(test_cfg=dict(size_divisor=8))
        >>> padded_for_test(torch.zeros(3, 5, 9), preprocessor).shape
        torch.Size([1, 3, 8, 16])
    """
    options = getattr(preprocessor, 'test_cfg', None) or {}
    target = _target([image], options.get('size'), options.get('size_divisor'))
    value = getattr(preprocessor, 'pad_val', 0)
    return F.pad(image, _padding(image, target), value=value)[None]


def _check_target(size: Size | None, size_divisor: int | None) -> None:
    if size is not None and size_divisor is not None:
        raise ValueError(
            f'give `size` or `size_divisor`, not both; got {size} and {size_divisor}'
        )


def _target(images: list[Tensor], size: Size | None, size_divisor: int | None) -> Size:
    shapes = [image.shape[-2:] for image in images] + ([size] if size else [])
    step = size_divisor or 1
    return tuple(-(-max(sides) // step) * step for sides in zip(*shapes))


def _padding(image: Tensor, target: Size) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) for ``torch.nn.functional.pad``."""
    return 0, target[1] - image.shape[-1], 0, target[0] - image.shape[-2]


def swaps_channels(preprocessor: BaseDataPreprocessor) -> bool:
    """Return whether a preprocessor swaps red and blue of the images that it gets."""
    # onedl-mmsegmentation and mmsegmentation 1.2 name the attribute differently.
    names = ('_channel_conversion', 'channel_conversion')
    return any(getattr(preprocessor, name, False) for name in names)


def normalize(images: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Normalize images (..., 3, H, W) for a network, to float32.

    Args:
        images: Images as read, in 0 to 255.
        preprocessor: Preprocessor with the mean, standard deviation and channel order.
    """
    if swaps_channels(preprocessor) and images.shape[-3] == 3:
        images = images.flip(-3)
    images = images.float()
    if not getattr(preprocessor, '_enable_normalize', False):
        return images
    return (images - preprocessor.mean) / preprocessor.std


def denormalize(inputs: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Convert normalized images (..., 3, H, W) back to 0 to 255; keep channel order.

    Args:
        inputs: Normalized images.
        preprocessor: Preprocessor that normalized them.
    """
    if not getattr(preprocessor, '_enable_normalize', False):
        return inputs
    return inputs * preprocessor.std + preprocessor.mean
