"""Regions from contours: the basins of a watershed, merged.

Letters: H, W image size; R regions.
"""

from typing import Any

import cv2
import numpy as np

from mmseg_spml.functional.regions.merging import merge_regions
from mmseg_spml.functional.regions.oversegmentation import renumber_regions
from mmseg_spml.functional.regions.resizing import snap_regions
from mmseg_spml.functional.rgb_images import checked_rgb

# The faintest gradient that counts as a contour.
_VISIBLE = 0.02


def lab_colors(image: np.ndarray) -> np.ndarray:
    """Convert an image to CIE Lab.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        ndarray: (H, W, 3) float32: lightness in [0, 100], and two color axes.
    """
    scaled = checked_rgb(image).astype(np.float32) / 255
    return cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)


def gradient_contours(image: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    """Contour strength from color gradients, without a network.

    The strength is the largest norm of the Gaussian gradient over the CIE Lab channels,
    relative to that of an edge between black and white.

    Args:
        image: (H, W, 3) uint8, RGB.
        sigma: Standard deviation of the Gaussian derivatives, in pixels.

    Returns:
        ndarray: (H, W) float32 in [0, 1].

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8, or ``sigma`` is not positive.

    Example:
        >>> image = np.zeros((20, 20, 3), np.uint8)
        >>> image[:, 10:] = 255
        >>> int(gradient_contours(image)[10].argmax())
        9
    """
    lab = lab_colors(image)
    if sigma <= 0:
        raise ValueError(f'sigma must be above 0 pixels, got {sigma}')
    smooth, slope = _gaussian_kernels(sigma)
    along_rows, along_columns = (
        cv2.sepFilter2D(lab, -1, *kernels, borderType=cv2.BORDER_REPLICATE)
        for kernels in ((slope, smooth), (smooth, slope))
    )
    strength = np.sqrt(along_rows**2 + along_columns**2).max(axis=2)
    # A step of height 1 has the slope 1 / (sqrt(2 pi) sigma).
    full = 100 / (np.sqrt(2 * np.pi) * sigma)
    return np.clip(strength / full, 0, 1).astype(np.float32)


def localized_contours(contours: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Contours of a network, with the color gradients of the image at half weight.

    A network knows which contours matter, but blurs them and leaves out faint ones;
    gradients show where they are. There is no contour where the image is smooth.

    Args:
        contours: (H, W) contour strengths in [0, 1].
        image: (H, W, 3) uint8, RGB.

    Returns:
        ndarray: (H, W) float32 in [0, 1].

    Example:
        >>> image = np.zeros((20, 20, 3), np.uint8)
        >>> image[:, 10:] = 255
        >>> found = localized_contours(np.full((20, 20), 0.5, np.float32), image)
        >>> int(found[10].argmax()), float(found[10, 0])
        (9, 0.0)
    """
    gradients = gradient_contours(image, sigma=1.0)
    return without_smooth_parts((contours + 0.5 * gradients) / 1.5, gradients)


def visible_gradients(image: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    """:func:`gradient_contours` without those of smooth parts of the image."""
    gradients = gradient_contours(image, sigma)
    return without_smooth_parts(gradients, gradients)


def without_smooth_parts(contours: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Contours that are 0 where no gradient within 4 pixels is above 0.02.

    Such gradients are those of two units of lightness out of 100: of shades, of the
    steps of eight bits, and less than the noise of photographs. Without this, the
    watershed would divide a smooth sky along lines that nobody sees.

    Args:
        contours: (H, W) contour strengths in [0, 1].
        gradients: (H, W) strengths of :func:`gradient_contours`.
    """
    nearby = cv2.dilate(gradients, np.ones((9, 9), np.uint8))
    return np.where(nearby > _VISIBLE, contours, 0).astype(np.float32)


def ucm_regions(
    contours: np.ndarray,
    threshold: float = 0.0,
    most_regions: int | None = 256,
    min_size: int | None = None,
    image: np.ndarray | None = None,
) -> np.ndarray:
    """Regions between contours, at most a given number.

    The basins of a watershed of the contours are merged in two steps, see
    :func:`~mmseg_spml.functional.regions.merging.merge_regions`:

    1. In the order of the mean strength of their common boundary, until all boundaries
       are stronger than ``threshold`` (OWT-UCM, Arbelaez et al., TPAMI 2011, without
       the final sigmoid; boundaries of small regions count less).
    2. In the order of what is lost, which depends on areas and colors, too, until
       ``most_regions`` are left and none is smaller than ``min_size``.

    Args:
        contours: (H, W) contour strengths in [0, 1].
        threshold: Boundaries of at most this mean strength are removed.
        most_regions: Largest number of regions, >= 1; None: no limit.
        min_size: Smallest area in pixels. None: 1/4000 of the image.
        image: (H, W, 3) uint8, RGB, whose colors guide the second step, and to which
            the borders are snapped (:func:`snap_regions`). None: contours alone.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Raises:
        ValueError: If ``contours`` is not a finite (H, W) map in [0, 1], ``image`` has
            another size, or ``most_regions`` or ``min_size`` is out of range.
        ImportError: If higra is not installed.

    Example:
        >>> contours = np.zeros((8, 12), np.float32)
        >>> contours[:, 4], contours[:, 8] = 0.9, 0.3
        >>> [len(np.unique(ucm_regions(contours, t))) for t in (0, 0.4, 1)]
        [3, 2, 1]
    """
    contours = _checked_contours(contours)
    if most_regions is not None and most_regions < 1:
        raise ValueError(f'most_regions must be 1 or more, got {most_regions}')
    if min_size is not None and min_size < 0:
        raise ValueError(f'min_size must be 0 pixels or more, got {min_size}')
    if image is not None and checked_rgb(image).shape[:2] != contours.shape:
        raise ValueError(
            f'the contours are {contours.shape}, their image {image.shape[:2]} '
            '(height, width)'
        )
    colors = None if image is None else lab_colors(image)
    area = contours.size // 4000 if min_size is None else min_size
    basins = _basins(contours)
    regions = merge_regions(basins, contours, colors, threshold, most_regions, area)
    return regions if image is None else snap_regions(regions, image)


def gradient_ucm_regions(
    image: np.ndarray,
    sigma: float = 1.5,
    threshold: float = 0.0,
    most_regions: int | None = 256,
    min_size: int | None = None,
) -> np.ndarray:
    """Regions from color gradients: :func:`ucm_regions` of :func:`visible_gradients`.

    Args:
        image: (H, W, 3) uint8, RGB.
        sigma: Standard deviation of the Gaussian derivatives, in pixels.
        threshold: Boundaries of at most this strength are removed.
        most_regions: Largest number of regions, >= 1; None: no limit.
        min_size: Smallest area in pixels. None: 1/4000 of the image.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Example:
        >>> image = np.zeros((24, 24, 3), np.uint8)
        >>> image[:, 12:] = 200
        >>> len(np.unique(gradient_ucm_regions(image)))
        2
    """
    contours = visible_gradients(image, sigma)
    return ucm_regions(contours, threshold, most_regions, min_size, image)


def _gaussian_kernels(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Sampled Gaussian and its derivative, as correlation kernels up to 4 sigma."""
    at = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    bell = np.exp(-0.5 * (at / sigma) ** 2)
    bell /= bell.sum()
    return bell, bell * at / sigma**2


def _basins(contours: np.ndarray) -> np.ndarray:
    """(H, W) int32 basins of the watershed."""
    if contours.size == 1:
        return np.zeros(contours.shape, np.int32)
    hg = _higra()
    graph = hg.get_4_adjacency_graph(contours.shape)
    first, second = (contours.ravel()[pixels] for pixels in graph.edge_list())
    # The strength of an edge is mostly that of its stronger pixel: the mean would halve
    # contours that are one pixel wide. The maximum alone would turn such a contour into
    # a plateau, whose pixels the watershed assigns arbitrarily; the small weighted mean
    # assigns them to the basin on the left or above.
    strengths = 0.99 * np.maximum(first, second) + 0.01 * (0.7 * first + 0.3 * second)
    return renumber_regions(hg.labelisation_watershed(graph, strengths))


def _checked_contours(contours: np.ndarray) -> np.ndarray:
    contours = np.asarray(contours, np.float64)
    if contours.ndim != 2 or not contours.size:
        raise ValueError(f'expected contours of shape (H, W), got {contours.shape}')
    if not (contours.min() >= 0 and contours.max() <= 1):
        raise ValueError(
            'contours must be finite and in [0, 1], got '
            f'{contours.min():g} to {contours.max():g}'
        )
    return contours


def _higra() -> Any:
    try:
        import higra
    except ImportError as error:
        raise ImportError(
            'regions from contours need higra: `pip install higra`, or choose the '
            "method 'felzenszwalb' or 'slic'"
        ) from error
    return higra
