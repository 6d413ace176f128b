"""Merging of several annotations of one image."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems

_Shape = TypeVar('_Shape')


def merge_by_image(
    annotations: Iterable[WeakAnnotation],
    problems: Problems | None = None,
    file: object = None,
) -> list[WeakAnnotation]:
    """Join the annotations of each image; images keep the order of their first one.

    The shapes and tags of all parts are kept, and equal shapes of two parts count once.
    Tags or boxes that one part declares complete stay complete.

    Args:
        annotations: The parts, in any order.
        problems: What to do with parts that contradict those before them; stop at the
            first if None.
        file: The file of the parts, for errors.

    Raises:
        AnnotationError: Two parts differ in size, both have a dense map or a map of
            accepted labels, or one shows a class that another excludes.

    Example:
        >>> parts = [WeakAnnotation('a.jpg', 2, 3, tags={'cat'}),
        ...          WeakAnnotation('a.jpg', 2, 3, tags={'dog'})]
        >>> (merged,) = merge_by_image(parts)
        >>> sorted(merged.tags)
        ['cat', 'dog']
    """
    problems = problems or Problems()
    merged: dict[str, WeakAnnotation] = {}
    for annotation in annotations:
        known = merged.get(annotation.image)
        with problems.leaving_out(file=file):
            merged[annotation.image] = (
                annotation if known is None else _join(known, annotation)
            )
    return list(merged.values())


def _join(first: WeakAnnotation, second: WeakAnnotation) -> WeakAnnotation:
    place = first.image
    if first.size != second.size:
        raise AnnotationError(
            f'is {first.size} in one file and {second.size} in another (height, '
            'width): are these the same image?',
            place=place,
        )
    if first.dense is not None and second.dense is not None:
        raise AnnotationError('has two dense maps: keep one', place=place)
    if first.accepted is not None and second.accepted is not None:
        raise AnnotationError('has two maps of accepted labels: keep one', place=place)
    for whole, part in ((first, second), (second, first)):
        shown = part.shown() - {'background'}
        beyond = sorted(shown - whole.tags) if whole.tags_complete else []
        if beyond:
            raise AnnotationError(
                f'{beyond} are tags or shapes in one file, while another declares its '
                f'tags {sorted(whole.tags)} complete',
                place=place,
            )
        excluded = sorted(shown & whole.absent)
        if excluded:
            raise AnnotationError(
                f'{excluded} are tags or shapes in one file, and absent in another',
                place=place,
            )
    try:
        return WeakAnnotation(
            first.image,
            *first.size,
            tags=first.tags | second.tags,
            absent=first.absent | second.absent,
            tags_complete=first.tags_complete or second.tags_complete,
            boxes=_joined(first.boxes, second.boxes),
            boxes_complete=first.boxes_complete or second.boxes_complete,
            points=_joined(first.points, second.points),
            strokes=_joined(first.strokes, second.strokes),
            polygons=_joined(first.polygons, second.polygons),
            masks=_joined(first.masks, second.masks),
            dense=first.dense or second.dense,
            accepted=first.accepted or second.accepted,
        )
    except AnnotationError as error:
        raise error.at(place=place) from error


def _joined(first: Sequence[_Shape], second: Sequence[_Shape]) -> list[_Shape]:
    return [*first, *(shape for shape in second if shape not in first)]
