"""Loading of weak labels and region maps."""

import os
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmseg.registry import TRANSFORMS

from mmseg_spml.annotations.corrections import with_some_accepted
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.scaling import scaled_annotation
from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.region_files import GENERATED, RegionMaker
from mmseg_spml.functional.labels.shrinking import shrink_labels
from mmseg_spml.functional.labels.values import (
    canonical_labels,
    check_label_options,
    tags_of,
)
from mmseg_spml.io.images import three_bands
from mmseg_spml.io.index_maps import (
    decode_index_map,
    missing_map,
    read_index_map,
    write_index_map,
)


def _check_size(
    map_: np.ndarray, results: dict, what: str, path: str, after_resize: bool = False
) -> None:
    """Check that a map has the size of its image, or that before ``LimitSize``."""
    image = results.get('img', map_)
    height, width = results['ori_shape'] if after_resize else image.shape[:2]
    allowed = [(height, width)]
    if is_limited(results):
        allowed.append(tuple(results['limited_from']))
    if map_.shape not in allowed:
        raise ValueError(
            f'the {what} {path} is {map_.shape[0]}x{map_.shape[1]} (height x width) '
            f'but the image {results.get("img_path")} is {height}x{width}. Make the '
            f'{what} from the image at its own size, and load it before augmentation'
        )


def is_limited(results: dict) -> bool:
    """Whether ``LimitSize`` has shrunk the image."""
    return results.get('limited_from') is not None


def fitted(annotation: WeakAnnotation, results: dict) -> WeakAnnotation:
    """Check the size of an annotation, and scale it if ``LimitSize`` shrank the image.

    It is checked before it is scaled, so that errors name the sizes of files.
    """
    whole = np.broadcast_to(np.uint8(0), annotation.size)
    _check_size(whole, results, 'annotation', f'of {annotation.image}')
    if is_limited(results):
        return scaled_annotation(annotation, results['img'].shape[:2])
    return annotation


def ignored_tags(results: dict) -> Sequence[int]:
    """Classes that are no tags of a sample, by default the background."""
    return results.get('ignore_tags', (0,))


def without_ignored_tags(tags: np.ndarray, results: dict) -> np.ndarray:
    """Copy of the tags (C,) as int8, absent for the ``ignore_tags`` of a sample."""
    kept = np.array(tags, np.int8)
    kept[list(ignored_tags(results))] = 0
    return kept


def _load_index_map(path: str, what: str, backend_args: dict | None) -> np.ndarray:
    """:func:`read_index_map` from any storage that MMEngine supports."""
    try:
        content = fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise missing_map(path, what) from error
    return decode_index_map(content, path, what)


_OF_THE_MAKER = ('method', 'max_side', 'weights')
_DRAWING = ('point_radius', 'stroke_width', 'fill_boxes', 'priority')


@TRANSFORMS.register_module()
class LoadWeakAnnotations(BaseTransform):
    """Load a weak label map and the tags of an image.

    Added keys:

    * ``gt_seg_map``: (H, W) uint8, 0..C-1 labeled, C unlabeled, 255 void. All pixels of
      an image with explicit tags and without a map are unlabeled. Shapes of an
      annotation file are rasterized.
    * ``tags``: (C,) int8, 1 present, 0 absent, -1 unknown. Without explicit tags they
      are the classes in the whole map. Classes that the data set ignores as tags, by
      default the background, are 0.
    * ``num_classes``: C.

    Use it before any augmentation. See :func:`canonical_labels` and
    :func:`~mmseg_spml.annotations.label_map.label_map`.

    Args:
        num_classes: C. None: the value of the data set.
        unlabeled_value: Value of unlabeled pixels in the file. None: the value of the
            data set, or else C.
        label_range: ``'strict'`` or ``'release'``. None: the value of the data set, or
            else ``'strict'``.
        after_resize: Whether the image has been resized before, so that the map must
            have the original size and is not resized, for testing.
        accepted_weight: The weight of labels of an annotation file that a model
            predicted and a person left as they were, relative to those that the person
            drew: the probability, 0 to 1, with which each connected area of them is
            labeled when an image is loaded; otherwise it is unlabeled. With a lower
            weight a model learns less from its own mistakes.
        drawing: Options of ``label_map`` for shapes of an annotation file:
            ``point_radius``, ``stroke_width``, ``fill_boxes``, ``priority``.
        backend_args: See ``mmengine.fileio``.

    Raises:
        ValueError: If an option is invalid. At loading, if a file is invalid; the
            message names the file.
        FileNotFoundError: If a file is missing at loading.

    Example:
        >>> transform = LoadWeakAnnotations(num_classes=21, unlabeled_value=255)
    """

    def __init__(
        self,
        num_classes: int | None = None,
        unlabeled_value: int | None = None,
        label_range: str | None = None,
        after_resize: bool = False,
        accepted_weight: float = 0.5,
        drawing: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.after_resize = after_resize
        if not 0 <= accepted_weight <= 1:
            raise ValueError(
                f'accepted_weight must lie in [0, 1], got {accepted_weight}'
            )
        self.accepted_weight = accepted_weight
        self.drawing = dict(drawing or {})
        unknown = sorted(set(self.drawing) - set(_DRAWING))
        if unknown:
            raise ValueError(
                f'unknown `drawing` options {unknown}; known are {_DRAWING}'
            )
        if num_classes is not None:
            value = num_classes if unlabeled_value is None else unlabeled_value
            check_label_options(num_classes, value, label_range or 'strict')
        self.num_classes = num_classes
        self.unlabeled_value = unlabeled_value
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
        results['tags'] = without_ignored_tags(tags, results)
        results['num_classes'] = num_classes
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _read(
        self, path: str, num_classes: int, results: dict
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read labels and tags of a file."""
        stored = _load_index_map(path, 'label map', self.backend_args)
        _check_size(stored, results, 'label map', path, self.after_resize)
        value = self.unlabeled_value
        if value is None:
            value = results.get('unlabeled_value')
        label_range = self.label_range or results.get('label_range') or 'strict'
        labels, occurring = canonical_labels(
            stored, num_classes, value, label_range, f'the label map {path}'
        )
        if not self.after_resize and is_limited(results):
            labels = shrink_labels(labels, results['img'].shape[:2], num_classes)
        return labels, occurring

    def _draw(self, results: dict) -> np.ndarray:
        annotation = unpacked(results['annotation'])
        if is_limited(results) and not self.after_resize:
            annotation = fitted(annotation, results)
        annotation = with_some_accepted(
            annotation, self.accepted_weight, np.random.random
        )
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
            f'unlabeled_value={self.unlabeled_value}, '
            f'accepted_weight={self.accepted_weight}, '
            f'label_range={self.label_range!r}, drawing={self.drawing})'
        )


@TRANSFORMS.register_module()
class LoadRegions(BaseTransform):
    """Load the region map of an image, or make it from the image.

    Adds ``region_map`` ((H, W) uint8, uint16 or int32; ids >= 0). Use it
    before any augmentation.

    Maps that are made are kept in ``cache_dir``, by the content of the image and the
    options. :class:`~mmseg_spml.engine.hooks.MakeRegionsHook` makes those of a
    training set before the first iteration.

    Args:
        generate: How to make the regions of images without a region map: dict with
            ``method`` (``'hed-owt-ucm'``, ``'owt-ucm'``, ``'felzenszwalb'`` or
            ``'slic'``), optionally ``max_side`` and ``weights`` of
            :class:`~mmseg_spml.datasets.region_files.RegionMaker`, and the options of
            the method's function. HED is computed on the CPU.
        cache_dir: Folder of the maps that are made, as PNG files. None: they are made
            anew for each sample.
        channel_order: ``'bgr'`` (LoadImageFromFile) or ``'rgb'``.
        backend_args: See ``mmengine.fileio``.

    Raises:
        ValueError: If an option is invalid. At loading, if a file is invalid; the
            message names the file.
        FileNotFoundError: If a file is missing at loading.

    Example:
        >>> generate = dict(method='felzenszwalb', scale=100)
        >>> load = LoadRegions(generate=generate, cache_dir=None)
        >>> load(dict(img=np.zeros((8, 8, 3), np.uint8)))['region_map'].dtype
        dtype('int32')
    """

    def __init__(
        self,
        generate: dict | None = None,
        cache_dir: str | None = 'work_dirs/regions',
        channel_order: str = 'bgr',
        backend_args: dict | None = None,
    ) -> None:
        self.maker = None if generate is None else _region_maker(generate)
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
            regions = _load_index_map(path, 'region map', self.backend_args)
            _check_size(regions, results, 'region map', path)
            if is_limited(results) and regions.shape != results['img'].shape[:2]:
                regions = _nearest(regions, results['img'].shape[:2])
        elif self.maker is None:
            raise ValueError(
                f'the image {results.get("img_path")} has no region map. Give the '
                'data set region maps, or set LoadRegions(generate=dict('
                'method="felzenszwalb")) to make them from the images'
            )
        elif self.cache_dir is None:
            regions = self.maker.regions(self._rgb(results['img']), '')
        else:
            path, _ = self.make_file(results['img'])
            regions = read_index_map(path, 'cached region map')
        results['region_map'] = regions
        results.setdefault('seg_fields', []).append('region_map')
        return results

    def make_file(self, image: np.ndarray) -> tuple[str, bool]:
        """Make the region map of an image in ``cache_dir``, unless it is there.

        Args:
            image: (H, W, 3) in 0..255, channels in ``channel_order``.

        Returns:
            The path of the map, and whether it was made.

        Raises:
            ValueError: ``generate`` or ``cache_dir`` is not set.
        """
        if self.maker is None or self.cache_dir is None:
            raise ValueError('make_file needs `generate` and `cache_dir`')
        image = self._rgb(image)
        key = self.maker.key(b'%d %d ' % image.shape[:2] + image.tobytes(), '')
        path = os.path.join(self.cache_dir, f'{key[:32]}.png')
        if os.path.exists(path):
            return path, False
        write_index_map(path, self.maker.regions(image, ''))
        return path, True

    def _rgb(self, image: np.ndarray) -> np.ndarray:
        if image.ndim == 3 and image.shape[2] == 3 and self.channel_order == 'bgr':
            # Colors of 8 bits, whatever their type.
            image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        else:
            image = three_bands(image)
        if self.channel_order == 'bgr':
            image = image[..., ::-1]
        return np.ascontiguousarray(image)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(generate={self.generate}, '
            f'cache_dir={self.cache_dir!r}, channel_order={self.channel_order!r})'
        )


def _nearest(regions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(regions, size[::-1], interpolation=cv2.INTER_NEAREST)


def _region_maker(generate: dict) -> RegionMaker:
    """The maker of the regions that ``LoadRegions(generate=...)`` describes."""
    options = dict(generate)
    if options.get('method') not in GENERATED:
        raise ValueError(
            f'`generate` needs a method out of {GENERATED}, got {generate}'
        )
    own = {key: options.pop(key) for key in _OF_THE_MAKER if key in options}
    return RegionMaker(options=options, **own)
