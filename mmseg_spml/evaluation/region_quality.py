"""Comparison of region methods on images with the segments of annotators."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmseg_spml.datasets.region_files import RegionMaker
from mmseg_spml.functional.regions.contours import ucm_regions
from mmseg_spml.functional.regions.metrics import (
    BoundaryCounts,
    achievable_accuracy,
    boundary_counts,
    undersegmentation_error,
)
from mmseg_spml.io.images import decode_image
from mmseg_spml.io.index_maps import read_index_map

# The option of each method, and the values tried to find the best F over a data set.
SETTINGS = {
    'hed-owt-ucm': ('threshold', (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    'owt-ucm': ('threshold', (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)),
    'slic': ('num_regions', (6, 12, 25, 50, 100, 200)),
    'felzenszwalb': ('scale', (30.0, 100.0, 300.0, 1000.0, 3000.0)),
}
Setting = tuple[str, float]


@dataclass(frozen=True)
class Quality:
    """Quality measures of the regions of one image, see ``functional.regions.metrics``.

    Attributes:
        boundaries: Counts of matched boundary pixels.
        accuracy: Achievable segmentation accuracy.
        error: Undersegmentation error.
        regions: Number of regions.
        seconds: Time in seconds that making the regions took.
    """

    boundaries: BoundaryCounts
    accuracy: float
    error: float
    regions: int
    seconds: float


def read_segments(path: Path) -> list[np.ndarray]:
    """Read the segments of one image, a map for each annotator.

    Args:
        path: A ``.mat`` file of BSDS500, whose ``groundTruth`` has a ``Segmentation``
            for each annotator, or a PNG of ids, which counts as one annotator.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'segments not found: {path}')
    if path.suffix != '.mat':
        return [read_index_map(str(path), 'map of segments').astype(np.int64)]
    from scipy.io import loadmat

    try:
        annotators = loadmat(path)['groundTruth'].ravel()
        return [one['Segmentation'][0, 0].astype(np.int64) for one in annotators]
    except (KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise ValueError(
            f'{path} is no file of BSDS500: expected groundTruth with Segmentation '
            f'({type(error).__name__}: {error})'
        ) from error


def measure_image(
    name: str, images: str, truth: str, methods: Sequence[str]
) -> dict[Setting, Quality]:
    """Measure the regions of one image under all settings of the methods.

    Args:
        name: The path of the image in its folder.
        images: The folder of the images.
        truth: The folder of segments, ``.mat`` or ``.png`` by the names of the images.
        methods: The methods, which are keys of ``SETTINGS``.

    Raises:
        FileNotFoundError: The image has no file of segments.
        ValueError: The segments or the image cannot be decoded, or they differ in size.
    """
    image = decode_image(Path(images, name).read_bytes())
    path = Path(truth, name).with_suffix('.mat')
    segments = read_segments(path if path.exists() else path.with_suffix('.png'))
    found = {}
    for method in methods:
        for value, regions, seconds in _regions(method, image, name):
            found[method, value] = Quality(
                boundary_counts(regions, segments),
                achievable_accuracy(regions, segments),
                undersegmentation_error(regions, segments),
                int(regions.max()) + 1,
                seconds,
            )
    return found


def _regions(
    method: str, image: np.ndarray, name: str
) -> Iterator[tuple[float, np.ndarray, float]]:
    """Yield the value of each setting, its regions, and the seconds for them."""
    option, values = SETTINGS[method]
    start, contours, shared = time.perf_counter(), None, 0.0
    if option == 'threshold':  # all thresholds share one contour map
        contours = RegionMaker(method).contour_map(image, name)
        shared = time.perf_counter() - start
    for value in values:
        start = time.perf_counter()
        if contours is None:
            regions = RegionMaker(method, {option: value}).regions(image, name)
        else:
            regions = ucm_regions(contours, value, None)
        yield value, regions, shared + time.perf_counter() - start


def format_quality_table(measured: Iterable[dict[Setting, Quality]]) -> str:
    """Format a Markdown table of each method at its best setting.

    The best setting has the highest F over all images (ODS: one setting for the data
    set). Precision and recall count the boundary pixels of all images together; the
    other columns are means over the images at that setting.
    """
    images = defaultdict(list)
    for qualities in measured:
        for setting, quality in qualities.items():
            images[setting].append(quality)
    lines = [
        '| method | setting | regions | precision | recall | ODS F | achievable '
        'accuracy | undersegmentation | s / image |',
        '|---' * 9 + '|',
    ]
    for method in dict.fromkeys(method for method, _ in images):
        totals = {
            value: sum((q.boundaries for q in qualities), BoundaryCounts())
            for (name, value), qualities in images.items()
            if name == method
        }
        best = max(totals, key=lambda value: totals[value].f_measure)
        rows, total = images[method, best], totals[best]
        means = [
            np.mean([getattr(quality, part) for quality in rows])
            for part in ('regions', 'accuracy', 'error', 'seconds')
        ]
        lines.append(
            f'| {method} | {SETTINGS[method][0]} {best:g} | {means[0]:.0f} | '
            f'{total.precision:.3f} | {total.recall:.3f} | {total.f_measure:.3f} | '
            f'{means[1]:.3f} | {means[2]:.3f} | {means[3]:.2f} |'
        )
    return '\n'.join(lines)
