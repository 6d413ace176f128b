"""Look through annotations for mistakes before a training does.

Letters: H, W image size, C classes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.label_map import known_tags, label_map
from mmseg_spml.annotations.model import (
    DENSE_UNLABELLED,
    DENSE_VOID,
    AnnotationError,
    Box,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.functional.segments import VOID

KINDS = ('tags', 'boxes', 'points', 'strokes', 'polygons', 'masks', 'dense')

# A dense map with fewer labelled pixels and no unlabelled one has likely mixed up the
# two values: full masks leave little void.
_SUSPICIOUS_VOID = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing to look at.

    ``level``: ``'error'`` (training would fail or learn something wrong) or
    ``'warning'``. ``image``: where, None for the whole set.
    """

    level: str
    image: Optional[str]
    what: str

    def __str__(self) -> str:
        return f'{self.level}: {self.image + ": " if self.image else ""}{self.what}'


@dataclass
class Report:
    """What :func:`check_annotations` found.

    ``images``: how many; ``unknown``: of how many nothing is known; ``counts``:
    (class, kind) -> images in which it occurs; ``pixels``: class -> labelled pixels;
    ``total_pixels``: of all images.
    """

    findings: list[Finding] = field(default_factory=list)
    images: int = 0
    unknown: int = 0
    counts: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)
    total_pixels: int = 0

    @property
    def failed(self) -> bool:
        """Whether there is any error."""
        return any(finding.level == 'error' for finding in self.findings)

    def add(self, level: str, image: Optional[str], what: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(level, image, what))

    def table(self, classes: Sequence[str]) -> str:
        """Images per class and kind, and the share of pixels that are labelled."""
        width = max([len(name) for name in classes] + [len('class')])
        head = ''.join(f'{kind:>10}' for kind in KINDS)
        lines = [f'{"class":<{width}}{head}{"pixels":>12}']
        for name in classes:
            cells = ''.join(f'{self.counts[name, kind]:>10}' for kind in KINDS)
            share = 100 * self.pixels[name] / max(self.total_pixels, 1)
            lines.append(f'{name:<{width}}{cells}{share:>10.3f} %')
        labelled = 100 * sum(self.pixels.values()) / max(self.total_pixels, 1)
        lines.append(
            f'{self.images} images, {labelled:.3f} % of the pixels labelled; nothing '
            f'is known of {self.unknown}'
        )
        return '\n'.join(lines)


def check_annotations(
    annotations: Iterable[WeakAnnotation],
    classes: Sequence[str],
    *,
    images: Optional[Path] = None,
    background: Optional[str] = 'background',
) -> Report:
    """Count what is annotated, and note what looks wrong.

    Args:
        annotations: Of a whole data set.
        classes: C class names.
        images: Folder of the images; they are opened if given.
        background: Name of the background class; None if there is none.

    Example:
        >>> weak = WeakAnnotation('a.jpg', 4, 6, points=[Point('cat', 9, 1)])
        >>> report = check_annotations([weak], ('background', 'cat'))
        >>> print(report.findings[0])
        warning: a.jpg: a point of 'cat' lies outside of the image
    """
    report = Report()
    seen: set[str] = set()
    contents: dict[str, str] = {}
    if background not in classes:
        background = None
    for annotation in annotations:
        name = annotation.image
        report.images += 1
        report.total_pixels += annotation.height * annotation.width
        if name in seen:
            report.add('error', name, 'is listed twice: merge its annotations')
        seen.add(name)
        if not annotation.kinds():
            report.unknown += 1
            report.add('warning', name, 'nothing is known of it')
        for what in (*_outside(annotation), *_repeated(annotation)):
            report.add('warning', name, what)
        _check_labels(annotation, classes, background, report)
        if images is not None:
            _check_image(annotation, images, contents, report)
    if not report.images:
        report.add('error', None, 'there is no image')
    _check_whole(report, classes, background)
    return report


def _check_labels(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: Optional[str],
    report: Report,
) -> None:
    foreign = sorted(annotation.class_names() - set(classes))
    if foreign:
        report.add(
            'error',
            annotation.image,
            f'{foreign} are none of the classes {list(classes)}: rename or add them',
        )
    try:
        # the other classes count all the same
        known_tags(annotation, [*classes, *foreign], background)
        labels = label_map(annotation, [*classes, *foreign], background=background)
    except AnnotationError as error:
        report.add('error', annotation.image, error.problem)
        return
    pixels = np.bincount(labels.ravel(), minlength=VOID + 1)
    for number, name in enumerate(classes):
        report.pixels[name] += int(pixels[number])
    for kind, names in _classes_by_kind(annotation):
        for name in names:
            report.counts[name, kind] += 1
    areas = {'dense', 'polygons', 'masks', 'strokes', 'points'} & set(
        annotation.kinds()
    )
    if background is not None and areas and not pixels[classes.index(background)]:
        report.add('warning', annotation.image, f'no pixel of {background!r} is marked')
    if annotation.dense is not None:
        values = annotation.dense.labels
        void = (values == DENSE_VOID).mean()
        if void > _SUSPICIOUS_VOID and not (values == DENSE_UNLABELLED).any():
            report.add(
                'warning',
                annotation.image,
                f'{100 * void:.0f} % of its dense map is void (255) and nothing is '
                'unlabelled (254): were unlabelled pixels meant? Void takes no part '
                'in training',
            )


def _check_image(
    annotation: WeakAnnotation, images: Path, contents: dict, report: Report
) -> None:
    path = images / annotation.image
    try:
        size = image_size(images, annotation.image)
    except (AnnotationError, FileNotFoundError) as error:
        report.add('error', annotation.image, str(error))
        return
    if size != annotation.size:
        report.add(
            'error',
            annotation.image,
            f'is {size[0]}x{size[1]}, its annotation {annotation.height}x'
            f'{annotation.width} (height x width)',
        )
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    if contents.setdefault(digest, annotation.image) != annotation.image:
        report.add(
            'warning', annotation.image, f'is the same picture as {contents[digest]}'
        )


def _check_whole(
    report: Report, classes: Sequence[str], background: Optional[str]
) -> None:
    known = {name for name, _ in report.counts} | {
        name for name, count in report.pixels.items() if count
    }
    for name in classes:
        if name not in known:
            what = 'is marked nowhere: the class cannot be learnt'
            report.add('warning', None, f'{name!r} {what}')
    if background is not None and not report.pixels[background] and report.images:
        report.add(
            'warning',
            None,
            f'no pixel of {background!r} is labelled in any image: everything will be '
            'taken for an object',
        )


def _classes_by_kind(annotation: WeakAnnotation) -> Iterator[tuple[str, set[str]]]:
    yield 'tags', set(annotation.tags)
    for kind in ('boxes', 'points', 'strokes', 'polygons', 'masks'):
        yield kind, {mark.label for mark in getattr(annotation, kind)} - {None}
    if annotation.dense is not None:
        yield 'dense', annotation.dense.shown()


def _outside(annotation: WeakAnnotation) -> Iterator[str]:
    """Marks that lie outside of the image, wholly or (boxes) in part."""
    height, width = annotation.size
    for mark in annotation.marks():
        if isinstance(mark, Mask):
            continue
        vertices = np.array(_vertices(mark))
        inside = ((vertices >= 0) & (vertices <= (width, height))).all(axis=1)
        (left, top), (right, bottom) = vertices.min(axis=0), vertices.max(axis=0)
        beyond = left >= width or top >= height or right < 0 or bottom < 0
        kind = type(mark).__name__.lower()
        if beyond or (isinstance(mark, Point) and not inside.all()):
            yield f'a {kind} of {mark.label!r} lies outside of the image'
        elif isinstance(mark, Box) and not inside.all():
            yield f'a box of {mark.label!r} reaches out of the image'


def _repeated(annotation: WeakAnnotation) -> Iterator[str]:
    """Marks that are there more than once."""
    numbers = Counter(
        (
            type(mark).__name__.lower(),
            mark.label,
            mark.mask.tobytes() if isinstance(mark, Mask) else tuple(_vertices(mark)),
        )
        for mark in annotation.marks()
    )
    for (kind, label, _), number in numbers.items():
        if number > 1:
            yield f'a {kind} of {label!r} is there {number} times'


def _vertices(mark: object) -> list:
    if isinstance(mark, Box):
        return [(mark.x0, mark.y0), (mark.x1, mark.y1)]
    if isinstance(mark, Point):
        return [(mark.x, mark.y)]
    if isinstance(mark, Stroke):
        return list(mark.path)
    if isinstance(mark, Polygon):
        return [vertex for ring in mark.rings for vertex in ring]
    raise TypeError(f'{type(mark).__name__} has no vertices')
