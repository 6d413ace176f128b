"""Class activation maps, and seed label maps from them, for image tags and for boxes.

Letters: N images; H, W image size; h, w feature map; D feature channels; C classes, the
background (0) included; K classes of an image.
"""

from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .numpy_files import load_numpy_object
from .rasterize import box_mask

ClassBox = Tuple[int, float, float, float, float]
_TINY = 1e-7


def class_activations(features: Tensor, weight: Tensor) -> Tensor:
    """A linear classifier's weights on each place of a feature map.

    Equation 2 of Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016: M_c(x, y) = sum_d w_cd f_d(x, y).

    Args:
        features: (N, D, h, w).
        weight: (C-1, D), of the classifier of their mean.

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

    Section 3.3 of Durand et al., "WILDCAT", CVPR 2017, without their term of smallest
    values: a class may be small in the image. ``share=1`` is global average pooling.

    Args:
        maps: (N, C-1, h, w).
        share: Part of the places that counts, in (0, 1]; one place at least.

    Returns:
        Tensor: (N, C-1).

    Raises:
        ValueError: ``share`` is out of range.

    Example:
        >>> top_mean(torch.tensor([[[[1.0, 5.0], [3.0, 0.0]]]]), share=0.5)
        tensor([[4.]])
    """
    if not 0 < share <= 1:
        raise ValueError(f'expected a share in (0, 1], got {share}')
    places = maps.flatten(2)
    number = max(round(share * places.shape[-1]), 1)
    return places.topk(number).values.mean(dim=-1)


def normalised_maps(maps: Tensor) -> Tensor:
    """Each map stretched to [0, 1]; a flat one is all 0.

    Args:
        maps: (..., H, W), finite.

    Example:
        >>> normalised_maps(torch.tensor([[[1.0, 2.0, 5.0]], [[3.0, 3.0, 3.0]]]))
        tensor([[[0.0000, 0.2500, 1.0000]],
        <BLANKLINE>
                [[0.0000, 0.0000, 0.0000]]])
    """
    least, most = maps.amin((-2, -1), True), maps.amax((-2, -1), True)
    # the quotient of the largest is 1 exactly, which seeds insist on
    return (maps - least) / (most - least).clamp(min=_TINY)


def load_cam(path: Union[str, Path], offset: int = 1) -> Dict[int, np.ndarray]:
    """Class activation maps of one image.

    Args:
        path: A ``.npy`` file of a pickled dict, as SEAM and its kin write it (read
            without running code), or a ``.npz`` file with an array for each key.
        offset: What to add to a key to make it a class id: 1, because those files
            count the classes without the background.

    Returns:
        dict: class id -> (H, W) float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds anything else than finite maps of one size.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'a.npz')
        >>> save_cam(path, {15: np.ones((2, 3))})
        >>> {label: cam.shape for label, cam in load_cam(path).items()}
        {15: (2, 3)}
    """
    path = Path(path)
    if path.suffix == '.npz':
        if not path.is_file():
            raise FileNotFoundError(f'file not found: {path}')
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {int(key): file[key] for key in file.files}
        except Exception as error:  # zipfile, zlib and numpy raise many kinds
            raise ValueError(f'cannot read the maps of {path}: {error}') from error
    else:
        content = load_numpy_object(str(path))
    if not isinstance(content, dict):
        raise ValueError(
            f'{path} must hold a dict of maps by class, got {type(content).__name__}'
        )
    cams = {}
    for key, cam in content.items():
        if not _is_class_number(key) or not _is_map(cam):
            raise ValueError(
                f'{path} must hold a finite (H, W) map for each class number, got '
                f'{type(cam).__name__} {getattr(cam, "shape", "")} under {key!r}'
            )
        cams[int(key) + offset] = cam.astype(np.float32)
    if len({cam.shape for cam in cams.values()}) > 1:
        raise ValueError(f'{path} has maps of several sizes')
    return cams


def save_cam(
    path: Union[str, Path], cams: Mapping[int, np.ndarray], offset: int = 1
) -> None:
    """Write maps by class id for :func:`load_cam`: ``.npz``, or ``.npy`` as SEAM does.

    Args:
        path: The file; its suffix decides.
        cams: class id -> (H, W).
        offset: As for :func:`load_cam`.

    Raises:
        ValueError: another suffix.
    """
    path = Path(path)
    content = {
        int(label) - offset: np.asarray(cam, np.float32) for label, cam in cams.items()
    }
    if path.suffix == '.npz':
        named = {str(key): cam for key, cam in content.items()}
        np.savez_compressed(path, **named)
    elif path.suffix == '.npy':
        np.save(path, content, allow_pickle=True)
    else:
        raise ValueError(f'expected a name that ends with .npz or .npy, got {path}')


def find_cam(folder: Union[str, Path], stem: str) -> Path:
    """File of an image's activation maps, ``<stem>.npz`` or ``<stem>.npy``.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: there are both.
    """
    paths = [Path(folder, f'{stem}{suffix}') for suffix in ('.npz', '.npy')]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise FileNotFoundError(f'there are no activation maps {paths[0]} (or .npy)')
    if len(found) > 1:
        raise ValueError(f'{found[0]} and {found[1]} are of one image: remove one')
    return found[0]


def scores_of_cams(
    cams: Mapping[int, np.ndarray],
    num_classes: int,
    size: Tuple[int, int],
    *,
    alpha: float = 6,
    stride: int = 8,
) -> Tensor:
    """Scores on a coarse grid, to begin a random walk with.

    Score 0 is (1 - max_c m_c)^alpha, score c is m_c, 0 where there is no map; resized
    bilinearly by a step of exactly ``stride`` pixels.

    Args:
        cams: Class id (1..C-1) -> (H, W) in [0, 1].
        num_classes: C.
        size: (H, W).
        alpha: The larger, the less background.
        stride: Pixels in a place of the grid, along each axis.

    Returns:
        Tensor: (C, H // stride, W // stride) float32, one row and column at least.

    Raises:
        ValueError: a class id is out of range, or a map unfit.

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
    if min(size) < stride:
        grid = tuple(max(length // stride, 1) for length in size)
        return F.interpolate(scores[None], size=grid, mode='bilinear')[0]
    return F.interpolate(scores[None], scale_factor=1 / stride, mode='bilinear')[0]


def region_mean_map(cam: np.ndarray, region_map: np.ndarray) -> np.ndarray:
    """Mean of a map over each region: seeds then end at the regions' outlines.

    Args:
        cam: (H, W).
        region_map: (H, W) integers >= 0.

    Returns:
        ndarray: (H, W) float64.

    Raises:
        ValueError: the sizes differ.

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
    # rounding must not leave the range of the map
    return means.clip(cam.min(), cam.max())[region].reshape(cam.shape)


def seeds_of_tags(
    cams: Mapping[int, np.ndarray],
    size: Tuple[int, int],
    *,
    alpha: float = 6,
    threshold: float = 0.2,
    unlabelled: int,
) -> np.ndarray:
    """Label map of an image whose classes are known.

    Background b = (1 - max_c m_c)^alpha; a pixel takes the class of the largest of
    b and m_c, and is unlabelled if that is below the threshold. With the method's own
    values, the defaults, that never happens: the larger of b and m is .222 at least.

    Args:
        cams: Class id -> (H, W) in [0, 1], of the classes that the image shows.
        size: (H, W); matters where there is no map: all background.
        alpha: The larger, the less background.
        threshold: In [0, 1].
        unlabelled: Value of unlabelled pixels, C..254.

    Returns:
        ndarray: (H, W) uint8. Ties go to the background, then to the lowest class.

    Raises:
        ValueError: a map has another size or leaves [0, 1], or an option is out of
            range.

    Example:
        >>> seeds_of_tags({15: np.array([[0.0, 0.15, 0.25, 0.9]])}, (1, 4),
        ...               threshold=0.3, unlabelled=21).tolist()
        [[0, 0, 21, 15]]
    """
    _check_threshold(threshold)
    labels, scores = _winners(_checked(cams, size), size, alpha)
    return np.where(scores < threshold, unlabelled, labels).astype(np.uint8)


def seeds_of_boxes(
    cams: Mapping[int, np.ndarray],
    boxes: Sequence[ClassBox],
    size: Tuple[int, int],
    *,
    alpha: float = 6,
    threshold: float = 0.5,
    unlabelled: int,
) -> np.ndarray:
    """Label map of an image of which all objects have boxes.

    Outside of all boxes is background. Inside, each class's map is stretched to [0, 1]
    box by box (where boxes of a class overlap, the larger value counts); then as in
    :func:`seeds_of_tags`, with the classes of the boxes over a pixel alone.

    Args:
        cams: Class id -> (H, W), not negative. A box of a class without a map, or
            with a flat one, is unlabelled.
        boxes: (class id, x0, y0, x1, y1) in pixels.
        size: (H, W).
        alpha: The larger, the less background.
        threshold: In [0, 1].
        unlabelled: Value of unlabelled pixels, C..254.

    Returns:
        ndarray: (H, W) uint8.

    Raises:
        ValueError: a map has another size or is negative, or an option is out of
            range.

    Example:
        >>> cam = np.array([[0.9, 0.0, 0.1, 0.3, 0.1]])
        >>> seeds_of_boxes({8: cam}, [(8, 1, 0, 4, 1)], (1, 5), unlabelled=21).tolist()
        [[0, 0, 21, 8, 0]]
    """
    _check_threshold(threshold)
    cams = _checked(cams, size, largest=np.inf)
    inside, flat = np.zeros(size, bool), np.zeros(size, bool)
    stretched: Dict[int, np.ndarray] = {}
    for label, *corners in boxes:
        box = box_mask(size, tuple(corners))
        inside |= box
        values = cams.get(label, np.zeros(size))[box]
        span = np.ptp(values) if values.size else 0.0
        if span < _TINY:
            flat |= box
            continue
        target = stretched.setdefault(label, np.zeros(size))
        target[box] = np.maximum(target[box], (values - values.min()) / span)
    labels, scores = _winners(stretched, size, alpha)
    seeds = np.where(scores < threshold, unlabelled, labels)
    seeds[flat & (labels == 0)] = unlabelled
    return np.where(inside, seeds, 0).astype(np.uint8)


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f'threshold must be in [0, 1], got {threshold}')


def _winners(
    cams: Mapping[int, np.ndarray], size: Tuple[int, int], alpha: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Class of the largest score at each pixel, and that score."""
    if not alpha > 0:
        raise ValueError(f'alpha must be above 0, got {alpha}')
    ids = np.array([0, *sorted(cams)])
    planes = [cams[label] for label in ids[1:]]
    strongest = np.max(planes, axis=0) if planes else np.zeros(size)
    scores = np.stack([(1 - strongest) ** alpha, *planes])
    return ids[scores.argmax(axis=0)], scores.max(axis=0)


def _checked(
    cams: Mapping[int, np.ndarray], size: Tuple[int, int], largest: float = 1
) -> Dict[int, np.ndarray]:
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
                f'{cam.min():g} to {cam.max():g}: normalise the map'
            )
        checked[int(label)] = cam
    return checked


def _is_class_number(key: object) -> bool:
    number = isinstance(key, (int, float, np.integer, np.floating))
    return number and not isinstance(key, bool) and float(key).is_integer()


def _is_map(cam: Optional[np.ndarray]) -> bool:
    return (
        isinstance(cam, np.ndarray)
        and cam.ndim == 2
        and cam.dtype.kind in 'fiub'
        and bool(np.isfinite(cam).all())
    )
