"""Transforms that modify the label map, for baselines."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.regions.oversegmentation import expand_labels_to_regions


@TRANSFORMS.register_module()
class UnlabeledToVoid(BaseTransform):
    """Make unlabeled pixels void, for losses that ignore only the value 255.

    Args:
        num_classes: C. None: the value of the data set.

    Raises:
        ValueError: At the transform, if the number of classes is unknown.

    Example:
        >>> labels = np.array([[0, 2]], np.uint8)
        >>> UnlabeledToVoid(num_classes=2)(dict(gt_seg_map=labels))['gt_seg_map']
        array([[  0, 255]], dtype=uint8)
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Replace ``gt_seg_map``."""
        num_classes = _num_classes(self, results)
        labels = results['gt_seg_map']
        results['gt_seg_map'] = np.where(labels == num_classes, VOID, labels).astype(
            labels.dtype
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_classes={self.num_classes})'


@TRANSFORMS.register_module()
class ExpandLabelsToRegions(BaseTransform):
    """Expand the labels of each region to its unlabeled pixels.

    Use it before padding. See
    :func:`mmseg_spml.functional.regions.oversegmentation.expand_labels_to_regions`.

    Args:
        num_classes: C. None: the value of the data set.

    Raises:
        ValueError: At the transform, if there is no region map, or the number of
            classes is unknown.

    Example:
        >>> spread = ExpandLabelsToRegions(num_classes=2)
        >>> spread(dict(gt_seg_map=np.array([[1, 2]], np.uint8),
        ...             region_map=np.array([[5, 5]])))['gt_seg_map']
        array([[1, 1]], dtype=uint8)
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Replace ``gt_seg_map``."""
        if 'region_map' not in results:
            raise ValueError(
                'ExpandLabelsToRegions needs `region_map`: put LoadRegions before it'
            )
        results['gt_seg_map'] = expand_labels_to_regions(
            results['gt_seg_map'], results['region_map'], _num_classes(self, results)
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_classes={self.num_classes})'


def _num_classes(transform: BaseTransform, results: dict) -> int:
    num_classes = transform.num_classes or results.get('num_classes')
    if num_classes is None:
        raise ValueError(
            'the number of classes is unknown: use a WeakSegDataset, or set '
            f'{type(transform).__name__}(num_classes=...)'
        )
    return num_classes
