"""Over-segmentation of images, and expansion of labels to regions."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from mmseg_spml.functional.rgb_images import checked_rgb


def _skimage_segmentation(name: str) -> Callable:
    try:
        from skimage import segmentation
    except ImportError as error:
        raise ImportError(
            f'{name} regions need scikit-image: `pip install scikit-image`, or give '
            'precomputed region maps instead'
        ) from error
    return getattr(segmentation, name)


def renumber_regions(regions: np.ndarray) -> np.ndarray:
    """Renumber region ids to 0..R-1, in the order of the old ids.

    Args:
        regions: (H, W) integer ids.

    Returns:
        ndarray: (H, W) int32.

    Example:
        >>> renumber_regions(np.array([[7, 7, 900]]))
        array([[0, 0, 1]], dtype=int32)
    """
    _, inverse = np.unique(regions, return_inverse=True)
    return inverse.reshape(regions.shape).astype(np.int32)


def felzenszwalb_regions(
    image: np.ndarray, scale: float = 100.0, sigma: float = 0.8, min_size: int = 60
) -> np.ndarray:
    """Graph-based regions (Felzenszwalb and Huttenlocher, IJCV 2004).

    The defaults give about 110 regions on a photograph of 256x192 pixels. Scale
    ``min_size`` with the number of pixels to keep that count on larger images.

    Args:
        image: (H, W, 3) uint8, RGB.
        scale: Larger values give larger regions.
        sigma: Standard deviation of the Gaussian smoothing beforehand, in pixels.
        min_size: Smallest region size, in pixels.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8.
        ImportError: If scikit-image is missing.

    Example:
        >>> image = np.zeros((20, 20, 3), np.uint8)
        >>> image[:, 10:] = 255
        >>> len(np.unique(felzenszwalb_regions(image, min_size=5, sigma=0)))
        2
    """
    image = checked_rgb(image)
    segment = _skimage_segmentation('felzenszwalb')
    return renumber_regions(segment(image, scale=scale, sigma=sigma, min_size=min_size))


def slic_regions(
    image: np.ndarray, num_regions: int = 140, compactness: float = 10.0
) -> np.ndarray:
    """SLIC superpixels (Achanta et al., TPAMI 2012).

    SLIC returns fewer regions than requested; the default gives about 110 on a
    photograph of 256x192 pixels.

    Args:
        image: (H, W, 3) uint8, RGB.
        num_regions: Requested number of regions.
        compactness: Larger values give squarer regions.

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8.
        ImportError: If scikit-image is missing.

    Example:
        >>> regions = slic_regions(np.zeros((20, 20, 3), np.uint8), num_regions=4)
        >>> regions.shape, regions.dtype
        ((20, 20), dtype('int32'))
    """
    image = checked_rgb(image)
    segment = _skimage_segmentation('slic')
    return renumber_regions(
        segment(image, n_segments=num_regions, compactness=compactness, start_label=0)
    )


def regions_of_masks(masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Regions from overlapping masks, such as those of Segment Anything.

    Smaller masks overwrite larger ones. The remaining pixels of a mask form one region,
    even if they are not connected. Each connected component of the pixels without a
    mask forms a region.

    Args:
        masks: (H, W) bool masks.
        size: (H, W).

    Returns:
        ndarray: (H, W) int32, ids 0..R-1.

    Raises:
        ValueError: If a mask has another size.

    Example:
        >>> masks = np.array([[[1, 1, 1, 0]], [[0, 1, 0, 0]]], bool)
        >>> regions_of_masks(masks, (1, 4))
        array([[0, 1, 0, 2]], dtype=int32)
    """
    # One mask at a time: hundreds of a large photograph do not fit into memory.
    areas = []
    for mask in masks:
        if np.shape(mask) != tuple(size):
            raise ValueError(f'expected masks of the size {size}, got {np.shape(mask)}')
        areas.append(np.count_nonzero(mask))
    order = sorted(range(len(masks)), key=areas.__getitem__, reverse=True)
    regions = np.zeros(size, np.int64)
    for number, index in enumerate(order, start=1):
        regions[np.asarray(masks[index], bool)] = number
    pieces, _ = ndimage.label(regions == 0)
    return renumber_regions(np.where(regions, regions, pieces + len(masks)))


def expand_labels_to_regions(
    labels: np.ndarray, regions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Expand the labels of each region to its unlabeled pixels.

    An unlabeled pixel takes the most frequent label among the labeled pixels of its
    region (ties: the lowest class id). Labeled and void pixels do not change, and
    regions without a labeled pixel stay unlabeled.

    Args:
        labels: (H, W) canonical labels: 0..C-1, C unlabeled, 255 void.
        regions: (H, W) integer region ids >= 0.
        num_classes: C.

    Returns:
        ndarray: (H, W), dtype of ``labels``; a new array.

    Raises:
        ValueError: If the two maps differ in shape.

    Example:
        >>> labels = np.array([[0, 2, 2, 1]], np.uint8)
        >>> regions = np.array([[0, 0, 1, 1]])
        >>> expand_labels_to_regions(labels, regions, num_classes=2)
        array([[0, 0, 1, 1]], dtype=uint8)
    """
    labels = np.asarray(labels)
    regions = np.asarray(regions)
    if labels.shape != regions.shape:
        raise ValueError(
            f'the label map has shape {labels.shape} but the region map has shape '
            f'{regions.shape}; both must belong to the same image'
        )
    ids, region = np.unique(regions, return_inverse=True)
    region = region.reshape(labels.shape)
    labeled = labels < num_classes
    cell = region[labeled] * num_classes + labels[labeled].astype(np.int64)
    votes = np.bincount(cell, minlength=ids.size * num_classes)
    votes = votes.reshape(ids.size, num_classes)
    winner = votes.argmax(1).astype(labels.dtype)  # argmax takes the first: lowest id
    fill = (labels == num_classes) & (votes.max(1) > 0)[region]
    return np.where(fill, winner[region], labels)
