"""Augmentations that keep image, label map, region map and tags consistent.

Images are float32 or uint8 of shape (H, W, 3), in BGR order unless stated otherwise.
Resizing, flipping and padding take images with any number of bands.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_spml.functional.labels.values import VOID, padding_value

_BGR_MEAN = (103.53, 116.28, 123.675)  # of ImageNet


def _as_type_of(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(image.dtype)


def _probability(prob: float) -> float:
    if not 0 <= prob <= 1:
        raise ValueError(f'`prob` must lie in [0, 1], got {prob}')
    return prob


@TRANSFORMS.register_module()
class RandomResizeOfImage(BaseTransform):
    """Resize by a ratio drawn from U(ratio_range), relative to the size of the image.

    (h, w) becomes (int(r h), int(r w)), at least one pixel. The image is resized
    bilinearly, maps are resized by nearest neighbor.

    Args:
        ratio_range: Smallest and largest ratio r.

    Raises:
        ValueError: Unless 0 < smallest <= largest ratio.

    Example:
        >>> resize = RandomResizeOfImage(ratio_range=(0.5, 0.5))
        >>> resize(dict(img=np.zeros((9, 6, 3), np.uint8)))['img'].shape
        (4, 3, 3)
    """

    def __init__(self, ratio_range: tuple[float, float] = (0.5, 1.5)) -> None:
        if len(ratio_range) != 2 or not 0 < ratio_range[0] <= ratio_range[1]:
            raise ValueError(f'expected 0 < low <= high, got {ratio_range}')
        self.ratio_range = (float(ratio_range[0]), float(ratio_range[1]))

    def transform(self, results: dict) -> dict:
        """Resize the image and every map in ``seg_fields``."""
        height, width = results['img'].shape[:2]
        ratio = np.random.uniform(*self.ratio_range)
        new_h, new_w = max(int(ratio * height), 1), max(int(ratio * width), 1)
        size = (new_w, new_h)
        results['img'] = cv2.resize(
            results['img'], size, interpolation=cv2.INTER_LINEAR
        )
        for key in results.get('seg_fields', []):
            results[key] = cv2.resize(
                results[key], size, interpolation=cv2.INTER_NEAREST
            )
        results['img_shape'] = (new_h, new_w)
        results['scale'] = size
        results['scale_factor'] = (new_w / width, new_h / height)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(ratio_range={self.ratio_range})'


@TRANSFORMS.register_module()
class PadToCropSize(BaseTransform):
    """Pad on the right and at the bottom if the image is smaller than ``size``.

    The image is padded with ``pad_val``, the label map with void (255), the region map
    and the extents of boxes with 0.

    Args:
        size: Smallest (height, width) after padding.
        pad_val: Padding value of each channel of the image, in its channel order. None:
            the ImageNet mean in BGR order for images of three channels, and the mean
            of the image itself for others.

    Raises:
        ValueError: If the size is invalid. At padding, if ``pad_val`` has another
            number of values than the image has channels.

    Example:
        >>> pad = PadToCropSize(size=(4, 4))
        >>> pad(dict(img=np.zeros((2, 6, 3), np.uint8)))['img'].shape
        (4, 6, 3)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        pad_val: Sequence[float] | None = None,
    ) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f'expected a size (height, width), got {size}')
        self.pad_val = None if pad_val is None else tuple(pad_val)

    def transform(self, results: dict) -> dict:
        """Pad the image and every map in ``seg_fields``."""
        image = results['img']
        height, width = image.shape[:2]
        new_h, new_w = max(height, self.size[0]), max(width, self.size[1])
        if (new_h, new_w) != (height, width):
            border = (0, new_h - height, 0, new_w - width, cv2.BORDER_CONSTANT)
            # OpenCV pads at most four channels with different values.
            padded = np.empty((new_h, new_w, *image.shape[2:]), image.dtype)
            padded[:] = _as_type_of(image, self._fill(image))
            padded[:height, :width] = image
            results['img'] = padded
            for key in results.get('seg_fields', []):
                fill = padding_value(key)
                results[key] = cv2.copyMakeBorder(results[key], *border, value=fill)
        results['img_shape'] = results['pad_shape'] = (new_h, new_w)
        return results

    def _fill(self, image: np.ndarray) -> np.ndarray:
        """Padding value of each channel of an image."""
        channels = image.shape[2] if image.ndim == 3 else 1
        if self.pad_val is not None and len(self.pad_val) != channels:
            raise ValueError(
                f'pad_val={self.pad_val} must have a value for each of the {channels} '
                'channels of the image: leave it out, or add values'
            )
        if self.pad_val is not None:
            return np.array(self.pad_val)
        return np.array(_BGR_MEAN) if channels == 3 else image.mean(axis=(0, 1))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, pad_val={self.pad_val})'


@TRANSFORMS.register_module()
class WeakRandomFlip(BaseTransform):
    """Flip horizontally, and swap class labels such as left and right hand.

    Args:
        prob: Probability of a flip.
        swap_labels: Pairs of class ids to swap in the label map, the tags and the
            extents of boxes. Region ids never change.

    Raises:
        ValueError: If ``prob`` is not in [0, 1], or an id is in two pairs. At flipping,
            if there is no such class.

    Example:
        >>> flip = WeakRandomFlip(prob=1.0, swap_labels=[(2, 3)])
        >>> flip(dict(img=np.zeros((1, 2, 3)), gt_seg_map=np.array([[2, 0]], np.uint8),
        ...           seg_fields=['gt_seg_map']))['gt_seg_map']
        array([[0, 3]], dtype=uint8)
    """

    def __init__(
        self,
        prob: float = 0.5,
        swap_labels: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self.prob = _probability(prob)
        self.swap_labels = [tuple(pair) for pair in swap_labels or []]
        ids = [label for pair in self.swap_labels for label in pair]
        if len(set(ids)) != 2 * len(self.swap_labels) or not all(
            0 <= label < VOID for label in ids
        ):
            raise ValueError(
                '`swap_labels` must be pairs of class ids, each id once, got '
                f'{swap_labels}'
            )
        self._exchange = np.arange(256, dtype=np.uint8)
        for left, right in self.swap_labels:
            self._exchange[[left, right]] = right, left

    def transform(self, results: dict) -> dict:
        """Flip the image and the maps with probability ``prob``, and swap labels."""
        results['flip'] = bool(np.random.uniform() < self.prob)
        results['flip_direction'] = 'horizontal' if results['flip'] else None
        if not results['flip']:
            return results
        for key in ['img', *results.get('seg_fields', [])]:
            results[key] = cv2.flip(results[key], 1)
        if self.swap_labels:
            self._swap(results)
        return results

    def _swap(self, results: dict) -> None:
        highest = max(map(max, self.swap_labels))
        num_classes = results.get('num_classes')
        if num_classes is None and results.get('tags') is not None:
            num_classes = len(results['tags'])
        if num_classes is not None and highest >= num_classes:
            raise ValueError(
                f'`swap_labels` names class {highest}, but there are only '
                f'{num_classes} classes'
            )
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = self._exchange[results['gt_seg_map']]
        # The classes are the last axis of these.
        for key in ('tags', 'box_classes', 'tight_classes'):
            if results.get(key) is not None:
                values = np.asarray(results[key])
                results[key] = values[..., self._exchange[: values.shape[-1]]]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, swap_labels={self.swap_labels})'
        )


@TRANSFORMS.register_module()
class RandomGray(BaseTransform):
    """Convert the image to gray with three equal channels: 0.3 R + 0.59 G + 0.11 B.

    Args:
        prob: Probability of a conversion.
        channel_order: ``'bgr'`` or ``'rgb'``.

    Raises:
        ValueError: If an argument is invalid. At conversion, if the image does not have
            three channels.

    Example:
        >>> gray = RandomGray(prob=1.0)
        >>> gray(dict(img=np.array([[[0, 0, 100]]], np.uint8)))['img'].tolist()
        [[[30, 30, 30]]]
    """

    def __init__(self, prob: float = 0.3, channel_order: str = 'bgr') -> None:
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(f'expected "bgr" or "rgb", got {channel_order!r}')
        self.prob = _probability(prob)
        self.channel_order = channel_order

    def transform(self, results: dict) -> dict:
        """Convert ``img`` with probability ``prob``."""
        if np.random.uniform() < self.prob:
            image = results['img']
            if image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(
                    'RandomGray needs an image of three channels, got the shape '
                    f'{image.shape}: leave it out of the pipeline'
                )
            weights = np.array([0.3, 0.59, 0.11], np.float32)
            if self.channel_order == 'bgr':
                weights = weights[::-1]
            gray = _as_type_of(image, image.astype(np.float32) @ weights)
            results['img'] = np.repeat(gray[..., None], 3, axis=2)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, '
            f'channel_order={self.channel_order!r})'
        )


@TRANSFORMS.register_module()
class RandomGaussianBlur5(BaseTransform):
    """Blur with a normalized 5x5 kernel proportional to exp(-(x^2 + y^2) / sigma^2).

    The exponent has no factor 1/2, as in the authors' release. The border is
    mirrored without repeating the edge pixel.

    Args:
        prob: Probability of a blur.
        sigma: Range from which sigma is drawn uniformly, in pixels.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> blur = RandomGaussianBlur5(prob=1.0)
        >>> int(blur(dict(img=np.full((6, 6, 3), 7, np.uint8)))['img'].max())
        7
    """

    def __init__(
        self, prob: float = 0.5, sigma: tuple[float, float] = (0.1, 5.0)
    ) -> None:
        if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f'expected 0 < low <= high for `sigma`, got {sigma}')
        self.prob = _probability(prob)
        self.sigma = (float(sigma[0]), float(sigma[1]))

    @staticmethod
    def kernel(sigma: float) -> np.ndarray:
        """Kernel (5, 5), float64."""
        offset = np.arange(-2, 3)
        squared = offset[:, None] ** 2 + offset[None, :] ** 2
        weights = np.exp(-squared / sigma**2)
        return weights / weights.sum()

    def transform(self, results: dict) -> dict:
        """Blur ``img`` with probability ``prob``."""
        if np.random.uniform() < self.prob:
            kernel = self.kernel(np.random.uniform(*self.sigma))
            results['img'] = cv2.filter2D(
                results['img'], -1, kernel, borderType=cv2.BORDER_REFLECT_101
            )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, sigma={self.sigma})'
