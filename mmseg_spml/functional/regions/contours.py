"""Regions from contours by oriented watershed and ultrametric contour map.

Letters: H, W image size; R regions.
"""

from typing import Any

import numpy as np
from scipy import ndimage

from mmseg_spml.functional.regions.oversegmentation import checked_rgb, renumber_regions


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
    image = checked_rgb(image)
    if sigma <= 0:
        raise ValueError(f'sigma must be above 0 pixels, got {sigma}')
    from skimage.color import rgb2lab

    lab = rgb2lab(image)
    strength = np.zeros(image.shape[:2])
    for channel in np.moveaxis(lab, 2, 0):
        along = [
            ndimage.gaussian_filter(channel, sigma, order=order, mode='nearest')
            for order in ((0, 1), (1, 0))
        ]
        strength = np.maximum(strength, np.hypot(*along))
    # A step of height 1 has the slope 1 / (sqrt(2 pi) sigma).
    full = 100 / (np.sqrt(2 * np.pi) * sigma)
    return np.clip(strength / full, 0, 1).astype(np.float32)


def contour_normals(contours: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    """Angle of the contour normal at each pixel, from the curvature of the strength.

    The second derivative is lowest across a ridge, so the normal is the eigenvector of
    the smallest eigenvalue of the Hessian of the smoothed map.

    Args:
        contours: (H, W) contour strengths.
        sigma: Standard deviation of the Gaussian derivatives, in pixels.

    Returns:
        ndarray: (H, W) float64 in [0, pi): 0 is along a row, pi / 2 along a column.

    Example:
        >>> line = np.zeros((9, 9))
        >>> line[:, 4] = 1
        >>> float(contour_normals(line)[4, 4])
        0.0
    """
    rows, columns, mixed = (
        ndimage.gaussian_filter(
            contours.astype(np.float64), sigma, order=order, mode='nearest'
        )
        for order in ((2, 0), (0, 2), (1, 1))
    )
    # Half the angle of (xx - yy, 2 xy) is the direction of the larger eigenvalue; that
    # of the smaller one, across the ridge, is perpendicular to it.
    return (np.arctan2(2 * mixed, columns - rows) / 2 + np.pi / 2) % np.pi


def ucm_regions(
    contours: np.ndarray,
    threshold: float = 0.1,
    most_regions: int | None = 256,
) -> np.ndarray:
    """Regions whose common boundaries are all stronger than a threshold.

    The regions of an oriented watershed of the contours are merged in the order of the
    mean strength of their common boundary, weakest first (OWT-UCM, Arbelaez et al.,
    TPAMI 2011, without the final sigmoid), until all boundaries are stronger than
    ``threshold`` and at most ``most_regions`` are left.

    Args:
        contours: (H, W) contour strengths in [0, 1].
        threshold: Boundaries of at most this strength are removed.
        most_regions: Largest number of regions, >= 1; None: no limit.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Raises:
        ValueError: If ``contours`` is not a finite (H, W) map in [0, 1], or
            ``most_regions`` is below 1.
        ImportError: If higra is not installed.

    Example:
        >>> contours = np.zeros((8, 12), np.float32)
        >>> contours[:, 4], contours[:, 8] = 0.9, 0.3
        >>> [len(np.unique(ucm_regions(contours, t))) for t in (0, 0.3, 0.9)]
        [3, 2, 1]
    """
    contours = _checked_contours(contours)
    if most_regions is not None and most_regions < 1:
        raise ValueError(f'most_regions must be 1 or more, got {most_regions}')
    if contours.size == 1:
        return np.zeros(contours.shape, np.int32)
    hg = _higra()
    graph = hg.get_4_adjacency_graph(contours.shape)
    tree, altitudes = hg.mean_pb_hierarchy(
        graph,
        _edge_strengths(hg, graph, contours),
        contours.shape,
        _edge_normals(hg, graph, contours),
    )
    explorer = hg.HorizontalCutExplorer(tree, altitudes)
    cut = explorer.horizontal_cut_from_altitude(threshold)
    if most_regions is not None and len(cut.nodes()) > most_regions:
        cut = explorer.horizontal_cut_from_num_regions(most_regions, False)
    return renumber_regions(cut.labelisation_leaves(tree))


def gradient_ucm_regions(
    image: np.ndarray,
    sigma: float = 1.5,
    threshold: float = 0.1,
    most_regions: int | None = 256,
) -> np.ndarray:
    """Regions from color gradients: :func:`ucm_regions` of :func:`gradient_contours`.

    Args:
        image: (H, W, 3) uint8, RGB.
        sigma: Standard deviation of the Gaussian derivatives, in pixels.
        threshold: Boundaries of at most this strength are removed.
        most_regions: Largest number of regions, >= 1; None: no limit.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Example:
        >>> image = np.zeros((24, 24, 3), np.uint8)
        >>> image[:, 12:] = 200
        >>> len(np.unique(gradient_ucm_regions(image)))
        2
    """
    return ucm_regions(gradient_contours(image, sigma), threshold, most_regions)


def _edge_strengths(hg: Any, graph: Any, contours: np.ndarray) -> np.ndarray:
    """Strength of the edge between two pixels: mostly that of the stronger pixel.

    The mean would halve the strength of contours that are one pixel wide. The maximum
    alone would turn such a contour into a plateau, whose pixels the watershed assigns
    arbitrarily; the small weighted mean assigns them to the region on the left or
    above.
    """
    first, second = (contours.ravel()[pixels] for pixels in graph.edge_list())
    return 0.99 * np.maximum(first, second) + 0.01 * (0.7 * first + 0.3 * second)


def _edge_normals(hg: Any, graph: Any, contours: np.ndarray) -> np.ndarray:
    """Contour normal at each edge: the mean direction of its two pixels."""
    double = 2 * contour_normals(contours)
    cosine, sine = (
        hg.weight_graph(graph, part, hg.WeightFunction.mean)
        for part in (np.cos(double), np.sin(double))
    )
    return np.arctan2(sine, cosine) / 2 % np.pi


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
