"""Initial grid, local features and spherical k-means over the pixels of a batch."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Number of rows whose similarities to all centers are held at a time: on a GPU, and on
# the CPU, where they fit into the cache. It bounds the memory at full image resolution,
# where P x K would take hundreds of megabytes.
_ROWS_PER_CHUNK = 16384
_ROWS_ON_CPU = 2048
# Grids of up to so many pixels are kept, 32 of them: 64 MB. Crops are smaller.
_LARGEST_KEPT_GRID = 2**18


def grid_labels(
    size: tuple[int, int],
    grid: tuple[int, int],
    device: torch.device | None = None,
) -> Tensor:
    """Initial labels of k-means: a regular grid of cells over the canvas.

    ``label = Y + ky * X`` with ``Y = round(linspace(0, ky - 1, H))`` and ``X``
    likewise, so border cells are half as wide as inner ones. If the canvas has fewer
    rows than ``ky`` or fewer columns than ``kx``, some labels do not occur.

    Args:
        size: Canvas height and width ``(H, W)`` in pixels.
        grid: Number of cells ``(ky, kx)`` along height and width.
        device: Device of the result.

    Returns:
        int64 tensor ``(H, W)`` with values in ``[0, ky * kx)``.

    Raises:
        ValueError: If a canvas side or a number of cells is below 1.

    Example:
        >>> grid_labels((2, 4), (2, 2))
        tensor([[0, 0, 2, 2],
                [1, 1, 3, 3]])
    """
    (height, width), (rows, columns) = size, grid
    if min(height, width, rows, columns) < 1:
        raise ValueError(
            f'size and grid must be at least 1 x 1, got size={tuple(size)}, '
            f'grid={tuple(grid)}'
        )
    y = _rounded_linspace(rows, height, device)
    x = _rounded_linspace(columns, width, device)
    return y[:, None] + rows * x[None, :]


def _rounded_linspace(cells: int, length: int, device: torch.device | None) -> Tensor:
    """``round(linspace(0, cells - 1, length))``, half to even, in exact integers."""
    steps = max(length - 1, 1)
    doubled = 2 * torch.arange(length, device=device) * (cells - 1)
    rounded = (doubled + steps).div(2 * steps, rounding_mode='floor')
    half = (doubled + steps) % (2 * steps) == 0
    return rounded - (half & (rounded % 2 == 1)).long()


def compact_grid_labels(
    size: tuple[int, int],
    grid: tuple[int, int],
    device: torch.device | None = None,
) -> tuple[Tensor, int]:
    """:func:`grid_labels`, renumbered to ``0..K-1``, and ``K``; small ones are kept."""
    small = size[0] * size[1] <= _LARGEST_KEPT_GRID
    return (_kept_grid_labels if small else _renumbered_grid)(size, grid, device)


def _renumbered_grid(
    size: tuple[int, int], grid: tuple[int, int], device: torch.device | None
) -> tuple[Tensor, int]:
    numbers, labels = grid_labels(size, grid).unique(return_inverse=True)
    return labels.to(device), len(numbers)


_kept_grid_labels = lru_cache(maxsize=32)(_renumbered_grid)


def location_features(
    size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Tensor:
    """Pixel positions ``(y, x)``, each running from -0.5 to 0.5 over the canvas.

    Args:
        size: Canvas height and width ``(H, W)`` in pixels.
        dtype: Floating dtype of the result.
        device: Device of the result.

    Returns:
        Tensor ``(H, W, 2)``. A side of one pixel has position -0.5.

    Example:
        >>> location_features((2, 3))[1, 2]
        tensor([0.5000, 0.5000])
    """
    axes = [torch.linspace(0, 1, n, dtype=dtype, device=device) - 0.5 for n in size]
    return torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1)


def _smoothing_kernel(smoothing: str, like: Tensor) -> Tensor:
    offset = torch.arange(-2, 3, dtype=like.dtype, device=like.device)
    squared = offset[:, None] ** 2 + offset[None, :] ** 2
    if smoothing == 'distance':
        kernel = squared.sqrt()
    elif smoothing == 'gaussian':
        kernel = torch.exp(-squared / 2)
    else:
        raise ValueError(
            f"smoothing must be 'distance', 'gaussian' or 'none', got {smoothing!r}"
        )
    return kernel / kernel.sum()


def location_color_features(
    images: Tensor, size: tuple[int, int], smoothing: str = 'distance'
) -> Tensor:
    """Positions and smoothed colors, the local features of the DensePose runs.

    The normalized image is smoothed with a 5 x 5 kernel without padding and resized
    bilinearly. Then the mean of each channel of each image is subtracted, and the
    channel is divided by its largest magnitude.

    Args:
        images: Normalized images ``(N, 3, H, W)``, floating.
        size: Height and width ``(h, w)`` of the result.
        smoothing: One of

            * ``'distance'``: the kernel of the authors' release, meant to be a
              Gaussian, whose weights grow with the *distance* from the center (0 at
              the center);
            * ``'gaussian'``: a Gaussian with a standard deviation of 1 pixel;
            * ``'none'``: no smoothing.

    Returns:
        Tensor ``(N, h, w, 5)`` in the order (y, x, colors), values in [-1, 1].

    Raises:
        ValueError: If ``smoothing`` is unknown, or the images are too small for it.

    Example:
        >>> location_color_features(torch.rand(1, 3, 32, 32), (8, 8)).shape
        torch.Size([1, 8, 8, 5])
    """
    channels = images.shape[1]
    if smoothing != 'none':
        if min(images.shape[-2:]) < 5:
            raise ValueError(
                'smoothing needs images of at least 5 x 5 pixels, got '
                f"{tuple(images.shape[-2:])}; use smoothing='none'"
            )
        kernel = _smoothing_kernel(smoothing, images).expand(channels, 1, 5, 5)
        images = F.conv2d(images, kernel, groups=channels)
    color = F.interpolate(images, size=size, mode='bilinear', align_corners=False)
    color = color - color.mean(dim=(2, 3), keepdim=True)
    largest = color.abs().amax(dim=(2, 3), keepdim=True)
    color = color / largest.clamp_min(torch.finfo(color.dtype).eps)
    location = location_features(size, color.dtype, color.device)
    location = location.expand(len(images), *location.shape)
    return torch.cat([location, color.permute(0, 2, 3, 1)], dim=-1)


def _assign(points: Tensor, centers: Tensor) -> Tensor:
    """Center with the largest dot product of each point ``(P,)``."""
    nearest = torch.empty(len(points), dtype=torch.long, device=points.device)
    # Memory that is asked for anew takes longer than the product.
    products = points.new_empty(min(len(points), _ROWS_ON_CPU), len(centers))
    for start in range(0, len(points), _ROWS_ON_CPU):
        rows = slice(start, start + _ROWS_ON_CPU)
        chunk = points[rows]
        values = torch.mm(chunk, centers.t(), out=products[: len(chunk)])
        nearest[rows] = _argmax(values)
    return nearest


def _argmax(values: Tensor) -> Tensor:
    """Index of the largest value of each row, the first one of several."""
    # NumPy's is 3 to 6 times as fast on one thread, PyTorch's uses all of them.
    known_to_numpy = values.device.type == 'cpu' and values.dtype != torch.bfloat16
    if known_to_numpy and torch.get_num_threads() <= 4:
        return torch.from_numpy(values.numpy().argmax(axis=1))
    return values.argmax(dim=1)


def _centers(points: Tensor, labels: Tensor, num_clusters: int) -> Tensor:
    sums = points.new_zeros(num_clusters, points.shape[1])
    return F.normalize(sums.index_add_(0, labels, points), dim=1, eps=1e-12)


@torch.no_grad()
def spherical_kmeans(
    points: Tensor,
    initial: Tensor,
    image: Tensor,
    iterations: int = 10,
    num_clusters: int | None = None,
    num_images: int | None = None,
) -> Tensor:
    """Spherical k-means for all images of a batch; each image has its own clusters.

    Each iteration sets every center to the normalized sum of its points and
    assigns every point to the center with the largest dot product (ties: the lowest
    index). The center of an empty cluster is the zero vector; it wins the points whose
    dot products with all other centers are negative. (Segmentation step of SPML, Ke et
    al., ICLR 2021.)

    Args:
        points: Unit vectors ``(P, D)``.
        initial: Initial clusters ``(P,)``, integers in ``[0, K)``.
        image: Image index of each point ``(P,)``, integers from 0.
        iterations: Number of iterations; 0 returns ``initial``.
        num_clusters: ``K``. Default: largest initial cluster plus 1.
        num_images: ``N``. Default: largest image index plus 1.

    Returns:
        int64 tensor ``(P,)``: the cluster of each point *within its image*.

    Raises:
        ValueError: If shapes disagree or ``iterations`` is negative.

    Example:
        >>> points = torch.tensor([[1., 0.], [0.28, 0.96], [0., 1.]])
        >>> start, image = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0])
        >>> spherical_kmeans(points, start, image, iterations=1)
        tensor([0, 1, 1])
    """
    if points.dim() != 2 or not points.shape[:1] == initial.shape == image.shape:
        raise ValueError(
            'expected points (P, D), initial (P,) and image (P,), got '
            f'{tuple(points.shape)}, {tuple(initial.shape)}, {tuple(image.shape)}'
        )
    if iterations < 0:
        raise ValueError(f'iterations must not be negative, got {iterations}')
    labels = initial.long()
    if iterations == 0 or not len(points):
        return labels.clone()
    if num_clusters is None:
        num_clusters = int(labels.max()) + 1
    if num_images is None:
        num_images = int(image.max()) + 1
    cluster = _cluster_together if points.is_cuda else _cluster_each
    # Under autocast, products would be too imprecise to distinguish clusters.
    with torch.autocast(points.device.type, enabled=False):
        return cluster(points, labels, image, iterations, num_clusters, num_images)


def _cluster_each(
    points: Tensor,
    labels: Tensor,
    image: Tensor,
    iterations: int,
    num_clusters: int,
    num_images: int,
) -> Tensor:
    """Cluster image by image, faster on the CPU than a padded batched product."""
    counts = torch.bincount(image, minlength=num_images).tolist()
    if not bool((image[1:] >= image[:-1]).all()):
        order = torch.argsort(image, stable=True)
        found = _cluster_each(
            points[order],
            labels[order],
            image[order],
            iterations,
            num_clusters,
            num_images,
        )
        result = torch.empty_like(labels)
        result[order] = found
        return result
    clusters = []
    for own_points, own_labels in zip(points.split(counts), labels.split(counts)):
        if len(own_points):
            for _ in range(iterations):
                centers = _centers(own_points, own_labels, num_clusters)
                own_labels = _assign(own_points, centers)
        clusters.append(own_labels)
    return torch.cat(clusters)


def _cluster_together(
    points: Tensor,
    labels: Tensor,
    image: Tensor,
    iterations: int,
    num_clusters: int,
    num_images: int,
) -> Tensor:
    """Cluster all images at once: some unneeded products, but no host sync."""
    height = max(1, _ROWS_PER_CHUNK // num_images)
    for _ in range(iterations):
        place = image * num_clusters + labels
        centers = _centers(points, place, num_images * num_clusters).t()
        found = []
        for chunk, own in zip(points.split(height), image.split(height)):
            values = (chunk @ centers).view(-1, num_images, num_clusters)
            index = own.view(-1, 1, 1).expand(-1, 1, num_clusters)
            found.append(values.gather(1, index).squeeze(1).argmax(dim=1))
        labels = torch.cat(found)
    return labels
