"""Pictures of label maps, weak labels and segments.

Letters: H, W image size, C classes.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.regions.metrics import boundary_pixels

Color = Sequence[int]
UNLABELED_COLOR: Color = (255, 255, 255)
VOID_COLOR: Color = (128, 128, 128)


def colorize(
    label_map: np.ndarray,
    palette: Sequence[Color],
    *,
    unlabeled: Color = UNLABELED_COLOR,
    void: Color = VOID_COLOR,
) -> np.ndarray:
    """Draw a label map in the colors of its classes.

    Args:
        label_map: (H, W) integer: 0..C-1, C (unlabeled) or 255 (void).
        palette: The C RGB colors of the classes, 0..255.
        unlabeled: The color of the value C.
        void: The color of the value 255.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The map holds another value.

    Example:
        >>> colorize(np.array([[0, 1, 255]]), [(9, 9, 9)], void=(7, 0, 0)).tolist()
        [[[9, 9, 9], [255, 255, 255], [7, 0, 0]]]
    """
    label_map = np.asarray(label_map)
    size = len(palette)
    foreign = np.unique(label_map[(label_map > size) | (label_map < 0)])
    if len(foreign) and foreign.tolist() != [VOID]:
        raise ValueError(
            f'a label map of {size} classes holds 0..{size - 1}, {size} (unlabeled) '
            f'and {VOID} (void), but this one also holds {foreign.tolist()}'
        )
    table = np.zeros((256, 3), np.uint8)
    table[:size] = np.asarray(palette, np.uint8).reshape(size, 3)
    table[size] = unlabeled
    table[VOID] = void
    return table[label_map]


def overlay_weak_labels(
    image: np.ndarray,
    weak: np.ndarray,
    palette: Sequence[Color],
    *,
    fade: float = 0.6,
    grow: int = 0,
) -> np.ndarray:
    """Draw the labeled pixels in class colors on the faded image.

    Args:
        image: (H, W, 3) uint8 RGB.
        weak: (H, W) integer label map; pixels with 0..C-1 are labeled, others not.
        palette: The C RGB colors of the classes.
        fade: The share of white in the image: 0 keeps it, 1 makes it white.
        grow: The number of pixels by which shapes are widened, to show small points.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The sizes of image and label map differ.
    """
    _check_same_size(image, weak, 'weak label map')
    canvas = np.round(image * (1 - fade) + 255 * fade).astype(np.uint8)
    kernel = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
    grown = {
        label: cv2.dilate((weak == label).astype(np.uint8), kernel).astype(bool)
        for label in np.unique(weak[weak < len(palette)])
    }
    for label, shape in grown.items():
        canvas[shape] = palette[label]
    for label in grown:  # where widened shapes overlap, the labeled pixels win
        canvas[weak == label] = palette[label]
    return canvas


def draw_segment_outlines(
    image: np.ndarray, segment_map: np.ndarray, color: Color = (255, 230, 0)
) -> np.ndarray:
    """Draw a line of one pixel along the borders of segments.

    A pixel lies on a border if the pixel to its right or the one below it belongs to
    another segment.

    Args:
        image: (H, W, 3) uint8 RGB.
        segment_map: (H, W) integer ids of any value.
        color: The RGB color of the lines.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The sizes of image and segment map differ.
    """
    _check_same_size(image, segment_map, 'segment map')
    canvas = image.copy()
    canvas[boundary_pixels(segment_map)] = color
    return canvas


def _check_same_size(image: np.ndarray, other: np.ndarray, what: str) -> None:
    if image.shape[:2] != other.shape:
        raise ValueError(
            f'the image is {image.shape[:2]}, the {what} {other.shape} '
            '(height, width): they must have one size'
        )
