"""Seed label maps of a data set, made from tags or boxes and compared with masks."""

import os
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.map_files import (
    check_output_folder,
    read_index_map,
    read_mask_of,
    write_index_map,
)
from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.functional.cam import (
    find_cam,
    load_cam,
    region_mean_map,
    seeds_of_boxes,
    seeds_of_tags,
)
from mmseg_spml.functional.confusion import confusion_matrix
from mmseg_spml.functional.grabcut import grabcut_seeds
from mmseg_spml.functional.rasterize import box_mask

METHODS = dict(tags=seeds_of_tags, boxes=seeds_of_boxes, grabcut=grabcut_seeds)


@dataclass(frozen=True)
class SeedMaker:
    """How to make seed label maps; picklable, for worker processes.

    Attributes:
        num_classes: C, with the background.
        method: 'tags' (activation maps of an image's classes), 'boxes' (these maps
            inside the boxes of an annotation) or 'grabcut' (boxes alone).
        options: Those of ``seeds_of_tags``, ``seeds_of_boxes`` or ``grabcut_seeds``.
        cams: Folder of activation maps, ``<image stem>.npz`` or ``.npy``.
        regions: Folder of region maps, ``<image stem>.png``: activation maps are
            averaged over each region first.
        boxes_complete: Whether the boxes show all objects, so that background lies
            outside of them; None: as the annotation says.

    Raises:
        ValueError: ``method`` or an option is unknown, or a folder missing or unused.
    """

    num_classes: int
    method: str = 'tags'
    options: Dict[str, Any] = field(default_factory=dict)
    cams: Optional[str] = None
    regions: Optional[str] = None
    boxes_complete: Optional[bool] = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(
                f'method must be one of {tuple(METHODS)}, got {self.method!r}'
            )
        parameters = signature(METHODS[self.method]).parameters.values()
        known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {
            'unlabelled'
        }
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

    def check(self) -> None:
        """Find what is wrong for every image before the first one is read.

        Raises:
            FileNotFoundError: a folder is missing.
            ValueError: an option is out of range.
        """
        for folder in (self.cams, self.regions):
            if folder is not None and not os.path.isdir(folder):
                raise FileNotFoundError(f'there is no folder {folder}')
        options = dict(self.options, unlabelled=self.num_classes)
        if self.method == 'tags':
            seeds_of_tags({}, (1, 1), **options)
        elif self.method == 'boxes':
            seeds_of_boxes({}, [], (1, 1), **options)
        else:
            grabcut_seeds(np.zeros((1, 1, 3), np.uint8), [], **options)

    def seeds(self, sample: Mapping[str, Any]) -> np.ndarray:
        """Seeds of one sample of a ``WeakSegDataset``.

        Returns:
            ndarray: (H, W) uint8: 0..C-1, or C (unlabelled).

        Raises:
            FileNotFoundError: the image or its activation maps are missing.
            ValueError: they do not fit each other, or the sample has no boxes.
        """
        image = decode_image(Path(sample['img_path']).read_bytes())
        seeds = (
            self._of_tags(sample, image.shape[:2])
            if self.method == 'tags'
            else self._of_boxes(sample, image)
        )
        return seeds.astype(np.uint8)

    def _of_tags(self, sample: Mapping[str, Any], size: Tuple[int, int]) -> np.ndarray:
        options = dict(self.options, unlabelled=self.num_classes)
        seeds = seeds_of_tags(self.activation_maps(sample), size, **options)
        if np.less(sample.get('tags', 0), 0).any():
            # where no known class is, an unknown one may be
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
        unknown = sorted({b.label for b in annotation.boxes} - {None} - set(ids))
        if unknown:
            raise ValueError(
                f'{annotation.image} has boxes of unknown classes {unknown}'
            )
        named, nameless = [], []
        for box in annotation.boxes:
            corners = (box.x0, box.y0, box.x1, box.y1)
            if box.label is None:
                nameless.append(corners)
            else:
                named.append((ids[box.label], *corners))
        options = dict(self.options, unlabelled=self.num_classes)
        if self.method == 'grabcut':
            seeds = grabcut_seeds(image, named, **options)
        else:
            seeds = seeds_of_boxes(self.activation_maps(sample), named, size, **options)
        complete = self.boxes_complete
        if complete is None:
            complete = annotation.boxes_complete
        doubtful = np.full(size, not complete)
        for _, *corners in named:
            doubtful &= ~box_mask(size, tuple(corners))
        # a box without a class does not tell what is inside
        for corners in nameless:
            doubtful |= box_mask(size, corners)
        return np.where(doubtful & (seeds == 0), self.num_classes, seeds)

    def activation_maps(self, sample: Mapping[str, Any]) -> Dict[int, np.ndarray]:
        """Maps of the classes that the sample's tags name, (H, W) by class id.

        All maps of the file where the data set has no explicit tags: the file has those
        of the image's classes alone, as the tools write it.

        Raises:
            FileNotFoundError: there are none.
            ValueError: the file is damaged, or not of these classes.
        """
        stem = Path(sample['img_path']).stem
        file = find_cam(self.cams, stem)
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
        path = os.path.join(self.regions, f'{stem}.png')
        region_map = read_index_map(path, 'region map')
        return {label: region_mean_map(cam, region_map) for label, cam in cams.items()}


@dataclass(frozen=True)
class SeedFile:
    """What became of one image.

    Attributes:
        name: Of the image file.
        labelled: Fraction of its pixels with a class.
        confusion: (C, C+1) pixels by true class and by seed; None without truth.
        error: Why there is no map.
    """

    name: str
    labelled: float = 0.0
    confusion: Optional[np.ndarray] = None
    error: Optional[str] = None


def check_outputs(samples: Sequence[Mapping[str, Any]], out: str) -> None:
    """Refuse to overwrite what is read, or one image's file by another's.

    Args:
        samples: Of a ``WeakSegDataset``; files are named by the stems of the images.
        out: Folder to write to.

    Raises:
        ValueError: ``out`` holds the images or maps of a sample, or two images have one
            stem.
    """
    keys = ('img_path', 'seg_map_path', 'region_map_path')
    paths = [sample.get(key) for sample in samples for key in keys]
    check_output_folder(out, {os.path.dirname(path) for path in paths if path})
    seen: Dict[str, str] = {}
    for sample in samples:
        path = sample['img_path']
        other = seen.setdefault(Path(path).stem, path)
        if other != path:
            raise ValueError(
                f'{other} and {path} would share the file {Path(path).stem}.*: rename '
                'one, or take one out of the list'
            )


def make_seed_file(
    sample: Mapping[str, Any], maker: SeedMaker, out: str, truth: Optional[str] = None
) -> SeedFile:
    """Write ``out/<image stem>.png``, and count its pixels by true class.

    Nothing about the image or its files is raised: one bad image must not stop the
    others.

    Args:
        sample: Of a ``WeakSegDataset``.
        maker: How.
        out: Folder of seed label maps.
        truth: Folder of full masks, ``<image stem>.png`` (0..C-1, 255 void); images
            without one are not counted.
    """
    stem = Path(sample['img_path']).stem
    name = os.path.basename(sample['img_path'])
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
