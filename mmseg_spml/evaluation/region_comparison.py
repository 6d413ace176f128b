"""Comparison of region methods over a folder of annotated images."""

import os
import platform
from collections.abc import Sequence
from functools import partial
from importlib import metadata

from mmseg_spml.evaluation.region_quality import (
    NUMBERS,
    measure_image,
    quality_rows,
    seconds_at_size,
)
from mmseg_spml.io.image_folders import list_images
from mmseg_spml.io.processes import spread
from mmseg_spml.io.processor import processor_name
from mmseg_spml.io.progress import watched
from mmseg_spml.version import __version__

_TIMED_REGIONS = 110
_PACKAGES = ('numpy', 'scipy', 'scikit-image', 'opencv-python', 'torch', 'higra')


def compare_regions(
    images: str,
    truth: str,
    *,
    methods: Sequence[str],
    numbers: Sequence[int] = NUMBERS,
    limit: int | None = None,
    processes: int = 1,
    time_sizes: Sequence[tuple[int, int]] = (),
    time_images: int = 3,
) -> dict:
    """Measure the regions of all methods on all images.

    Args:
        images: The folder of images.
        truth: The folder of segments, named like the images (.mat or .png).
        methods: The methods to compare.
        numbers: The numbers of regions to compare them at.
        limit: The number of images, evenly spread over the folder; None for all.
        processes: The number of processes.
        time_sizes: The (width, height) at which the methods are timed.
        time_images: The number of images to time.

    Returns:
        A report for
        :func:`~mmseg_spml.evaluation.region_quality.format_quality_report`, with the
        machine and the versions of packages.

    Raises:
        ValueError: A file of segments is malformed or missing.
        FileNotFoundError: There are no images.
    """
    names = list_images(images)
    if limit is not None:
        step = max(len(names) / limit, 1)
        names = [names[int(i * step)] for i in range(min(limit, len(names)))]
    work = partial(
        measure_image, images=images, truth=truth, methods=methods, numbers=numbers
    )
    done = spread(work, names, processes)
    rows = quality_rows(watched(done, 'measuring', len(names)))
    cases = [(method, size) for method in methods for size in time_sizes]
    return dict(
        images=len(names),
        workers=processes,
        machine=dict(
            processor=processor_name(),
            cores=os.cpu_count(),
            system=f'{platform.system()} {platform.machine()}',
        ),
        versions=_versions(),
        rows=rows,
        times=[
            _time(names[:time_images], images, *case)
            for case in (watched(cases, 'timing') if cases else ())
        ],
    )


def _time(
    names: Sequence[str], images: str, method: str, size: tuple[int, int]
) -> dict:
    return dict(
        method=method,
        width=size[0],
        height=size[1],
        regions=_TIMED_REGIONS,
        seconds=seconds_at_size(names, images, method, size, _TIMED_REGIONS),
    )


def _versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that make regions."""
    found: dict[str, str | None] = {
        'python': platform.python_version(),
        'mmseg_spml': __version__,
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
