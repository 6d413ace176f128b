"""Names of images that a tool wrote, looked up in the folder of the images."""

import os
from pathlib import Path

from mmseg_spml.annotations.formats._image_tags import find_image
from mmseg_spml.annotations.model import AnnotationError, checked_image_name
from mmseg_spml.annotations.validation import MissingFileError


def leads_out(name: str) -> bool:
    """Return whether a name is absolute or leads out of its folder.

    Example:
        >>> leads_out('C:/images/a.jpg'), leads_out('a/../../b.jpg'), leads_out('a/b')
        (True, True, False)
    """
    parts = name.replace('\\', '/').split('/')
    return '..' in parts or parts[0] == '' or parts[0].endswith(':')


def name_in_folder(name: str, images: Path | None) -> str:
    """Return the name of an image relative to the folder of the images.

    Tools write names without a suffix, and paths of their own machine. Of those the
    last part counts, and nothing outside of the folder is looked at.

    Args:
        name: The name that the tool wrote.
        images: The folder; without it, the name must be relative.

    Raises:
        AnnotationError: The name leads out of the folder, and no folder is given.
        MissingFileError: There is no such image in the folder.
    """
    if images is None:
        return checked_image_name(name)
    last = name.replace('\\', '/').rsplit('/', 1)[-1]
    for candidate in dict.fromkeys((name, last)):
        try:
            candidate = checked_image_name(candidate)
            if os.path.isfile(os.path.join(images, candidate)):
                return candidate
            return find_image(images, candidate)
        except AnnotationError:
            continue
    raise MissingFileError(
        f'there is no image {last[:80]!r} in {images}; check the folder given by '
        '--images'
    )
