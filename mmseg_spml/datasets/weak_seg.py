"""Generic data set of images, weak label maps, region maps and tags."""

import copy
import os
import os.path as osp
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import mmengine
import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, TRANSFORMS
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_spml.annotations.tag_table import TagTable
from mmseg_spml.annotations.text_files import read_names
from mmseg_spml.datasets.annotation_samples import annotation_samples
from mmseg_spml.datasets.list_files import (
    MAPS,
    add_maps,
    add_names,
    add_tags,
    listed,
    path_below,
    read_triples,
)
from mmseg_spml.datasets.sampler import Draw, randomness_of
from mmseg_spml.functional.labels.values import check_label_options
from mmseg_spml.io.folders import files_with_suffix
from mmseg_spml.io.images import IMAGE_SUFFIXES
from mmseg_spml.io.limits import TooLargeError, check_image

_LIST_FORMATS = ('stem', 'triple', 'annotations')


@DATASETS.register_module()
class WeakSegDataset(BaseSegDataset):
    """Images with weak label maps, region maps and tags.

    Four layouts are supported:

    * *List of triples* (the authors' release): each line of ``ann_file`` is
      ``image semantic instance``, separated by single spaces, relative to ``data_root``
      or absolute. A line of one column is an image without maps.
    * *List of stems*: each line is the name of an image without suffix; files are
      found by adding ``data_prefix`` and the suffixes. With ``img_suffix=''`` lines
      have the suffixes of the images, which may differ.
    * *Folders*: there is no ``ann_file``; all images in ``data_prefix['img_path']`` and
      its subfolders with ``img_suffix`` are used; without an ``img_suffix``, those with
      '.jpg' or else with the one suffix that images there have.
    * *Annotations*: ``ann_file`` is a file (or folder) of shapes and tags in any format
      of :mod:`mmseg_spml.annotations.formats`. Each image may have any kind of them.

    Prefixes are relative to ``data_root`` or absolute; with a prefix of None there are
    no such files. With :class:`DrawSampler`, an augmentation depends only on the seed
    and the number of the draw.

    Args:
        ann_file: List file, relative to ``data_root`` or absolute.
        list_format: ``'stem'``, ``'triple'`` or ``'annotations'``.
        annotation_format: Format of the annotations; detected if None.
        image_list: File that selects images of the annotations: on each line the path
            below ``data_prefix['img_path']``, or the stem.
        data_prefix: Folders ``img_path``, ``seg_map_path``, ``region_map_path``.
        region_map_suffix: Suffix of region maps.
        unlabeled_value: Value in C..255 that means "unlabeled" in label files. None: C.
        label_range: ``'strict'``, or ``'release'`` (all values in C..254 are
            unlabeled).
        label_dir: Folder of the label maps to read instead, such as pseudo labels,
            ``NAME.png`` for the image ``NAME.*``, perhaps in the same subfolders;
            relative to the working directory or absolute.
        region_dir: Folder of the region maps to read instead, likewise.
        tags_file: File of explicit tags; see :class:`TagTable`. None: the tags are the
            classes in the whole label map.
        undeclared_tags: Tag of classes that are neither shown nor declared absent by
            annotations: ``'absent'``, as in the paper, or ``'unknown'``.
        ignore_tags: Classes that are no tags of any image, such as the background, for
            co-occurrence, classifiers of tags and pseudo labels. To leave a class out
            of co-occurrence alone, use the ``ignore_tags`` of that loss. None: those of
            ``metainfo``; without any, the class 'background' (if it exists) for
            annotations, and (0,) otherwise.
        metainfo: Dict with ``classes`` and optionally ``palette``.
        **kwargs: Keyword arguments of MMSegmentation's ``BaseSegDataset``.

    Raises:
        FileNotFoundError: If a folder, the list, the tags or a file of the first sample
            is missing.
        ValueError: If an argument or a line of the list is invalid.

    Example:
        >>> dataset = WeakSegDataset(
        ...     metainfo=dict(classes=('background', 'cat')), lazy_init=True)
        >>> dataset.num_classes, dataset.metainfo['ignore_tags']
        (2, (0,))
    """

    def __init__(
        self,
        ann_file: str = '',
        list_format: str = 'stem',
        annotation_format: str | None = None,
        image_list: str | None = None,
        data_prefix: dict | None = None,
        region_map_suffix: str = '.png',
        unlabeled_value: int | None = None,
        label_range: str = 'strict',
        label_dir: str | None = None,
        region_dir: str | None = None,
        tags_file: str | None = None,
        undeclared_tags: str = 'absent',
        ignore_tags: Sequence[int] | None = None,
        metainfo: Mapping | None = None,
        reduce_zero_label: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        known = self._load_metainfo(copy.deepcopy(metainfo))
        classes = known.get('classes')
        if not classes:
            raise ValueError(
                f'{type(self).__name__} needs the class names: '
                'metainfo=dict(classes=(...))'
            )
        if self.get_label_map(classes) is not None:
            raise ValueError(
                f'{type(self).__name__} has the classes {self.METAINFO["classes"]}; '
                'another choice or order is not supported. Convert the label maps and '
                'use WeakSegDataset'
            )
        if list_format not in _LIST_FORMATS:
            raise ValueError(
                f'`list_format` must be one of {_LIST_FORMATS}, got {list_format!r}'
            )
        if undeclared_tags not in ('absent', 'unknown'):
            raise ValueError(
                "`undeclared_tags` must be 'absent' or 'unknown', got "
                f'{undeclared_tags!r}'
            )
        if undeclared_tags == 'unknown' and list_format != 'annotations':
            raise ValueError(
                "undeclared_tags='unknown' needs list_format='annotations': label maps "
                'and tag files cannot declare a class absent'
            )
        if tags_file is not None and list_format == 'annotations':
            raise ValueError(
                'annotations hold tags themselves: join `tags_file` with them by '
                'mmseg-spml convert'
            )
        if image_list is not None and list_format != 'annotations':
            raise ValueError("`image_list` is for list_format='annotations'")
        if reduce_zero_label:
            raise ValueError(
                '`reduce_zero_label` is not supported: convert the label maps, so '
                'that classes are 0..C-1'
            )
        self.num_classes = len(classes)
        self.unlabeled_value = (
            self.num_classes if unlabeled_value is None else unlabeled_value
        )
        check_label_options(self.num_classes, self.unlabeled_value, label_range)
        if ignore_tags is None:
            ignore_tags = known.get('ignore_tags')
        if ignore_tags is None:
            ignore_tags = (0,)
            if list_format == 'annotations':  # found by name
                ignore_tags = [i for i, c in enumerate(classes) if c == 'background']
        self.ignore_tags = tuple(ignore_tags)
        if any(not 0 <= tag < self.num_classes for tag in self.ignore_tags):
            raise ValueError(
                f'`ignore_tags` must be class ids in 0..{self.num_classes - 1}, got '
                f'{self.ignore_tags}'
            )
        self.label_range = label_range
        self.list_format = list_format
        self.annotation_format = annotation_format
        self.image_list = image_list
        self.region_map_suffix = region_map_suffix
        self.map_dirs = dict(seg_map_path=label_dir, region_map_path=region_dir)
        self.tags_file = tags_file
        self.undeclared_tags = undeclared_tags
        self._draw: Draw | None = None
        self._suffix_is_given = 'img_suffix' in kwargs
        prefix = dict(img_path='') if data_prefix is None else dict(data_prefix)
        super().__init__(
            ann_file=ann_file,
            data_prefix={k: v for k, v in prefix.items() if v is not None},
            metainfo={**(metainfo or {}), 'ignore_tags': self.ignore_tags},
            # Build here, so that names resolve even without a default scope.
            pipeline=[
                TRANSFORMS.build(step) if isinstance(step, dict) else step
                for step in pipeline
            ],
            **kwargs,
        )

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.tags_file is not None:
            self.tags_file = osp.join(self.data_root, self.tags_file)
        if self.image_list is not None:
            self.image_list = osp.join(self.data_root, self.image_list)

    def load_data_list(self) -> list[dict]:
        """List the paths, tags and label options of the samples.

        Returns:
            list[dict]: ``img_path``, ``seg_map_path``, ``region_map_path`` (None if
            there is no such file), ``map_name`` (see ``add_names``), ``num_classes``,
            ``unlabeled_value``, ``label_range``, ``tags`` ((C,): 1 present, 0 absent,
            -1 unknown; only if explicit), and the keys that MMSegmentation's loaders
            read.
        """
        # Annotations may be a folder of files.
        exists = osp.exists if self.list_format == 'annotations' else osp.isfile
        if self.ann_file and not exists(self.ann_file):
            raise FileNotFoundError(
                f'list file not found: {self.ann_file}. Check `data_root` '
                f'({self.data_root}) and `ann_file`'
            )
        if self.ann_file and self.list_format == 'triple':
            samples: list[dict] = read_triples(
                self.ann_file,
                self.data_root or '',
                images_alone=bool(self.test_mode or self.tags_file),
            )
        elif self.ann_file and self.list_format == 'annotations':
            samples = annotation_samples(
                self.ann_file,
                self.data_prefix.get('img_path', ''),
                self._metainfo['classes'],
                self.annotation_format,
                undeclared_absent=self.undeclared_tags == 'absent',
            )
            if self.image_list is not None:
                samples = listed(
                    samples,
                    self.image_list,
                    self.data_prefix.get('img_path', ''),
                    self.ann_file,
                )
        else:
            samples = self._samples_of_names()
        if not samples and self.list_format == 'annotations':
            raise ValueError(f'{self.ann_file} annotates no image')
        if not samples:
            raise ValueError(
                f'no image in {self.ann_file or self.data_prefix["img_path"]} (suffix '
                f'{self.img_suffix!r}); check the list, or `img_suffix`'
            )
        images = self.data_prefix.get('img_path', '')
        # The folder of all data is none of images, as in lists of triples.
        is_root = osp.realpath(images) == osp.realpath(self.data_root or '')
        add_names(samples, '' if is_root else images)
        for key, folder in self.map_dirs.items():
            if folder is not None:
                add_maps(samples, key, folder, self.data_prefix.get('img_path', ''))
        self._check_files(samples[0])
        if self.tags_file is not None:
            table = TagTable(
                self.tags_file, self.num_classes, self._metainfo['classes']
            )
            add_tags(samples, table, partly=self.test_mode)
        for sample in samples:
            sample.update(
                num_classes=self.num_classes,
                unlabeled_value=self.unlabeled_value,
                label_range=self.label_range,
                ignore_tags=self.ignore_tags,
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
        return samples

    def _samples_of_names(self) -> list[dict]:
        for key, folder in self.data_prefix.items():
            if folder and not osp.isdir(folder):
                raise FileNotFoundError(
                    f'folder not found: {folder}. Check `data_root` '
                    f'({self.data_root}) and data_prefix[{key!r}]'
                )
        folder = self.data_prefix.get('img_path', '')
        if self.ann_file:
            names = read_names(Path(self.ann_file))
        else:
            self.img_suffix = self._found_suffix(folder or '.')
            files = mmengine.scandir(folder or '.', self.img_suffix, recursive=True)
            names = sorted(name[: -len(self.img_suffix)] for name in files)
        suffixes = (self.seg_map_suffix, self.region_map_suffix)
        samples = []
        for name in names:
            where, root = self.ann_file or 'the folder', self.data_root or ''
            image = path_below(folder, name + self.img_suffix, where, root)
            sample: dict[str, str | None] = dict(img_path=image)
            stem = name if self.img_suffix else osp.splitext(name)[0]
            for key, suffix in zip(MAPS, suffixes):
                prefix = self.data_prefix.get(key)
                if prefix is not None:
                    prefix = path_below(prefix, stem + suffix, where, root)
                sample[key] = prefix
            samples.append(sample)
        return samples

    def _found_suffix(self, folder: str) -> str:
        """Suffix of the images of a folder: the given one, or the only one there.

        Raises:
            ValueError: No suffix is given, and the images have several others.
        """
        paths = files_with_suffix(Path(folder), *IMAGE_SUFFIXES)
        suffixes = sorted({path.suffix for path in paths})
        there = any(path.name.endswith(self.img_suffix) for path in paths)
        if self._suffix_is_given or there or not suffixes:
            return self.img_suffix
        if len(suffixes) > 1:
            raise ValueError(
                f'no image in {folder} ends in {self.img_suffix!r}, but images end in '
                f'{", ".join(suffixes)}: set `img_suffix` to one of these'
            )
        return suffixes[0]

    def _check_files(self, sample: dict) -> None:
        """Check that the files of the first sample exist; others fail at loading."""
        for key in ('img_path', *MAPS):
            path = sample.get(key)
            if path is None or (self.test_mode and key == 'region_map_path'):
                continue
            if not os.path.exists(path):
                raise FileNotFoundError(
                    f'the first sample of {self.ann_file or "the folder"} names a '
                    f'file that is not there: {path} ({key}). Check `data_root` '
                    f'({self.data_root}), `data_prefix` and the suffixes'
                )

    def labeled(self) -> np.ndarray:
        """Whether each image has a label map or shapes, not only tags; (len,) bool."""
        samples = map(self.get_data_info, range(len(self)))
        return np.array([is_labeled(sample) for sample in samples])

    def prepare_data(self, idx: int | Draw) -> Any:
        """Run the pipeline, with the random state of the draw if ``idx`` is a draw."""
        self._draw = idx if isinstance(idx, Draw) else None
        if self._draw is None:
            return self._run_pipeline(idx)
        with randomness_of(self._draw):
            return self._run_pipeline(int(idx))

    def _run_pipeline(self, idx: int) -> Any:
        info = self.get_data_info(idx)
        path = info['img_path']
        check_image(path)
        try:
            return self.pipeline(info)
        except Image.DecompressionBombError as error:
            raise TooLargeError(
                f'{info.get("seg_map_path") or path} is too large: {error}'
            ) from error
        except (AssertionError, cv2.error, MemoryError) as error:
            # MMCV's loader and OpenCV raise the first two for damaged images.
            problem = str(error) or type(error).__name__
            raise ValueError(
                f'the pipeline failed on the image {path}: {problem}. If the file is '
                'damaged, replace it or take it out of the list'
            ) from error

    def _rand_another(self) -> int | Draw:
        """Index of another sample, which depends only on the draw if there is one."""
        if self._draw is None:
            return super()._rand_another()
        key = [self._draw.seed, self._draw.draw, self._draw.attempt, len(self)]
        index = np.random.default_rng(key).integers(len(self))
        return self._draw.at(int(index), attempt=self._draw.attempt + 1)


def is_labeled(sample: Mapping[str, Any] | SegDataSample) -> bool:
    """Whether an image has a label map or shapes, perhaps outside of its crop.

    Args:
        sample: What the data set knows of the image, or the packed sample.
    """
    has_map = sample.get('seg_map_path') is not None
    return has_map or bool(sample.get('is_labeled', False))
