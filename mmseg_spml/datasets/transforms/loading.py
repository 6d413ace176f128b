"""Loading and packing of weak labels and region maps."""

import hashlib
import json
import os
from dataclasses import replace
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import LabelData, PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.label_values import (
    canonical_labels,
    check_label_options,
    tags_of,
)
from mmseg_spml.datasets.map_files import read_index_map, write_index_map
from mmseg_spml.functional.region_methods import REGION_METHODS


def _check_size(
    map_: np.ndarray, results: dict, what: str, path: str, after_resize: bool = False
) -> None:
    image = results.get('img', map_)
    height, width = results['ori_shape'] if after_resize else image.shape[:2]
    if map_.shape != (height, width):
        raise ValueError(
            f'the {what} {path} is {map_.shape[0]}x{map_.shape[1]} (height x width) '
            f'but the image {results.get("img_path")} is {height}x{width}. Make the '
            f'{what} from the image at its own size, and load it before augmentation'
        )


_DRAWING = ('point_radius', 'stroke_width', 'fill_boxes', 'priority')


@TRANSFORMS.register_module()
class LoadWeakAnnotations(BaseTransform):
    """Load a weak label map and the image's tags.

    Adds ``gt_seg_map`` ((H, W) uint8: 0..C-1 labelled, C unlabelled, 255 void) and
    ``tags`` ((C,) int8, 1 present, 0 absent, -1 unknown: the classes in the whole map,
    unless the data set gave explicit tags). An image with explicit tags and no map is
    all unlabelled; the marks of an annotation file are drawn. Use it before any
    augmentation. See :func:`canonical_labels` and
    :func:`~mmseg_spml.annotations.label_map.label_map`.

    Args:
        num_classes: C. None: as the data set says.
        unlabelled_value: None: as the data set says, else C.
        label_range (str, optional): 'strict' or 'release'. None: as the data set
            says, else 'strict'.
        after_resize: The image was resized before, the map keeps the size of
            its file: for testing.
        drawing: How to draw the marks of an annotation file: the options
            ``point_radius``, ``stroke_width``, ``fill_boxes``, ``priority`` of
            ``label_map``.
        backend_args: See ``mmengine.fileio``.

    Raises:
        ValueError: an option is wrong.
        FileNotFoundError, ValueError: at loading; the message names the file.

    Example:
        >>> transform = LoadWeakAnnotations(num_classes=21, unlabelled_value=255)
    """

    def __init__(
        self,
        num_classes: Optional[int] = None,
        unlabelled_value: Optional[int] = None,
        label_range: Optional[str] = None,
        after_resize: bool = False,
        drawing: Optional[dict] = None,
        backend_args: Optional[dict] = None,
    ) -> None:
        self.after_resize = after_resize
        self.drawing = dict(drawing or {})
        unknown = sorted(set(self.drawing) - set(_DRAWING))
        if unknown:
            raise ValueError(
                f'unknown `drawing` options {unknown}; known are {_DRAWING}'
            )
        if num_classes is not None:
            value = num_classes if unlabelled_value is None else unlabelled_value
            check_label_options(num_classes, value, label_range or 'strict')
        self.num_classes = num_classes
        self.unlabelled_value = unlabelled_value
        self.label_range = label_range
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``gt_seg_map``, ``tags``, ``num_classes`` to ``results``."""
        num_classes = self.num_classes or results.get('num_classes')
        if num_classes is None:
            raise ValueError(
                'the number of classes is unknown: use a WeakSegDataset, or set '
                'LoadWeakAnnotations(num_classes=...)'
            )
        path = results.get('seg_map_path')
        tags = results.get('tags')
        if path is not None:
            labels, occurring = self._read(path, num_classes, results)
        elif results.get('annotation') is not None:
            labels = self._draw(results)
            occurring = tags_of(labels, num_classes)
        elif tags is not None and 'img' in results:
            labels = np.full(results['img'].shape[:2], num_classes, np.uint8)
        else:
            raise ValueError(
                f'the image {results.get("img_path")} has no label map. Give the data '
                'set label maps or a `tags_file`, or leave LoadWeakAnnotations out; '
                'it must come after LoadImageFromFile'
            )
        if tags is None:
            tags = occurring
        results['gt_seg_map'] = labels
        results['tags'] = np.asarray(tags, np.int8)
        results['num_classes'] = num_classes
        results.setdefault('ignore_tags', (0,))
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _read(
        self, path: str, num_classes: int, results: dict
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Labels and tags of a file."""
        stored = read_index_map(path, 'label map', self.backend_args)
        _check_size(stored, results, 'label map', path, self.after_resize)
        value = self.unlabelled_value
        if value is None:
            value = results.get('unlabelled_value')
        label_range = self.label_range or results.get('label_range') or 'strict'
        return canonical_labels(
            stored, num_classes, value, label_range, f'the label map {path}'
        )

    def _draw(self, results: dict) -> np.ndarray:
        annotation = unpacked(results['annotation'])
        labels = label_map(
            annotation,
            results['class_names'],
            background=results['background'],
            **self.drawing,
        )
        path = f'of {annotation.image}'
        _check_size(labels, results, 'annotation', path, self.after_resize)
        return labels

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, '
            f'unlabelled_value={self.unlabelled_value}, '
            f'label_range={self.label_range!r}, drawing={self.drawing})'
        )


@TRANSFORMS.register_module()
class LoadRegions(BaseTransform):
    """Load the image's region map, or make one from the image.

    Adds ``region_map`` ((H, W) uint8, uint16 or int32; ids >= 0). Use it
    before any augmentation.

    Args:
        generate: How to make regions where the data set names no
            file: ``method`` ('felzenszwalb', 'slic' or 'owt-ucm') and that function's
            options.
        cache_dir: Keep made region maps here as PNG files, under
            the hash of the image and of the options.
        channel_order (str): 'bgr' (LoadImageFromFile) or 'rgb'.
        backend_args: See ``mmengine.fileio``.

    Raises:
        FileNotFoundError, ValueError: at loading; the message names the file.

    Example:
        >>> load = LoadRegions(generate=dict(method='felzenszwalb', scale=100))
        >>> load(dict(img=np.zeros((8, 8, 3), np.uint8)))['region_map'].dtype
        dtype('int32')
    """

    def __init__(
        self,
        generate: Optional[dict] = None,
        cache_dir: Optional[str] = None,
        channel_order: str = 'bgr',
        backend_args: Optional[dict] = None,
    ) -> None:
        if generate is not None and generate.get('method') not in REGION_METHODS:
            raise ValueError(
                f'`generate` needs a method out of {sorted(REGION_METHODS)}, got '
                f'{generate}'
            )
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(f'expected "bgr" or "rgb", got {channel_order!r}')
        self.generate = generate
        self.cache_dir = cache_dir
        self.channel_order = channel_order
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``region_map`` to ``results``."""
        path = results.get('region_map_path')
        if path is not None:
            regions = read_index_map(path, 'region map', self.backend_args)
            _check_size(regions, results, 'region map', path)
        elif self.generate is None:
            raise ValueError(
                f'the image {results.get("img_path")} has no region map. Give the '
                'data set region maps, or set LoadRegions(generate=dict('
                'method="felzenszwalb")) to make them from the images'
            )
        else:
            regions = self._regions_of(results['img'])
        results['region_map'] = regions
        results.setdefault('seg_fields', []).append('region_map')
        return results

    def _regions_of(self, image: np.ndarray) -> np.ndarray:
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if self.channel_order == 'bgr':
            image = image[..., ::-1]
        image = np.ascontiguousarray(image)
        options = dict(self.generate)
        method = REGION_METHODS[options.pop('method')]
        if self.cache_dir is None:
            return method(image, **options)
        key = hashlib.sha256(image.tobytes())
        key.update(json.dumps([image.shape, self.generate], sort_keys=True).encode())
        path = os.path.join(self.cache_dir, f'{key.hexdigest()[:32]}.png')
        if os.path.exists(path):
            return read_index_map(path, 'cached region map')
        regions = method(image, **options)
        write_index_map(path, regions)
        return regions

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(generate={self.generate}, '
            f'cache_dir={self.cache_dir!r}, channel_order={self.channel_order!r})'
        )


@TRANSFORMS.register_module()
class LoadBoxExtents(BaseTransform):
    """Where the boxes of the annotation allow each class.

    Adds ``box_extents`` ((C, H, W) bool), for images that are neither resized nor
    mirrored. See :func:`~mmseg_spml.annotations.box_extents.box_extents`.

    Args:
        boxes_complete: Whether the boxes show all objects; None: as the annotation
            says. If they may not, they rule nothing out.

    Raises:
        ValueError: at loading: the image has no annotation.

    Example:
        >>> transform = LoadBoxExtents(boxes_complete=True)
    """

    def __init__(self, boxes_complete: Optional[bool] = None) -> None:
        self.boxes_complete = boxes_complete

    def transform(self, results: dict) -> dict:
        """Add ``box_extents`` to ``results``."""
        if results.get('annotation') is None:
            raise ValueError(
                f'the image {results.get("img_path")} has no boxes: the data set must '
                "have list_format='annotations'"
            )
        annotation = unpacked(results['annotation'])
        if self.boxes_complete is not None:
            annotation = replace(annotation, boxes_complete=self.boxes_complete)
        results['box_extents'] = box_extents(
            annotation,
            results['class_names'],
            results['background'],
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(boxes_complete={self.boxes_complete})'


@TRANSFORMS.register_module()
class PackWeakSegInputs(PackSegInputs):
    """Pack an image with its weak labels, regions and tags, those present.

    ``inputs`` is (3, H, W). The sample's ``gt_sem_seg`` is PixelData of (1, H, W)
    int64, ``region_map`` of (1, H, W) int32, ``box_extents`` of (C, H, W) bool, its
    ``gt_tags`` LabelData with ``multi_hot`` (present) and ``unknown``, (C,) bool each.

    Args:
        meta_keys: What to keep as meta information.
        tags_from_crop: Take the tags from the augmented label map and not
            from the whole one.

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
            'ignore_tags',
        ),
        tags_from_crop: bool = False,
    ) -> None:
        super().__init__(meta_keys=meta_keys)
        self.tags_from_crop = tags_from_crop

    def transform(self, results: dict) -> dict:
        """Pack ``results`` into ``inputs`` and ``data_samples``."""
        image = results.get('img')
        if image is not None and image.ndim == 3:
            # NumPy moves the channels to the front twice as fast as the parent.
            channels = np.ascontiguousarray(image.transpose(2, 0, 1))
            results['img'] = channels.transpose(1, 2, 0)
        packed = super().transform(results)
        fields = {}
        if 'region_map' in results:
            regions = np.ascontiguousarray(results['region_map'], np.int32)
            fields['region_map'] = PixelData(data=torch.from_numpy(regions)[None])
        if 'box_extents' in results:
            extents = torch.from_numpy(results['box_extents'])
            fields['box_extents'] = PixelData(data=extents)
        tags = results.get('tags')
        if self.tags_from_crop and 'gt_seg_map' in results:
            in_crop = tags_of(results['gt_seg_map'], results['num_classes'])
            unknown = tags is not None and np.less(tags, 0)
            tags = np.where(in_crop, 1, np.where(unknown, -1, 0))
        if tags is not None:
            tags = torch.from_numpy(np.array(tags, np.int8))
            fields['gt_tags'] = LabelData(multi_hot=tags > 0, unknown=tags < 0)
        packed['data_samples'].set_data(fields)
        return packed
