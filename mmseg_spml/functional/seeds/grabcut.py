"""Seed label maps from boxes by GrabCut, without activation maps.

Letters: H, W image size; C classes, including the background (0).
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_spml.functional.rgb_images import checked_rgb
from mmseg_spml.functional.seeds.cam import ClassBox, class_box_mask


def grabcut_seeds(
    image: np.ndarray,
    boxes: Sequence[ClassBox],
    *,
    unlabeled: int,
    iterations: int = 5,
    margin: float = 0.25,
    min_share: float = 0.1,
) -> np.ndarray:
    """Seed label map of an image in which every object has a box, by GrabCut per box.

    GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004; OpenCV's implementation)
    alternates between fitting color models to the object and to the background and
    separating the two by a graph cut. It starts from the pixels of a box as the object
    and a frame around the box as the background. Pixels outside all boxes are
    background. In a box, the object pixels take the class of the box and the others
    are unlabeled. Smaller boxes overwrite larger ones.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: Tuples (class id, x0, y0, x1, y1) in pixels, or (class id, vertices) of
            turned boxes.
        unlabeled: Value of unlabeled pixels, C..254.
        iterations: Number of iterations of fitting and cutting, >= 1.
        margin: Width of the frame around a box, relative to its longer side.
        min_share: Smallest fraction of a box that must be object pixels; otherwise
            the box stays unlabeled, because its colors do not separate the object from
            its surroundings.

    Returns:
        ndarray: (H, W) uint8.

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8, the class of a box is none of
            0..``unlabeled`` - 1, or an option is out of range.

    Example:
        >>> image = np.full((24, 32, 3), 60, np.uint8)
        >>> image[8:16, 10:20] = 200
        >>> seeds = grabcut_seeds(image, [(3, 8, 6, 22, 18)], unlabeled=21)
        >>> [int((seeds == value).sum()) for value in (3, 21, 0)]
        [80, 88, 600]
    """
    image = checked_rgb(image)
    if iterations < 1 or margin <= 0 or not 0 <= min_share <= 1:
        raise ValueError(
            'expected iterations >= 1, margin > 0 and min_share in [0, 1], got '
            f'{iterations}, {margin} and {min_share}'
        )
    unknown = sorted({box[0] for box in boxes if not 0 <= box[0] < unlabeled})
    if unknown:
        raise ValueError(
            f'expected boxes of the classes 0..{unlabeled - 1}, got {unknown}'
        )
    size = image.shape[:2]
    seeds = np.zeros(size, np.uint8)
    masks = [(box[0], class_box_mask(size, box)) for box in boxes]
    for label, inside in sorted(masks, key=_area, reverse=True):
        if not inside.any():
            continue
        window = _framed(inside, margin)
        found = np.zeros(size, bool)
        found[window] = _object(image[window], inside[window], iterations)
        seeds[inside] = unlabeled
        if found.sum() >= max(min_share * inside.sum(), 1):
            seeds[found] = label
    return seeds


def _area(mask: tuple[int, np.ndarray]) -> int:
    return int(mask[1].sum())


def _framed(inside: np.ndarray, margin: float) -> tuple[slice, slice]:
    """Rows and columns of a box with the frame around it, clipped to the image."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    frame = int(np.ceil(margin * max(len(rows), len(columns))))
    top, left = (
        slice(max(line[0] - frame, 0), line[-1] + 1 + frame) for line in (rows, columns)
    )
    return top, left


def _object(image: np.ndarray, inside: np.ndarray, iterations: int) -> np.ndarray:
    """Object pixels in the box ``inside``; none if the box covers the whole window."""
    if inside.all():
        return np.zeros_like(inside)
    state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)  # GrabCut starts from a random k-means
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]),
        state,
        (0, 0, 0, 0),  # unused: the mask defines the box
        models[0],
        models[1],
        iterations,
        cv2.GC_INIT_WITH_MASK,
    )
    return inside & (state == cv2.GC_PR_FGD)
