"""Label maps as outlines that a person can edit in an annotation tool.

Letters: H, W image size; C classes.
"""

from collections.abc import Collection, Sequence

import numpy as np

from mmseg_spml.annotations.model import Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.functional.labels.outlines import (
    Outline,
    label_regions,
    region_outlines,
    without_specks,
)
from mmseg_spml.functional.labels.rasterize import polygon_mask

# A line may move by a pixel for so many pixels of the longer side.
_SIDE_OF_A_PIXEL = 1000
# Regions below this share of the image are specks.
_SPECK = 1 / 5000


def outlined(
    image: str,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    holes: bool = False,
    tolerance: float | None = None,
    min_area: int | None = None,
    without: Collection[str] = (),
) -> WeakAnnotation:
    """Convert a label map to polygons, one for each region.

    Polygons are sorted so that each covers what it lies on: a region in another one is
    drawn over it, and the outer one needs no hole. Where a hole shows a class of
    ``without``, a format without holes gets a mask instead of a polygon.

    Args:
        image: The name of the image.
        labels: (H, W) integer: class ids 0..C-1; pixels of other values get no outline.
        classes: C class names.
        holes: Whether polygons may have rings for holes.
        tolerance: How far lines may move, in pixels; 1 for each 1000 pixels of the
            longer side, and at least 1, if None.
        min_area: The pixels from which a region is kept; smaller ones become a part of
            their neighbors. 1/5000 of the image if None.
        without: Classes that are left out.

    Raises:
        ValueError: The tolerance is negative.

    Example:
        >>> weak = outlined('a.jpg', np.zeros((2, 3), int), ('cat',))
        >>> weak.polygons[0].rings
        (((0.0, 0.0), (3.0, 0.0), (3.0, 2.0), (0.0, 2.0)),)
    """
    if tolerance is None:
        tolerance = max(max(labels.shape) / _SIDE_OF_A_PIXEL, 1.0)
    cleaned = without_specks(labels, _least_area(labels, min_area))
    polygons, masks = [], []
    named = {
        value: name for value, name in enumerate(classes) if name not in set(without)
    }
    left_out = ~np.isin(cleaned, list(named))
    for outline in region_outlines(cleaned, tolerance):
        name = named.get(outline.label)
        if name is None:
            continue
        if holes or not _shows_through(outline, left_out):
            rings = outline.rings if holes else outline.rings[:1]
            polygons.append(Polygon(name, rings))
        else:
            masks.append(Mask(name, polygon_mask(labels.shape, outline.rings)))
    height, width = labels.shape
    return WeakAnnotation(image, height, width, polygons=polygons, masks=masks)


def _shows_through(outline: Outline, left_out: np.ndarray) -> bool:
    """Whether pixels that get no outline lie in a hole of a region."""
    if len(outline.rings) == 1 or not left_out.any():
        return False
    holes = (polygon_mask(left_out.shape, [ring]) for ring in outline.rings[1:])
    return any((hole & left_out).any() for hole in holes)


def masked(
    image: str,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    min_area: int | None = None,
    without: Collection[str] = (),
) -> WeakAnnotation:
    """Convert a label map to masks, one for each region.

    Args:
        image: The name of the image.
        labels: (H, W) integer: class ids 0..C-1; pixels of other values get no mask.
        classes: C class names.
        min_area: The pixels from which a region is kept, as in :func:`outlined`.
        without: Classes that are left out.

    Example:
        >>> weak = masked('a.jpg', np.array([[0, 1, 0]]), ('sky', 'cat'))
        >>> [mask.label for mask in weak.masks]
        ['sky', 'cat', 'sky']
    """
    cleaned = without_specks(labels, _least_area(labels, min_area))
    regions = label_regions(cleaned)
    masks = []
    for number, place in enumerate(np.unique(regions, return_index=True)[1].tolist()):
        value = int(cleaned.flat[place])
        if 0 <= value < len(classes) and classes[value] not in set(without):
            masks.append(Mask(classes[value], regions == number))
    height, width = labels.shape
    return WeakAnnotation(image, height, width, masks=masks)


def _least_area(labels: np.ndarray, min_area: int | None) -> int:
    return round(labels.size * _SPECK) if min_area is None else min_area
