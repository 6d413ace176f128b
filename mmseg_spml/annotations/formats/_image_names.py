"""Names of images that a tool wrote, looked up in the folder of the images."""

import os
from pathlib import Path

from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.model import checked_image_name
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.folders import path_ends


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
    longest end that exists in the folder counts, and nothing outside of the folder is
    looked at.

    Args:
        name: The name that the tool wrote.
        images: The folder; without it, the name must be relative.

    Raises:
        AnnotationError: The name leads out of the folder, and no folder is given; or
            several images have it and differ in their suffix.
        MissingFileError: There is no such image in the folder.
    """
    if images is None:
        return checked_image_name(name)
    for candidate in _ends(name):
        if os.path.isfile(os.path.join(images, candidate)):
            return candidate
        try:
            return find_image(images, candidate)
        except MissingFileError:
            continue
    raise MissingFileError(
        f'there is no image {name[-80:]!r} in {images}; check the folder given by '
        '--images'
    )


def name_in_subfolder(subfolder: str, name: str, images: Path | None) -> str:
    """Look a name up in a subfolder of the images, and else in the folder itself.

    Args:
        subfolder: The subfolder, which may be missing or empty.
        name: The name that the tool wrote.
        images: The folder; without it, the subfolder does not count.

    Raises:
        AnnotationError: See :func:`name_in_folder`.
        MissingFileError: There is no such image in either.
    """
    below = f'{subfolder}/{name}'
    if images is not None and subfolder and not leads_out(below):
        try:
            return name_in_folder(below, images)
        except MissingFileError:
            pass
    return name_in_folder(name, images)


def _ends(name: str) -> list[str]:
    """Return a relative name, or the ends of a path, the longest first."""
    if not leads_out(name):
        return [checked_image_name(name)]
    parts = [part for part in name.replace('\\', '/').split('/') if part]
    inner = parts
    for place, part in enumerate(parts):
        if part in ('..', '.') or part.endswith(':'):
            inner = parts[place + 1 :]
    return [checked_image_name(end) for end in path_ends(inner)]
