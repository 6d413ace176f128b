"""Region maps of large images, made at a smaller size.

Letters: H, W image size; h, w size of the smaller image; R regions.
"""

import cv2
import numpy as np

from mmseg_spml.functional.rgb_images import checked_rgb


def shrink_image(image: np.ndarray, max_side: int | None) -> np.ndarray:
    """Shrink an image so that its longer side has at most ``max_side`` pixels.

    Args:
        image: (H, W) or (H, W, 3).
        max_side: Largest side in pixels, >= 1; None: no limit.

    Returns:
        ndarray: (h, w) or (h, w, 3); the image itself if it is small enough.

    Raises:
        ValueError: If ``max_side`` is below 1.

    Example:
        >>> shrink_image(np.zeros((60, 90, 3), np.uint8), 30).shape
        (20, 30, 3)
    """
    if max_side is None:
        return image
    if max_side < 1:
        raise ValueError(f'max_side must be 1 pixel or more, got {max_side}')
    height, width = image.shape[:2]
    ratio = max_side / max(height, width)
    if ratio >= 1:
        return image
    size = max(round(width * ratio), 1), max(round(height * ratio), 1)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def shrink_contours(contours: np.ndarray, max_side: int | None) -> np.ndarray:
    """Shrink a contour map like an image, without fading thin contours.

    Args:
        contours: (H, W) contour strengths.
        max_side: Largest side in pixels, >= 1; None: no limit.

    Returns:
        ndarray: (h, w); the map itself if it is small enough.

    Example:
        >>> shrink_contours(np.eye(4, dtype=np.float32), 2).tolist()
        [[1.0, 0.25], [0.25, 1.0]]
    """
    smaller = shrink_image(contours, max_side)
    if smaller is contours:
        return contours
    width = max(contours.shape) // max(smaller.shape)
    thicker = cv2.dilate(contours, np.ones((width, width), np.uint8))
    return shrink_image(thicker, max_side)


def enlarge_regions(regions: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Enlarge a region map to the size of its image, with borders that follow it.

    Args:
        regions: (h, w) integer ids >= 0, made from the shrunken image.
        image: (H, W, 3) uint8, RGB.

    Returns:
        ndarray: (H, W) int32; ``regions`` itself if the sizes agree.

    Example:
        >>> image = np.zeros((8, 16, 3), np.uint8)
        >>> image[:, 7:] = 255
        >>> enlarge_regions(np.array([[0, 0, 1, 1]] * 2), image)[0].tolist()
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    if regions.shape == image.shape[:2]:
        return regions
    return snap_regions(regions, image)


def snap_regions(regions: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Move the borders between regions to the edges of the image beside them.

    The pixels of the map at a border are assigned anew, by a watershed of the colors
    of the (slightly blurred) image that starts from the other pixels. In a map smaller
    than its image, a pixel stands for all pixels of the image that it covers.

    Args:
        regions: (h, w) integer ids >= 0, not larger than the image.
        image: (H, W, 3) uint8, RGB.

    Returns:
        ndarray: (H, W) int32, with the same ids.

    Example:
        >>> image = np.zeros((8, 8, 3), np.uint8)
        >>> image[:, 3:] = 255
        >>> snap_regions(np.arange(8)[None].repeat(8, axis=0) // 4, image)[0].tolist()
        [0, 0, 0, 1, 1, 1, 1, 1]
    """
    image = checked_rgb(image)
    size = image.shape[1::-1]
    labels: np.ndarray = np.asarray(regions, np.int32)
    seeds = np.where(_at_border(labels), 0, labels + 1)
    labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
    seeds = cv2.resize(seeds, size, interpolation=cv2.INTER_NEAREST_EXACT)
    blurred = cv2.GaussianBlur(image, (0, 0), 1)
    # OpenCV's watershed assigns nothing at the frame, nor where two floods meet.
    framed = cv2.copyMakeBorder(seeds, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    colors = cv2.copyMakeBorder(blurred, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    flooded = cv2.watershed(colors, framed)
    return _without_dams(flooded, colors, labels) - 1


def _at_border(labels: np.ndarray) -> np.ndarray:
    """Pixels beside another region that are also beside an inner pixel of their own.

    Parts that are too thin to have inner pixels keep all of their pixels.
    """
    height, width = labels.shape
    padded = np.pad(labels, 1, mode='edge')
    border = np.zeros(labels.shape, bool)
    windows = [
        np.s_[row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    for window in windows:
        border |= padded[window] != labels
    inner = np.pad(np.where(border, -1, labels), 1, constant_values=-1)
    beside = np.zeros(labels.shape, bool)
    for window in windows:
        beside |= inner[window] == labels
    return border & beside


def _without_dams(
    flooded: np.ndarray, colors: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Give each pixel of a dam the region of the neighbor of the nearest color.

    Args:
        flooded: (H + 2, W + 2) int32, 1..R, and others on dams.
        colors: (H + 2, W + 2, 3) uint8.
        labels: (H, W) int32, 0..R-1, for pixels without a neighbor that is no dam.

    Returns:
        ndarray: (H, W) int32, 1..R.
    """
    rows, columns = np.nonzero(flooded[1:-1, 1:-1] < 1)
    own = colors[rows + 1, columns + 1].astype(np.int32)
    found = labels[rows, columns] + 1
    nearest = np.full(len(rows), np.iinfo(np.int32).max)
    for down, right in ((0, 1), (1, 0), (1, 2), (2, 1)):
        neighbor = flooded[rows + down, columns + right]
        other = colors[rows + down, columns + right].astype(np.int32)
        distance = ((other - own) ** 2).sum(axis=1)
        better = (neighbor > 0) & (distance < nearest)
        found[better], nearest[better] = neighbor[better], distance[better]
    result = flooded[1:-1, 1:-1].copy()
    result[rows, columns] = found
    return result
