"""A limit on the size of images, for photographs of many megapixels."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

# OpenCV resizes up to four channels at once.
_CHANNELS_AT_ONCE = 4


@TRANSFORMS.register_module()
class LimitSize(BaseTransform):
    """Shrink images whose longer side exceeds a limit; smaller ones stay as they are.

    Use it directly after the image is loaded, in training and in testing. Weak
    annotations that are loaded afterwards are drawn at the new size, label and region
    maps of the original size are resized, and regions are made of the shrunk image. In
    testing, predictions are resized to the original size as after any ``Resize``.

    Args:
        max_side: The longest side in pixels.

    Raises:
        ValueError: If ``max_side`` is below 1. At shrinking, if a map was loaded
            before.

    Example:
        >>> limit = LimitSize(max_side=4)
        >>> limit(dict(img=np.zeros((6, 8, 3), np.uint8)))['img'].shape
        (3, 4, 3)
    """

    interpolation = 'area'

    def __init__(self, max_side: int) -> None:
        if max_side < 1:
            raise ValueError(f'max_side must be 1 or more, got {max_side}')
        self.max_side = max_side

    def transform(self, results: dict) -> dict:
        """Shrink the image."""
        image = results['img']
        if results.get('seg_fields'):
            raise ValueError(
                'LimitSize must come directly after the image is loaded, before '
                f'{results["seg_fields"]}'
            )
        height, width = image.shape[:2]
        results.setdefault('ori_shape', (height, width))
        scale = self.max_side / max(height, width)
        if scale >= 1:
            return results
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        results['img'] = _shrunk(image, size)
        results['img_shape'] = size
        results['limited_from'] = (height, width)
        results['scale_factor'] = (size[1] / width, size[0] / height)
        results['keep_ratio'] = True
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_side={self.max_side})'


def _shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    width_first = size[1], size[0]
    if image.ndim == 2 or image.shape[2] <= _CHANNELS_AT_ONCE:
        small = cv2.resize(image, width_first, interpolation=cv2.INTER_AREA)
        return small.reshape(*size, *image.shape[2:])
    bands = [
        cv2.resize(band, width_first, interpolation=cv2.INTER_AREA)
        for band in np.moveaxis(image, -1, 0)
    ]
    return np.stack(bands, axis=-1)
