"""Normalising, padding and stacking of a batch."""

from typing import Any, Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

Size = Tuple[int, int]


@MODELS.register_module()
class SPMLDataPreProcessor(SegDataPreProcessor):
    """MMSegmentation's preprocessor, which pads every map of a sample.

    The parent pads label, edge and depth maps only; here all PixelData of a sample
    follow the image in training: region maps with 0, others with ``seg_pad_val``.
    Padding is on the right and at the bottom, up to ``size`` or to the largest image
    of the batch, whichever is larger, rounded up to ``size_divisor``. In testing,
    images of different sizes are padded alike (and up to ``test_cfg``), maps stay, and
    ``img_padding_size`` tells MMSegmentation to cut the predictions back.

    The samples handed in are never changed: new ones are returned in training.

    Args:
        size: (height, width) at least.
        size_divisor: Only without ``size``.
        **kwargs: The rest as in ``mmseg.models.SegDataPreProcessor``.

    Raises:
        ValueError: both ``size`` and ``size_divisor`` given; or a map's size differs
            from its image's.

    Example:
        >>> preprocessor = SPMLDataPreProcessor()
        >>> images = [torch.zeros(3, 4, 6), torch.zeros(3, 5, 2)]
        >>> samples = [SegDataSample(), SegDataSample()]
        >>> batch = preprocessor(dict(inputs=images, data_samples=samples), True)
        >>> batch['inputs'].shape
        torch.Size([2, 3, 5, 6])
    """

    REGION_PAD = 0

    def __init__(
        self,
        *args: Any,
        size: Optional[Size] = None,
        size_divisor: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, size=size, size_divisor=size_divisor, **kwargs)
        _check_target(size, size_divisor)
        if self.test_cfg:
            _check_target(self.test_cfg.get('size'), self.test_cfg.get('size_divisor'))

    def forward(self, data: dict, training: bool = False) -> Dict[str, Any]:
        """Move to the device, normalise, pad and stack.

        Args:
            data: ``inputs`` (list of (3, H, W), or (N, 3, H, W)) and
                ``data_samples``.
            training: Whether the maps are padded too.

        Returns:
            dict: ``inputs`` (N, 3, H, W) float32 and ``data_samples``.
        """
        data = self.cast_data(data)
        samples = data.get('data_samples')
        images = [normalise(image, self) for image in data['inputs']]
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
            value = self.REGION_PAD if name == 'region_map' else self.seg_pad_val
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
        samples: Optional[List[SegDataSample]],
        images: List[Tensor],
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
            # `cast_data` made these samples: the caller's are not touched.
            for sample, padding in zip(samples, paddings):
                sample.set_metainfo(dict(img_padding_size=padding, pad_shape=target))


def padded_for_test(image: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """A normalised image with the padding that it would get in testing, alone.

    Args:
        image: (3, H, W).
        preprocessor: Whose ``test_cfg`` and ``pad_val`` hold, if it has any.

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


def _check_target(size: Optional[Size], size_divisor: Optional[int]) -> None:
    if size is not None and size_divisor is not None:
        raise ValueError(
            f'give `size` or `size_divisor`, not both; got {size} and {size_divisor}'
        )


def _target(
    images: List[Tensor], size: Optional[Size], size_divisor: Optional[int]
) -> Size:
    shapes = [image.shape[-2:] for image in images] + ([size] if size else [])
    step = size_divisor or 1
    return tuple(-(-max(sides) // step) * step for sides in zip(*shapes))


def _padding(image: Tensor, target: Size) -> Tuple[int, int, int, int]:
    """(left, right, top, bottom), as ``torch.nn.functional.pad`` wants it."""
    return 0, target[1] - image.shape[-1], 0, target[0] - image.shape[-2]


def normalise(images: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Images (..., 3, H, W) as a network sees them, float32.

    Args:
        images: As read, in 0 to 255.
        preprocessor: Its mean, standard deviation and order of channels are used.
    """
    if getattr(preprocessor, '_channel_conversion', False) and images.shape[-3] == 3:
        images = images.flip(-3)
    images = images.float()
    if not getattr(preprocessor, '_enable_normalize', False):
        return images
    return (images - preprocessor.mean) / preprocessor.std


def denormalise(inputs: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Normalised images (..., 3, H, W) in 0 to 255 again, their channels as they are.

    Args:
        inputs: What a network sees.
        preprocessor: Whose output they are.
    """
    if not getattr(preprocessor, '_enable_normalize', False):
        return inputs
    return inputs * preprocessor.std + preprocessor.mean
