"""The image file of a name that may lack its suffix."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mmseg_spml.annotations.model import AnnotationError, checked_image_name
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.folders import kept_until_change
from mmseg_spml.io.images import IMAGE_SUFFIXES


def find_image(folder: Path | None, name: str) -> str:
    """Find the image file of a name, which may lack its suffix.

    Args:
        folder: The folder of the images.
        name: The name in the folder.

    Raises:
        AnnotationError: ``folder`` is None, or there are several such images.
        MissingFileError: There is none.
    """
    if folder is None:
        raise AnnotationError(
            'the file does not state the sizes of images; give the folder of images '
            'by --images'
        )
    name = checked_image_name(name)
    candidates = [name + suffix for suffix in IMAGE_SUFFIXES]
    upper = [name + suffix.upper() for suffix in IMAGE_SUFFIXES]
    # Arrays beside images may be anything, such as features.
    groups: Iterator[list[str]] = chain(
        ([name], candidates, upper, [f'{name}.npy']), _of_any_case(folder, name)
    )
    for group in groups:
        # os.path.isfile, unlike Path.is_file, is False for impossible names.
        found = [one for one in group if os.path.isfile(os.path.join(folder, one))]
        if len(found) > 1:
            raise AnnotationError(f'the image {name!r} may be any of {found}')
        if found:
            return found[0]
    raise MissingFileError(
        f'there is no image {name!r} in {folder}; check the folder given by --images'
    )


def _of_any_case(folder: Path, name: str) -> Iterator[list[str]]:
    """Yield the images of a name with suffixes such as ``.Jpg``."""
    parent, _, stem = name.rpartition('/')
    try:
        files = _images_by_stem(os.path.join(folder, parent))
    except (OSError, ValueError):
        return
    yield [f'{parent}/{file}' if parent else file for file in files.get(stem, ())]


@kept_until_change
def _images_by_stem(folder: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(file)
        if suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(stem, []).append(file)
    return found
