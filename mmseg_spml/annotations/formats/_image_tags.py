"""Shared parts of the tables of image tags: the tags to write."""

from collections.abc import Iterable, Sequence

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation

_BACKGROUND = 'background'


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
