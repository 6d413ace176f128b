"""Comparison of region methods on images with the segments of annotators."""

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from mmseg_spml.datasets.region_files import RegionMaker
from mmseg_spml.functional.regions.metrics import (
    BoundaryCounts,
    achievable_accuracy,
    boundary_counts,
    undersegmentation_error,
)
from mmseg_spml.io.images import read_image
from mmseg_spml.io.index_maps import read_index_map

# The option of each method, and the values tried to find the best F over a data set.
SETTINGS = {
    'hed-owt-ucm': ('threshold', (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)),
    'owt-ucm': ('threshold', (0.05, 0.1, 0.15, 0.2, 0.25)),
    'slic': ('num_regions', (6, 12, 25, 50, 100, 200)),
    'felzenszwalb': ('scale', (30.0, 100.0, 300.0, 1000.0, 3000.0)),
}
NUMBERS = (60, 110, 256)
"""Numbers of regions at which methods are compared."""
_BY_NUMBER = 'regions'
_STEPS = 8


class Setting(NamedTuple):
    """A method, and either a wanted number of regions or the value of an option.

    Attributes:
        method: A key of ``SETTINGS``.
        option: ``'regions'`` for a wanted number, else the option in ``SETTINGS``.
        value: The number or the value.
    """

    method: str
    option: str
    value: float


@dataclass(frozen=True)
class Quality:
    """Quality measures of the regions of one image, see ``functional.regions.metrics``.

    Attributes:
        boundaries: Counts of matched boundary pixels.
        accuracy: Achievable segmentation accuracy; NaN if all pixels are void.
        error: Undersegmentation error; NaN if all pixels are void.
        regions: Number of regions.
        seconds: Time in seconds that making the regions took, without the search for a
            setting and without loading packages and weights.
    """

    boundaries: BoundaryCounts
    accuracy: float
    error: float
    regions: int
    seconds: float


def read_segments(path: Path) -> tuple[list[np.ndarray], int | None]:
    """Read the segments of one image, a map for each annotator, and the id of void.

    Args:
        path: A ``.mat`` file of BSDS500, whose ``groundTruth`` has a ``Segmentation``
            for each annotator, or a PNG of ids, which counts as one annotator.

    Returns:
        The maps, and the id of pixels to ignore: 255 in a PNG; None in a ``.mat`` file,
        in which nothing is void.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'segments not found: {path}')
    if path.suffix != '.mat':
        return [read_index_map(str(path), 'map of segments').astype(np.int64)], 255
    from scipy.io import loadmat

    try:
        annotators = loadmat(path)['groundTruth'].ravel()
        maps = [one['Segmentation'][0, 0].astype(np.int64) for one in annotators]
    except (KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise ValueError(
            f'{path} is no file of BSDS500: expected groundTruth with Segmentation '
            f'({type(error).__name__}: {error})'
        ) from error
    return maps, None


def measure_image(
    name: str,
    images: str,
    truth: str,
    methods: Sequence[str],
    numbers: Sequence[int] = NUMBERS,
) -> dict[Setting, Quality]:
    """Measure the regions of one image by all methods and settings.

    Args:
        name: The path of the image in its folder.
        images: The folder of the images.
        truth: The folder of segments, ``.mat`` or ``.png`` by the names of the images.
        methods: The methods, which are keys of ``SETTINGS``.
        numbers: Wanted numbers of regions, besides the values in ``SETTINGS``.

    Raises:
        FileNotFoundError: The image has no file of segments.
        ValueError: The segments or the image cannot be decoded, or they differ in size.
        ImportError: A package or the weights of a method are missing.
    """
    image = read_image(Path(images, name))
    path = Path(truth, name).with_suffix('.mat')
    segments, void = read_segments(path if path.exists() else path.with_suffix('.png'))
    found = {}
    for method in methods:
        for setting, made in _trials(_Regions(method, image, name), numbers):
            found[setting] = Quality(
                boundary_counts(made.regions, segments, ignore=void),
                achievable_accuracy(made.regions, segments, void),
                undersegmentation_error(made.regions, segments, void),
                made.number,
                made.seconds,
            )
    return found


def seconds_at_size(
    names: Sequence[str],
    images: str,
    method: str,
    size: tuple[int, int],
    number: int = 110,
) -> float:
    """Median time in seconds that a method takes for resized images, on one thread.

    Args:
        names: The paths of the images in their folder.
        images: The folder of the images.
        method: A key of ``SETTINGS``.
        size: Width and height that the images are resized to.
        number: Wanted number of regions.

    Raises:
        ValueError: An image cannot be decoded.
        ImportError: A package or the weights of the method are missing.
    """
    seconds = []
    with _one_thread():
        for name in names:
            image = read_image(Path(images, name))
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
            seconds.append(_Regions(method, image, name).of_number(number).seconds)
    return statistics.median(seconds)


def quality_rows(measured: Iterable[Mapping[Setting, Quality]]) -> list[dict[str, Any]]:
    """Summarize all images at each setting.

    Precision and recall count the boundary pixels of all images together; the other
    figures are means over the images. Images whose pixels are all void have no accuracy
    and no error.

    Args:
        measured: The result of :func:`measure_image` for each image.

    Returns:
        For each setting a dictionary, which JSON can hold, with the keys ``method``,
        ``option``, ``value``, ``regions``, ``accuracy``, ``error``, ``precision``,
        ``recall``, ``f_measure``, ``seconds``.

    Raises:
        ValueError: The pixels of all images are void.
    """
    images = defaultdict(list)
    for qualities in measured:
        for setting, quality in qualities.items():
            images[setting].append(quality)
    return [
        {**setting._asdict(), **_summary(found)} for setting, found in images.items()
    ]


def best_rows(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Select the row of each method with the best F of all values in ``SETTINGS``.

    This is ODS, one setting for the whole data set. Rows of a wanted number of regions
    do not take part.
    """
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row['option'] != _BY_NUMBER:
            other = best.setdefault(row['method'], row)
            if row['f_measure'] > other['f_measure']:
                best[row['method']] = row
    return list(best.values())


def format_quality_report(report: Mapping[str, Any]) -> str:
    """Format Markdown tables: by the number of regions, at the best F, and times.

    Args:
        report: ``rows`` from :func:`quality_rows`, and optionally ``times``, a list of
            dictionaries with ``method``, ``width``, ``height``, ``regions`` and
            ``seconds``.
    """
    by_number = [row for row in report['rows'] if row['option'] == _BY_NUMBER]
    by_number.sort(key=lambda row: row['value'])  # stable: methods keep their order
    tables = [
        _quality_table('wanted', by_number),
        _quality_table('best F (ODS) at', best_rows(report['rows'])),
    ]
    if report.get('times'):
        tables.append(_time_table(report['times']))
    return '\n\n'.join(tables)


class _Made(NamedTuple):
    regions: np.ndarray
    seconds: float

    @property
    def number(self) -> int:
        return int(self.regions.max()) + 1


class _Regions:
    """The regions of one image by one method; all of them share a contour map."""

    def __init__(self, method: str, image: np.ndarray, name: str) -> None:
        maker = RegionMaker(method)
        maker.check()  # loads packages and weights, which is not to be timed
        self.method, self.image, self.name = method, image, name
        self.contours, self.shared = None, 0.0
        if SETTINGS[method][0] == 'threshold':
            start = time.perf_counter()
            self.contours = maker.contour_map(image, name)
            self.shared = time.perf_counter() - start

    def of_options(self, **options: Any) -> _Made:
        """Make regions; the time includes that of the contour map."""
        maker = RegionMaker(self.method, options)
        start = time.perf_counter()
        if self.contours is None:
            regions = maker.regions(self.image, self.name)
        else:
            regions = maker.regions_of_contours(self.contours, self.image)
        return _Made(regions, self.shared + time.perf_counter() - start)

    def of_value(self, value: float) -> _Made:
        """Make regions at a value of the method's option in ``SETTINGS``."""
        option = SETTINGS[self.method][0]
        if self.contours is None:
            return self.of_options(**{option: value})
        return self.of_options(**{option: value, 'most_regions': None})

    def of_number(self, number: int) -> _Made:
        """Make regions whose number is near a wanted one.

        Methods without such an option are tried up to ``_STEPS`` times, by bisection of
        the logarithm of a size of regions.
        """
        if self.contours is not None:
            return self.of_options(most_regions=number)
        low, high = number / 16, number * 16.0
        tried: list[_Made] = []
        while len(tried) < _STEPS and number not in [made.number for made in tried]:
            middle = (low * high) ** 0.5
            tried.append(self.of_options(**self._options_for(middle)))
            if tried[-1].number < number:
                low = middle
            else:
                high = middle
        return min(tried, key=lambda made: abs(made.number - number))

    def _options_for(self, number: float) -> dict[str, Any]:
        """Options that give more regions for a larger number, and very roughly it."""
        if self.method == 'slic':
            return dict(num_regions=max(round(number), 1))
        # The defaults, scale 100 and min_size 60, give 110 regions on 256x192 pixels.
        size = self.image[..., 0].size / (256 * 192) * 110 / number
        return dict(scale=100 * size, min_size=max(round(60 * size), 1))


def _trials(
    regions: _Regions, numbers: Sequence[int]
) -> Iterator[tuple[Setting, _Made]]:
    for number in numbers:
        yield Setting(regions.method, _BY_NUMBER, number), regions.of_number(number)
    option, values = SETTINGS[regions.method]
    for value in values:
        yield Setting(regions.method, option, value), regions.of_value(value)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


def _summary(found: Sequence[Quality]) -> dict[str, float]:
    """Figures of all images at one setting."""
    if all(math.isnan(quality.accuracy) for quality in found):
        raise ValueError('the segments of all images are void: nothing can be measured')
    means = {
        part: float(np.nanmean([getattr(quality, part) for quality in found]))
        for part in ('regions', 'accuracy', 'error', 'seconds')
    }
    total = sum((quality.boundaries for quality in found), BoundaryCounts())
    return dict(
        means,
        precision=total.precision,
        recall=total.recall,
        f_measure=total.f_measure,
    )


def _quality_table(title: str, rows: Iterable[Mapping[str, Any]]) -> str:
    lines = [
        f'| {title} | method | regions | achievable accuracy | undersegmentation | '
        'precision | recall | F | s / image |',
        '|---' * 9 + '|',
    ]
    for row in rows:
        setting = '' if row['option'] == _BY_NUMBER else f'{row["option"]} '
        lines.append(
            f'| {setting}{row["value"]:g} | {row["method"]} | {row["regions"]:.0f} | '
            f'{row["accuracy"]:.3f} | {row["error"]:.3f} | {row["precision"]:.3f} | '
            f'{row["recall"]:.3f} | {row["f_measure"]:.3f} | {row["seconds"]:.2f} |'
        )
    return '\n'.join(lines)


def _time_table(times: Iterable[Mapping[str, Any]]) -> str:
    """Format a row for each method and a column for each size."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    sizes = {}
    for time_ in times:
        size = f'{time_["width"]}x{time_["height"]}'
        cells[time_['method']][size] = f'{time_["seconds"]:.2f}'
        sizes[size] = time_['regions']
    number = next(iter(sizes.values()))
    lines = [
        f'| s / image at {number} regions, one thread | {" | ".join(sizes)} |',
        '|---' * (len(sizes) + 1) + '|',
    ]
    for method, row in cells.items():
        lines.append(f'| {method} | {" | ".join(row.values())} |')
    return '\n'.join(lines)
