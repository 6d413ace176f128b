"""Weak annotations simulated from the full masks of a data set."""

import zlib
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from mmseg_spml.annotations.mask_values import Value, doubts
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.simulation.annotator import Annotator
from mmseg_spml.datasets.full_masks import FullMask
from mmseg_spml.io.processes import spread
from mmseg_spml.io.progress import watched

# Masks that are looked at to see whether they show anything but background and void.
_LOOKED_AT = 20


def simulate_annotations(
    sources: Sequence[FullMask],
    classes: Sequence[str],
    annotator: Annotator,
    *,
    seed: int = 0,
    values: Mapping[Value, str] | None = None,
    processes: int = 1,
) -> list[WeakAnnotation]:
    """Annotate all masks; those of an image depend on the seed and its name alone.

    Args:
        sources: The masks.
        classes: The C class names.
        annotator: The simulated annotator.
        seed: The random seed, 0 or more.
        values: The meaning of values of masks that are no class ids.
        processes: The number of processes.

    Raises:
        ValueError: A mask cannot be used; the message names its image.
    """
    _check_masks(sources[:_LOOKED_AT], classes, values)
    work = partial(_annotate, annotator=annotator, classes=list(classes), seed=seed)
    done = spread(work, sources, processes)
    return list(watched(done, 'annotating', len(sources)))


def _read(source: FullMask) -> np.ndarray:
    try:
        return source.read()
    except (ValueError, TypeError) as error:
        raise ValueError(f'{source.image}: {error}') from error


def _annotate(
    source: FullMask, annotator: Annotator, classes: Sequence[str], seed: int
) -> WeakAnnotation:
    # A name that is not UTF-8 is refused below, with the image.
    name = source.image.encode(errors='surrogateescape')
    rng = np.random.default_rng([seed, zlib.crc32(name)])
    mask = _read(source)
    try:
        return annotator.annotate(mask, classes, source.image, rng)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{source.image}: {error}') from error


def _check_masks(
    sources: Sequence[FullMask],
    classes: Sequence[str],
    values: Mapping[Value, str] | None,
) -> None:
    """Raise a ValueError if none of the masks shows more than background and void."""
    if len(classes) > 1 and all(
        doubts(_read(source), classes, values) for source in sources
    ):
        raise ValueError(
            'the masks hold 0 and 255 (void) alone: if 255 is the object, add '
            f'--values 255={classes[-1]}'
        )
