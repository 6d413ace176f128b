"""Full masks of some images, on which a project is measured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.io.folders import first_sharing
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.io.progress import watched


def usable_masks(
    names: Sequence[str],
    images: Path,
    folder: Path,
    classes: Sequence[str],
    problems: Problems,
) -> list[str]:
    """List the images with a full mask that can be measured on.

    Args:
        names: The names of all images.
        images: The folder of the images.
        folder: The folder of the masks, ``NAME.png``: class ids, 255 void.
        classes: The C class names.
        problems: Gets the masks that are left out, with the reason.

    Raises:
        FileNotFoundError: There is no such folder.
        AnnotationError: There is no mask, none can be used, two images would share one,
            or all masks have a single class, and the rest is void.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no folder of masks {folder}')
    found = [n for n in names if (folder / n).with_suffix('.png').is_file()]
    if not found:
        raise AnnotationError(
            f'has no mask of any image: there is no {Path(names[0]).stem}.png',
            file=folder,
        )
    shared = first_sharing(found, lambda name: str(Path(name).with_suffix('')))
    if shared is not None:
        raise AnnotationError(
            f'has one mask for both {shared[0]} and {shared[1]}: rename an image',
            file=folder,
        )
    usable: list[str] = []
    seen: set[int] = set()
    for name in watched(found, 'checking masks'):
        path = (folder / name).with_suffix('.png')
        with problems.leaving_out(file=path):
            seen |= _values(path, image_size(images, name), len(classes))
            usable.append(name)
    if not usable:
        raise AnnotationError(
            f'no mask can be used; first problem: {problems.found[-len(found)]}'
        )
    if VOID in seen and len(seen) == 2:
        raise AnnotationError(
            f'hold {min(seen)} and {VOID} alone, but {VOID} is void, where nothing is '
            f'measured: write class ids, 0..{len(classes) - 1}',
            file=folder,
        )
    return usable


def _values(path: Path, size: tuple[int, int], num_classes: int) -> set[int]:
    """Values of a mask.

    Raises:
        AnnotationError: The mask is no index map, or has another size or ids that are
            no class.
    """
    try:
        mask = read_index_map(path, 'mask')
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    if mask.shape != size:
        raise AnnotationError(
            f'is {mask.shape[0]}x{mask.shape[1]} (height x width), its image '
            f'{size[0]}x{size[1]}'
        )
    values = set(np.unique(mask).tolist())
    foreign = sorted(v for v in values if v >= num_classes and v != VOID)
    if foreign:
        raise AnnotationError(
            f'has the ids {foreign[:6]}, but the {num_classes} classes are '
            f'0..{num_classes - 1}, and void is {VOID}'
        )
    return values
