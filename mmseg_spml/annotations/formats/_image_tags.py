"""Shared parts of the tables of image tags: image names, and the tags to write."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmseg_spml.annotations.model import (
    AnnotationError,
    WeakAnnotation,
    checked_image_name,
)
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.images import IMAGE_SUFFIXES

_BACKGROUND = 'background'


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


def shown_tags(annotation: WeakAnnotation) -> set[str]:
    """Return the tags of an image and the labels of its shapes, except background.

    Raises:
        AnnotationError: The tags of the image exclude one of the labels.
    """
    shown = (annotation.shown() - {_BACKGROUND}) | annotation.tags
    excluded = shown & annotation.absent
    if annotation.tags_complete:
        excluded |= shown - annotation.tags
    if excluded:
        raise AnnotationError(
            f'the tags exclude {sorted(excluded)}, which are marked in the image: '
            'correct the tags or the shapes',
            place=annotation.image,
        )
    return shown


def tag_names(
    annotations: Iterable[WeakAnnotation], classes: Sequence[str] | None
) -> list[str]:
    """Return the classes of a multi-hot table.

    The background is one of them only if it is a tag itself.

    Raises:
        AnnotationError: A tag is not in ``classes``.
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
