"""Seed label maps of a data set from tags or boxes, and their comparison with masks."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.list_files import name_of_maps
from mmseg_spml.functional.labels.confusion import confusion_matrix
from mmseg_spml.functional.labels.rasterize import box_mask
from mmseg_spml.functional.regions.resizing import shrink_image
from mmseg_spml.functional.seeds.cam import (
    ClassBox,
    class_box_mask,
    region_mean_map,
    seeds_of_boxes,
    seeds_of_tags,
)
from mmseg_spml.functional.seeds.cam_files import find_cam, load_cam
from mmseg_spml.functional.seeds.grabcut import grabcut_seeds
from mmseg_spml.io.folders import first_sharing, named_like
from mmseg_spml.io.images import read_picture
from mmseg_spml.io.index_maps import (
    check_output_folders,
    missing_map,
    read_index_map,
    read_mask_of,
    write_index_map,
)

METHODS: dict[str, Callable[..., np.ndarray]] = dict(
    tags=seeds_of_tags, boxes=seeds_of_boxes, grabcut=grabcut_seeds
)
# Pixels of an image by which maps are judged: a grid of this many rows and columns.
_GRID = 32
_REGIONS = 'region map'


@dataclass(frozen=True)
class SeedMaker:
    """Makes seed label maps; picklable, for worker processes.

    Attributes:
        num_classes: C, including the background.
        method: One of

            * ``'tags'``: class activation maps of the classes of an image;
            * ``'boxes'``: class activation maps inside the boxes of an annotation;
            * ``'grabcut'``: only the boxes of an annotation.
        options: Keyword arguments of ``seeds_of_tags``, ``seeds_of_boxes`` or
            ``grabcut_seeds``.
        cams: Folder of class activation maps, ``NAME.npz`` or ``.npy`` for the image
            ``NAME.*``, perhaps in the same subfolders.
        regions: Folder of region maps, ``NAME.png`` likewise, over whose regions the
            activation maps are averaged first.
        boxes_complete: Whether every object has a box, so that pixels outside the boxes
            are background. None: the value of the annotation.
        max_side: Longer side in pixels at which GrabCut works; the seeds of larger
            images are enlarged. None: no limit. Ten million pixels take GrabCut more
            than half a minute for each box.

    Raises:
        ValueError: If ``method`` or an option is unknown, or a folder is missing or
            unused.
    """

    num_classes: int
    method: str = 'tags'
    options: dict[str, Any] = field(default_factory=dict)
    cams: str | None = None
    regions: str | None = None
    boxes_complete: bool | None = None
    max_side: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(
                f'method must be one of {tuple(METHODS)}, got {self.method!r}'
            )
        parameters = signature(METHODS[self.method]).parameters.values()
        known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {'unlabeled'}
        unknown = sorted(set(self.options) - known)
        if unknown:
            raise ValueError(
                f'the method {self.method!r} has no options {unknown}; its options are '
                f'{sorted(known)}'
            )
        if (self.method == 'grabcut') != (self.cams is None):
            raise ValueError(
                "the methods 'tags' and 'boxes' need a folder of activation maps, "
                "'grabcut' uses none"
            )
        if self.method == 'grabcut' and self.regions is not None:
            raise ValueError("the method 'grabcut' uses no regions")
        if self.method == 'tags' and self.boxes_complete is not None:
            raise ValueError("the method 'tags' uses no boxes")
        if self.method != 'grabcut' and self.max_side is not None:
            raise ValueError("only the method 'grabcut' has max_side")
        if self.max_side is not None and self.max_side < 1:
            raise ValueError(f'max_side must be 1 pixel or more, got {self.max_side}')

    def check(self) -> None:
        """Check the folders and options before any image is read.

        Raises:
            FileNotFoundError: If a folder is missing.
            ValueError: If an option is out of range.
        """
        for folder in (self.cams, self.regions):
            if folder is not None and not os.path.isdir(folder):
                raise FileNotFoundError(f'there is no folder {folder}')
        options = dict(self.options, unlabeled=self.num_classes)
        if self.method == 'tags':
            seeds_of_tags({}, (1, 1), **options)
        elif self.method == 'boxes':
            seeds_of_boxes({}, [], (1, 1), **options)
        else:
            grabcut_seeds(np.zeros((1, 1, 3), np.uint8), [], **options)

    def seeds(self, sample: Mapping[str, Any]) -> np.ndarray:
        """Make the seed label map of a sample of a ``WeakSegDataset``.

        Returns:
            ndarray: (H, W) uint8: 0..C-1, or C (unlabeled).

        Raises:
            FileNotFoundError: If the image or its activation maps are missing.
            ValueError: If image, activation maps and annotation do not fit each other,
                or the sample has no boxes.
        """
        image = read_picture(sample['img_path'])
        seeds = (
            self._of_tags(sample, image.shape[:2])
            if self.method == 'tags'
            else self._of_boxes(sample, image)
        )
        return seeds.astype(np.uint8)

    def _of_tags(self, sample: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
        options = dict(self.options, unlabeled=self.num_classes)
        seeds = seeds_of_tags(self.activation_maps(sample), size, **options)
        unknown = np.flatnonzero(np.less(sample.get('tags', 0), 0))
        if np.setdiff1d(unknown, sample.get('ignore_tags', ())).size:
            # A class with an unknown tag may occur where no known class does.
            seeds = np.where(seeds == 0, self.num_classes, seeds)
        return seeds

    def _of_boxes(self, sample: Mapping[str, Any], image: np.ndarray) -> np.ndarray:
        if sample.get('annotation') is None:
            raise ValueError(
                f'the image {sample["img_path"]} has no boxes: the data set must have '
                "list_format='annotations'"
            )
        annotation = unpacked(sample['annotation'])
        size = image.shape[:2]
        if size != annotation.size:
            raise ValueError(
                f'the image {sample["img_path"]} is {size}, its annotation '
                f'{annotation.size} (height, width)'
            )
        ids = {name: label for label, name in enumerate(sample['class_names'])}
        labels = {box.label for box in annotation.boxes if box.label is not None}
        unknown = sorted(labels - set(ids))
        if unknown:
            raise ValueError(
                f'{annotation.image} has boxes of unknown classes {unknown}'
            )
        named: list[ClassBox] = []
        nameless = []
        for box in annotation.boxes:
            if box.label is None:
                nameless.append(box.where)
            elif box.outline is None:
                named.append((ids[box.label], *box.bounds))
            else:
                named.append((ids[box.label], box.outline))
        options = dict(self.options, unlabeled=self.num_classes)
        if self.method == 'grabcut':
            seeds = self._grabcut(image, named, options)
        else:
            seeds = seeds_of_boxes(self.activation_maps(sample), named, size, **options)
        complete = self.boxes_complete
        if complete is None:
            complete = annotation.boxes_complete
        doubtful = np.full(size, not complete)
        for box in annotation.boxes:
            if box.label is not None:
                doubtful &= ~box_mask(size, box.where)
        # The contents of a box without a class are unknown.
        for where in nameless:
            doubtful |= box_mask(size, where)
        return np.where(doubtful & (seeds == 0), self.num_classes, seeds)

    def _grabcut(
        self, image: np.ndarray, boxes: Sequence[ClassBox], options: dict
    ) -> np.ndarray:
        """Seeds (H, W) by GrabCut, at a bounded size."""
        small = shrink_image(image, self.max_side)
        if small is image:
            return grabcut_seeds(image, boxes, **options)
        scale = np.divide(small.shape[1::-1], image.shape[1::-1])
        seeds = grabcut_seeds(small, [_scaled(box, scale) for box in boxes], **options)
        size = image.shape[1::-1]
        seeds = cv2.resize(seeds, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return _within_boxes(seeds, boxes, self.num_classes)

    def activation_maps(self, sample: Mapping[str, Any]) -> dict[int, np.ndarray]:
        """Activation maps (H, W) of the present tags of a sample, by class id.

        If the data set has no explicit tags, all maps of the file are returned; files
        that the tools write contain only the classes of the image.

        Raises:
            FileNotFoundError: If the image has no file of activation maps.
            ValueError: If the file is damaged, or has classes outside 1..C-1.
        """
        if self.cams is None:
            raise ValueError(f'the method {self.method!r} uses no activation maps')
        file = find_cam(self.cams, sample['img_path'])
        cams = load_cam(file)
        if any(not 0 < label < self.num_classes for label in cams):
            raise ValueError(
                f'{file} has maps of the classes {sorted(cams)}, expected '
                f'1..{self.num_classes - 1}'
            )
        if sample.get('tags') is not None:
            shown = np.flatnonzero(np.equal(sample['tags'], 1))
            cams = {label: cam for label, cam in cams.items() if label in shown}
        if self.regions is None:
            return cams
        path = named_like(sample['img_path'], self.regions)
        if path is None:
            raise missing_map(os.path.join(self.regions, f'{file.stem}.png'), _REGIONS)
        region_map = read_index_map(path, _REGIONS)
        return {label: region_mean_map(cam, region_map) for label, cam in cams.items()}


def strongest_activations(sample: Mapping[str, Any], maker: SeedMaker) -> np.ndarray:
    """Sample the largest activation map of an image on an even grid.

    Returns:
        (P,) values; none without maps, or if their file cannot be used.
    """
    try:
        maps = [*maker.activation_maps(sample).values()]
        largest = np.max(maps, axis=0) if maps else np.empty((0, 0))
    except (ValueError, OSError):  # the image is named when its seeds are made
        return np.empty(0)
    rows, columns = (_places(length) for length in largest.shape)
    return largest[np.ix_(rows, columns)].ravel()


def _places(length: int) -> np.ndarray:
    """Middles of up to ``_GRID`` equal parts of a side of an image."""
    number = min(length, _GRID)
    return ((np.arange(number) + 0.5) * length / max(number, 1)).astype(int)


def _within_boxes(
    seeds: np.ndarray, boxes: Sequence[ClassBox], unlabeled: int
) -> np.ndarray:
    """Let enlarged seeds (H, W) end where the boxes do.

    In a box, pixels have its class or no label; outside of all boxes they are
    background.
    """
    inside_any = np.zeros(seeds.shape, bool)
    inside_own = np.zeros(seeds.shape, bool)
    for box in boxes:
        inside = class_box_mask(seeds.shape, box)
        inside_any |= inside
        inside_own |= inside & (seeds == box[0])
    others = np.where(inside_any, np.uint8(unlabeled), np.uint8(0))
    return np.where(inside_own, seeds, others)


def _scaled(box: ClassBox, scale: np.ndarray) -> ClassBox:
    """Scale a box or an outline by the factors (x, y)."""
    label, *where = box
    vertices = np.reshape(where, (-1, 2)) * scale
    if len(box) == 2:
        return label, [(x, y) for x, y in vertices.tolist()]
    return label, *vertices.ravel().tolist()


@dataclass(frozen=True)
class SeedFile:
    """Result for one image.

    Attributes:
        name: Name of the image, with its subfolders.
        labeled: Fraction of labeled pixels.
        confusion: (C, C+1) numbers of pixels by true class and by seed label; None
            without a full mask.
        error: Error message if no map was written, else None.
    """

    name: str
    labeled: float = 0.0
    confusion: np.ndarray | None = None
    error: str | None = None


def check_outputs(samples: Sequence[Mapping[str, Any]], out: str) -> None:
    """Check that output files do not overwrite input files or each other.

    Args:
        samples: Samples of a ``WeakSegDataset``; output files have their names, see
            :func:`name_of_maps`.
        out: Folder to write to.

    Raises:
        ValueError: If ``out`` contains the images or maps of a sample, or two images
            have the same name but for the suffix.
    """
    keys = ('img_path', 'seg_map_path', 'region_map_path')
    paths = [sample.get(key) for sample in samples for key in keys]
    read = {os.path.dirname(path) for path in paths if path}
    names = {sample['img_path']: name_of_maps(sample) for sample in samples}
    written = {os.path.dirname(os.path.join(out, name)) for name in names.values()}
    check_output_folders(written, read)
    shared = first_sharing(names, names.__getitem__)
    if shared is not None:
        raise ValueError(
            f'{shared[0]} and {shared[1]} would share the file {names[shared[0]]}.*: '
            'rename one, or take one out of the list'
        )


def make_seed_file(
    sample: Mapping[str, Any], maker: SeedMaker, out: str, truth: str | None = None
) -> SeedFile:
    """Write ``out/NAME.png``, see :func:`name_of_maps`; compare it with the full mask.

    Errors that concern the image or its files are returned and not raised, so that one
    bad image does not stop the others.

    Args:
        sample: Sample of a ``WeakSegDataset``.
        maker: Seed maker.
        out: Folder of seed label maps.
        truth: Folder of full masks, ``NAME.png`` (0..C-1, 255 void); images without a
            mask are not compared.
    """
    stem = name_of_maps(sample)
    name = stem + Path(sample['img_path']).suffix
    try:
        seeds = maker.seeds(sample)
        write_index_map(os.path.join(out, f'{stem}.png'), seeds)
        mask = read_mask_of(sample['img_path'], truth)
        confusion = None
        if mask is not None:
            confusion = confusion_matrix(seeds, mask, maker.num_classes)
    except (ValueError, OSError, MemoryError, cv2.error) as error:
        return SeedFile(name, error=' '.join(str(error).split()) or repr(error))
    return SeedFile(name, float((seeds < maker.num_classes).mean()), confusion)
