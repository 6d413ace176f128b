"""Seed label maps from boxes by GrabCut, without activation maps.

Letters: H, W image size; C classes, the background (0) included.
"""

from typing import Sequence, Tuple

import cv2
import numpy as np

from .cam import ClassBox
from .oversegmentation import checked_rgb
from .rasterize import box_mask


def grabcut_seeds(
    image: np.ndarray,
    boxes: Sequence[ClassBox],
    *,
    unlabelled: int,
    iterations: int = 5,
    margin: float = 0.25,
    least_share: float = 0.1,
) -> np.ndarray:
    """Label map of an image of which all objects have boxes, by GrabCut in each box.

    Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004, by OpenCV: colour models of
    the inside of a box and of a frame around it are fitted and separated by a graph
    cut, in turn. Outside of all boxes is background; in a box, what GrabCut takes for
    the object has its class and the rest is unlabelled. Smaller boxes cover larger
    ones.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: (class id, x0, y0, x1, y1) in pixels.
        unlabelled: Value of unlabelled pixels, C..254.
        iterations: Of fitting and cutting, at least 1.
        margin: Width of the frame around a box, as a part of its longer side.
        least_share: A box stays unlabelled if less of it than this is object, because
            the colours did not tell it from its surroundings.

    Returns:
        ndarray: (H, W) uint8.

    Raises:
        ValueError: the image is no RGB image, or an option is out of range.

    Example:
        >>> image = np.full((24, 32, 3), 60, np.uint8)
        >>> image[8:16, 10:20] = 200
        >>> seeds = grabcut_seeds(image, [(3, 8, 6, 22, 18)], unlabelled=21)
        >>> [int((seeds == value).sum()) for value in (3, 21, 0)]
        [80, 88, 600]
    """
    image = checked_rgb(image)
    if iterations < 1 or margin <= 0 or not 0 <= least_share <= 1:
        raise ValueError(
            'expected iterations >= 1, margin > 0 and least_share in [0, 1], got '
            f'{iterations}, {margin} and {least_share}'
        )
    size = image.shape[:2]
    seeds = np.zeros(size, np.uint8)
    for label, *corners in sorted(boxes, key=_area, reverse=True):
        inside = box_mask(size, tuple(corners))
        if not inside.any():
            continue
        window = _framed(inside, margin)
        found = np.zeros(size, bool)
        found[window] = _object(image[window], inside[window], iterations)
        seeds[inside] = unlabelled
        if found.sum() >= max(least_share * inside.sum(), 1):
            seeds[found] = label
    return seeds


def _area(box: ClassBox) -> float:
    _, x0, y0, x1, y1 = box
    return (x1 - x0) * (y1 - y0)


def _framed(inside: np.ndarray, margin: float) -> Tuple[slice, slice]:
    """Rows and columns of a box with a frame around it, cut at the image."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    frame = int(np.ceil(margin * max(len(rows), len(columns))))
    return tuple(
        slice(max(line[0] - frame, 0), line[-1] + 1 + frame) for line in (rows, columns)
    )


def _object(image: np.ndarray, inside: np.ndarray, iterations: int) -> np.ndarray:
    """Object pixels in the box ``inside``; none where nothing lies around the box."""
    if inside.all():
        return np.zeros_like(inside)
    state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)  # it starts from a random k-means
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]),
        state,
        None,
        models[0],
        models[1],
        iterations,
        cv2.GC_INIT_WITH_MASK,
    )
    return inside & (state == cv2.GC_PR_FGD)
