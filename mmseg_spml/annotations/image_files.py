"""The image file of a name that may lack its suffix."""

import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path

from mmseg_spml.annotations.model import AnnotationError, checked_image_name
from mmseg_spml.annotations.validation import MissingFileError
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
        ([name], candidates, upper), _of_any_case(folder, name), ([f'{name}.npy'],)
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
    try:
        place = os.stat((Path(folder) / name).parent)
    except (OSError, ValueError):
        return
    parent, _, stem = name.rpartition('/')
    files = _images_by_stem(str(Path(folder, parent)), place.st_mtime_ns)
    yield [f'{parent}/{file}' if parent else file for file in files.get(stem, ())]


@lru_cache(maxsize=8)
def _images_by_stem(folder: str, _changed: int) -> dict[str, list[str]]:
    """List a folder, once until it changes."""
    found: dict[str, list[str]] = {}
    for file in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(file)
        if suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(stem, []).append(file)
    return found
