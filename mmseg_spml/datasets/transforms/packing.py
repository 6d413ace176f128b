"""Packing of an image with its weak labels, regions and tags."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import LabelData, PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from mmseg_spml.datasets.transforms.loading import ignored_tags


@TRANSFORMS.register_module()
class PackWeakSegInputs(PackSegInputs):
    """Pack an image with its weak labels, regions and tags, as far as present.

    ``inputs`` is (B, H, W) for an image of B bands, 3 for photographs. The fields of
    the sample are

    * ``gt_sem_seg``: PixelData of (1, H, W) int64;
    * ``region_map``: PixelData of (1, H, W) int32;
    * ``box_extents``: PixelData of (C, H, W) bool, where boxes allow each class;
    * ``tight_boxes``: PixelData of (C, H, W) bool, the upright boxes of each class;
    * ``gt_tags``: LabelData with ``label``, (C,) int8: 1 present, 0 absent, -1 unknown;
      and ``ignored``, (C,) bool: the classes that the data set ignores as tags, whose
      ``label`` is 0 although they may be present.

    Args:
        meta_keys: Keys to keep as meta information.

    Example:
        >>> pack = PackWeakSegInputs()
        >>> packed = pack(dict(img=np.zeros((4, 6, 3), np.uint8)))
        >>> packed['inputs'].shape, 'gt_sem_seg' in packed['data_samples']
        (torch.Size([3, 4, 6]), False)
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_path',
            'map_name',
            'seg_map_path',
            'region_map_path',
            'ori_shape',
            'img_shape',
            'pad_shape',
            'scale_factor',
            'flip',
            'flip_direction',
            'reduce_zero_label',
            'num_classes',
            'is_labeled',
        ),
    ) -> None:
        super().__init__(meta_keys=meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack ``results`` into ``inputs`` and ``data_samples``."""
        image = results.get('img')
        if image is not None and image.ndim == 3:
            # NumPy transposes the channels twice as fast as the parent class.
            channels = np.ascontiguousarray(image.transpose(2, 0, 1))
            results['img'] = channels.transpose(1, 2, 0)
        packed = super().transform(results)
        fields = {}
        if 'region_map' in results:
            regions = np.ascontiguousarray(results['region_map'], np.int32)
            fields['region_map'] = PixelData(data=torch.from_numpy(regions)[None])
        if 'box_extents' in results:
            for name, key in (
                ('box_extents', 'box_classes'),
                ('tight_boxes', 'tight_classes'),
            ):
                by_class = np.ascontiguousarray(results[key].T)
                pixels = np.take(by_class, results['box_extents'], axis=1)
                fields[name] = PixelData(data=torch.from_numpy(pixels))
        tags = results.get('tags')
        if tags is not None:
            tags = torch.from_numpy(np.array(tags, np.int8))
            ignored = torch.zeros(len(tags), dtype=torch.bool)
            ignored[list(ignored_tags(results))] = True
            fields['gt_tags'] = LabelData(label=tags, ignored=ignored)
        packed['data_samples'].set_data(fields)
        return packed
