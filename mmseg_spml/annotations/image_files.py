"""The image file of a name that may lack its suffix."""

import os
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
    for group in ([name], candidates, upper, [f'{name}.npy']):
        # os.path.isfile, unlike Path.is_file, is False for impossible names.
        found = [one for one in group if os.path.isfile(os.path.join(folder, one))]
        if len(found) > 1:
            raise AnnotationError(f'the image {name!r} may be any of {found}')
        if found:
            return found[0]
    raise MissingFileError(
        f'there is no image {name!r} in {folder}; check the folder given by --images'
    )
