"""What tables of image tags have in common: finding images, and which tags to write."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Optional

from mmseg_spml.annotations.model import (
    AnnotationError,
    WeakAnnotation,
    checked_image_name,
)

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
_BACKGROUND = 'background'


def find_image(folder: Optional[Path], name: str) -> str:
    """Name of an image file of which the suffix may be left out.

    Raises:
        AnnotationError: ``folder`` is None, or there is not exactly one such image.
    """
    if folder is None:
        raise AnnotationError(
            'tables of tags do not state the sizes of images; give the folder of '
            'images by --images'
        )
    name = checked_image_name(name)
    candidates = [name + suffix for suffix in IMAGE_SUFFIXES]
    upper = [name + suffix.upper() for suffix in IMAGE_SUFFIXES]
    for group in ([name], candidates, upper):
        # os.path's isfile, unlike Path's, is False for names that no file can have
        found = [one for one in group if os.path.isfile(os.path.join(folder, one))]
        if len(found) > 1:
            raise AnnotationError(f'the image {name!r} may be any of {found}')
        if found:
            return found[0]
    raise AnnotationError(
        f'there is no image {name!r} in {folder}; check the folder given by --images'
    )


def shown_tags(annotation: WeakAnnotation) -> set[str]:
    """Tags of an image, and labels of its marks other than the background.

    Raises:
        AnnotationError: the image is said not to show one of them.
    """
    shown = (annotation.shown() - {_BACKGROUND}) | annotation.tags
    excluded = shown & annotation.absent
    if annotation.tags_complete:
        excluded |= shown - annotation.tags
    if excluded:
        raise AnnotationError(
            f'the tags exclude {sorted(excluded)}, which are marked in the image: '
            'correct the tags or the marks',
            place=annotation.image,
        )
    return shown


def tag_names(
    annotations: Iterable[WeakAnnotation], classes: Optional[Sequence[str]]
) -> list[str]:
    """Classes of a multi-hot table; the background only if it is a tag itself.

    Raises:
        AnnotationError: a tag is none of ``classes``.
    """
    used: set[str] = set()
    for annotation in annotations:
        used |= shown_tags(annotation) | annotation.absent
    if classes is None:
        return sorted(used)
    unknown = sorted(used - set(classes))
    if unknown:
        raise AnnotationError(
            f'the tags {unknown} are none of {list(classes)}; rename them or add them '
            'to the classes'
        )
    return [name for name in classes if name != _BACKGROUND or name in used]
