"""Class activation maps, and seed label maps from them for image tags and boxes.

Letters: N images; H, W image size; h, w feature map; D feature channels; C classes,
including the background (0).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.functional.labels.rasterize import box_mask

ClassBox = Sequence[Any]
"""Class id and either (x0, y0, x1, y1), or the vertices of a turned box."""
_TINY = 1e-7
# Quantiles of maps are kept away from 0 and 1 by this, for their logarithms.
_MARGIN = 1e-3


def class_activations(features: Tensor, weight: Tensor) -> Tensor:
    """Apply the weights of a linear classifier at each location of a feature map.

    Equation 2 of Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016: M_c(x, y) = sum_d w_cd f_d(x, y).

    Args:
        features: (N, D, h, w).
        weight: (C-1, D) weights of the linear classifier on the mean feature.

    Returns:
        Tensor: (N, C-1, h, w).

    Example:
        >>> features = torch.tensor([[[[1.0, -1.0]], [[0.0, 2.0]]]])
        >>> class_activations(features, torch.tensor([[1.0, 0.25]])).tolist()
        [[[[1.0, -0.5]]]]
    """
    return torch.einsum('ndhw,cd->nchw', features, weight)


def top_mean(maps: Tensor, share: float) -> Tensor:
    """Mean of the largest values of each map.

    Section 3.3 of Durand et al., "WILDCAT", CVPR 2017, without their term of the
    smallest values, because a class may cover a small part of the image. ``share=1`` is
    global average pooling.

    Args:
        maps: (N, C-1, h, w).
        share: Fraction of the values that is averaged, in (0, 1]; at least one value.

    Returns:
        Tensor: (N, C-1).

    Raises:
        ValueError: If ``share`` is out of range.

    Example:
        >>> top_mean(torch.tensor([[[[1.0, 5.0], [3.0, 0.0]]]]), share=0.5)
        tensor([[4.]])
    """
    if not 0 < share <= 1:
        raise ValueError(f'expected a share in (0, 1], got {share}')
    places = maps.flatten(2)
    number = max(round(share * places.shape[-1]), 1)
    return places.topk(number).values.mean(dim=-1)


def normalized_maps(maps: Tensor) -> Tensor:
    """Rescale each map to [0, 1]; a constant map becomes 0.

    Args:
        maps: (..., H, W), finite.

    Example:
        >>> normalized_maps(torch.tensor([[[1.0, 2.0, 5.0]], [[3.0, 3.0, 3.0]]]))
        tensor([[[0.0000, 0.2500, 1.0000]],
        <BLANKLINE>
                [[0.0000, 0.0000, 0.0000]]])
    """
    least, most = maps.amin((-2, -1), True), maps.amax((-2, -1), True)
    # The maximum becomes exactly 1: the seed functions reject values outside [0, 1].
    return (maps - least) / (most - least).clamp(min=_TINY)


def scores_of_cams(
    cams: Mapping[int, np.ndarray],
    num_classes: int,
    size: tuple[int, int],
    *,
    alpha: float = 6,
    stride: int = 8,
) -> Tensor:
    """Class scores on a coarse grid, as the start of a random walk.

    The score of the background is (1 - max_c m_c)^alpha and that of class c its map
    m_c, or 0 without a map. Scores are resized bilinearly by a factor of exactly
    1 / ``stride``, as far as whole cells fit.

    Args:
        cams: Mapping of class id (1..C-1) to (H, W) map in [0, 1].
        num_classes: C.
        size: (H, W).
        alpha: Exponent of the background score; larger values give less background.
        stride: Size of a grid cell in pixels.

    Returns:
        Tensor: (C, H // stride, W // stride) float32, with at least one row and column.

    Raises:
        ValueError: If a class id is out of range, or a map has another size or values
            outside [0, 1].

    Example:
        >>> scores_of_cams({2: np.full((8, 16), 0.5)}, 3, (8, 16), alpha=1).tolist()
        [[[0.5, 0.5]], [[0.0, 0.0]], [[0.5, 0.5]]]
    """
    if any(not 0 < label < num_classes for label in cams):
        raise ValueError(
            f'expected maps of the classes 1..{num_classes - 1}, got {sorted(cams)}'
        )
    scores = torch.zeros(num_classes, *size)
    for label, cam in _checked(cams, size).items():
        scores[label] = torch.from_numpy(cam)
    scores[0] = (1 - scores[1:].amax(dim=0)) ** alpha
    grid = tuple(max(length // stride, 1) for length in size)
    if min(size) < stride or tuple(int(n * (1 / stride)) for n in size) != grid:
        return F.interpolate(scores[None], size=grid, mode='bilinear')[0]
    return F.interpolate(scores[None], scale_factor=1 / stride, mode='bilinear')[0]


def region_mean_map(cam: np.ndarray, region_map: np.ndarray) -> np.ndarray:
    """Mean of a map over each region, so that seeds end at region boundaries.

    Args:
        cam: (H, W).
        region_map: (H, W) integers >= 0.

    Returns:
        ndarray: (H, W) float64.

    Raises:
        ValueError: If the sizes differ.

    Example:
        >>> region_mean_map(np.array([[0.0, 1.0, 0.5]]), np.array([[7, 7, 2]])).tolist()
        [[0.5, 0.5, 0.5]]
    """
    if cam.shape != region_map.shape:
        raise ValueError(
            f'the activation map is {cam.shape}, the region map {region_map.shape} '
            '(height, width)'
        )
    _, region = np.unique(region_map.ravel(), return_inverse=True)
    means = np.bincount(region, cam.ravel()) / np.bincount(region)
    # Rounding errors must not leave the range of the map.
    return means.clip(cam.min(), cam.max())[region].reshape(cam.shape)


def seeds_of_tags(
    cams: Mapping[int, np.ndarray],
    size: tuple[int, int],
    *,
    alpha: float = 6,
    threshold: float = 0.2,
    unlabeled: int,
) -> np.ndarray:
    """Seed label map of an image with tags.

    The background score is b = (1 - max_c m_c)^alpha. A pixel takes the class of the
    largest of b and m_c, and is unlabeled if that score is below the threshold. With
    the defaults, which are the values of the method, no pixel is unlabeled: the larger
    of b and m is at least 0.222.

    Args:
        cams: Mapping of class id to (H, W) map in [0, 1], for the classes in the image.
        size: (H, W); without any map, all pixels are background.
        alpha: Exponent of the background score; larger values give less background.
        threshold: Smallest score of a labeled pixel, in [0, 1].
        unlabeled: Value of unlabeled pixels, C..254.

    Returns:
        ndarray: (H, W) uint8. Ties go to the background, then to the lowest class.

    Raises:
        ValueError: If a map has another size or values outside [0, 1], or an option is
            out of range.

    Example:
        >>> seeds_of_tags({15: np.array([[0.0, 0.15, 0.25, 0.9]])}, (1, 4),
        ...               threshold=0.3, unlabeled=21).tolist()
        [[0, 0, 21, 15]]
    """
    _check_threshold(threshold)
    labels, scores = _winners(_checked(cams, size), size, alpha)
    return np.where(scores < threshold, unlabeled, labels).astype(np.uint8)


def options_of_shares(
    strongest: np.ndarray, foreground: float = 0.2, background: float = 0.6
) -> tuple[float, float]:
    """Options of :func:`seeds_of_tags` by which given shares of pixels are labeled.

    Maps of one network have high peaks and are 0 elsewhere, those of another one are
    spread over the image, so that no ``alpha`` and ``threshold`` serve both. Of the
    largest map m at each pixel, let f be the quantile of 1 - ``foreground`` and b that
    of ``background``. With the threshold f and alpha = log f / log (1 - b), a pixel
    takes a class if m >= f, is background if m <= b, and unlabeled in between.

    Args:
        strongest: (P,) values of the largest map at pixels of many images, in [0, 1].
        foreground: Share of pixels to be labeled with a class, above 0.
        background: Share of pixels to be background, above 0; both make at most 1.

    Returns:
        ``alpha`` and ``threshold``.

    Raises:
        ValueError: A share is out of range, or there is no value.

    Example:
        >>> options_of_shares(np.linspace(0, 1, 101), foreground=0.5, background=0.25)
        (2.409420839653209, 0.5)
    """
    if not (foreground > 0 and background > 0 and foreground + background <= 1):
        raise ValueError(
            'the shares of foreground and background must be above 0 and make at most '
            f'1, got {foreground} and {background}'
        )
    if not strongest.size:
        raise ValueError('expected values of activation maps, got none')
    low, high = np.quantile(strongest, [background, 1 - foreground])
    low, high = (float(np.clip(v, _MARGIN, 1 - _MARGIN)) for v in (low, high))
    return math.log(high) / math.log1p(-low), high


def seeds_of_boxes(
    cams: Mapping[int, np.ndarray],
    boxes: Sequence[ClassBox],
    size: tuple[int, int],
    *,
    alpha: float = 6,
    threshold: float = 0.5,
    unlabeled: int,
) -> np.ndarray:
    """Seed label map of an image in which every object has a box.

    Pixels outside all boxes are background. The map of each class is rescaled to [0, 1]
    within each of its boxes (where boxes of a class overlap, the larger value counts).
    Then pixels are labeled as in :func:`seeds_of_tags`, but only with the classes of
    the boxes that contain them.

    Args:
        cams: Mapping of class id to (H, W) map, >= 0. A box whose class has no map, or
            whose map is constant inside the box, is unlabeled.
        boxes: Tuples (class id, x0, y0, x1, y1) in pixels, or (class id, vertices) of
            turned boxes.
        size: (H, W).
        alpha: Exponent of the background score; larger values give less background.
        threshold: Smallest score of a labeled pixel, in [0, 1].
        unlabeled: Value of unlabeled pixels, C..254.

    Returns:
        ndarray: (H, W) uint8.

    Raises:
        ValueError: If a map has another size or is negative, or an option is out of
            range.

    Example:
        >>> cam = np.array([[0.9, 0.0, 0.1, 0.3, 0.1]])
        >>> seeds_of_boxes({8: cam}, [(8, 1, 0, 4, 1)], (1, 5), unlabeled=21).tolist()
        [[0, 0, 21, 8, 0]]
    """
    _check_threshold(threshold)
    cams = _checked(cams, size, largest=np.inf)
    inside, flat = np.zeros(size, bool), np.zeros(size, bool)
    stretched: dict[int, np.ndarray] = {}
    for class_box in boxes:
        label, box = class_box[0], class_box_mask(size, class_box)
        inside |= box
        values = cams.get(label, np.zeros(size))[box]
        span = np.ptp(values) if values.size else 0.0
        if span < _TINY:
            flat |= box
            continue
        target = stretched.setdefault(label, np.zeros(size))
        target[box] = np.maximum(target[box], (values - values.min()) / span)
    labels, scores = _winners(stretched, size, alpha)
    seeds = np.where(scores < threshold, unlabeled, labels)
    seeds[flat & (labels == 0)] = unlabeled
    return np.where(inside, seeds, 0).astype(np.uint8)


def class_box_mask(size: tuple[int, int], box: ClassBox) -> np.ndarray:
    """Pixels (H, W) bool of the box of a class; see :data:`ClassBox`.

    Example:
        >>> class_box_mask((1, 3), (7, 0, 0, 2, 1)).tolist()
        [[True, True, False]]
    """
    return box_mask(size, box[1] if len(box) == 2 else tuple(box[1:5]))


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f'threshold must be in [0, 1], got {threshold}')


def _winners(
    cams: Mapping[int, np.ndarray], size: tuple[int, int], alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Class with the largest score at each pixel, and the score."""
    if not alpha > 0:
        raise ValueError(f'alpha must be above 0, got {alpha}')
    ids = np.array([0, *sorted(cams)])
    planes = [cams[label] for label in ids[1:]]
    strongest = np.max(planes, axis=0) if planes else np.zeros(size)
    scores = np.stack([(1 - strongest) ** alpha, *planes])
    return ids[scores.argmax(axis=0)], scores.max(axis=0)


def _checked(
    cams: Mapping[int, np.ndarray], size: tuple[int, int], largest: float = 1
) -> dict[int, np.ndarray]:
    checked = {}
    for label, cam in cams.items():
        cam = np.asarray(cam, np.float64)
        if cam.shape != tuple(size):
            raise ValueError(
                f'expected maps of the size {tuple(size)}, got {cam.shape} for class '
                f'{label}'
            )
        if cam.size and not (cam.min() >= 0 and cam.max() <= largest):
            raise ValueError(
                f'expected values in [0, {largest:g}] for class {label}, got '
                f'{cam.min():g} to {cam.max():g}: normalize the map'
            )
        checked[int(label)] = cam
    return checked
