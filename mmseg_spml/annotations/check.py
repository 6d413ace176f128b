"""A check of annotations for mistakes, to be made before training.

Letters: H, W image size, C classes.
"""

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.label_map import known_tags, label_map
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DENSE_VOID, Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.io.exif import exif_orientation
from mmseg_spml.io.folders import files_with_suffix
from mmseg_spml.io.images import IMAGE_SUFFIXES

KINDS = (
    *('tags', 'boxes', 'points', 'strokes'),
    *('polygons', 'masks', 'dense', 'accepted'),
)

# A dense map with a larger share of void and without any unlabeled pixel has likely
# mixed up the two values: full masks leave little void.
_SUSPICIOUS_VOID = 0.5
MOSTLY_VOID = 'of its dense map is void (255)'
"""What the warning of such a map says."""

_TURNED = {
    2: 'mirrored',
    3: 'turned by 180 degrees',
    4: 'mirrored upside down',
    5: 'mirrored and turned by 90 degrees',
    6: 'turned by 90 degrees',
    7: 'mirrored and turned by 90 degrees',
    8: 'turned by 90 degrees',
}


@dataclass(frozen=True)
class Finding:
    """One problem to look at.

    Args:
        level: ``'error'`` (training would fail or learn something wrong) or
            ``'warning'``.
        image: The name of the image; None if the whole set has the problem.
        what: The description of the problem.
    """

    level: str
    image: str | None
    what: str

    def __str__(self) -> str:
        return f'{self.level}: {self.image + ": " if self.image else ""}{self.what}'


@dataclass
class Report:
    """The result of :func:`check_annotations`.

    Args:
        findings: All problems, in the order of the images.
        images: The number of images.
        unknown: The number of images about which nothing is known.
        counts: The number of images in which a class occurs, by (class, kind).
        pixels: The number of labeled pixels, by class.
        total_pixels: The number of pixels of all images.
    """

    findings: list[Finding] = field(default_factory=list)
    images: int = 0
    unknown: int = 0
    counts: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)
    total_pixels: int = 0

    @property
    def failed(self) -> bool:
        """True if there is any error."""
        return any(finding.level == 'error' for finding in self.findings)

    def add(self, level: str, image: str | None, what: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, image, what))

    def kinds(self) -> list[str]:
        """List the kinds of annotations to count; accepted labels if there are any."""
        counted = {kind for (_, kind), count in self.counts.items() if count}
        return [kind for kind in KINDS if kind != 'accepted' or kind in counted]

    def table(self, classes: Sequence[str]) -> str:
        """Format the images per class and kind, and the share of labeled pixels."""
        width = max([len(name) for name in classes] + [len('class')])
        kinds = self.kinds()
        head = ''.join(f'{kind:>10}' for kind in kinds)
        lines = [f'{"class":<{width}}{head}{"pixels":>12}']
        for name in classes:
            cells = ''.join(f'{self.counts[name, kind]:>10}' for kind in kinds)
            share = 100 * self.pixels[name] / max(self.total_pixels, 1)
            lines.append(f'{name:<{width}}{cells}{share:>10.3f} %')
        labeled = 100 * sum(self.pixels.values()) / max(self.total_pixels, 1)
        lines.append(
            f'{self.images} images, {labeled:.3f} % of the pixels labeled; nothing '
            f'is known of {self.unknown}'
        )
        return '\n'.join(lines)


def problem_lines(problems: Problems) -> list[str]:
    """Describe the warnings of a reader, grouped, and each entry that it left out."""
    warnings = [
        Finding('warning', str(one.place or one.file), one.problem)
        for one in problems.warnings
    ]
    return [*grouped(warnings), *(f'left out: {error}' for error in problems.found)]


def grouped(findings: Sequence[Finding], most: int = 3) -> list[str]:
    """Describe findings, and join those that more than ``most`` images share.

    Example:
        >>> many = [Finding('warning', f'{i}.jpg', 'is gray') for i in range(9)]
        >>> grouped(many)
        ['warning: 9 images: is gray; first: 0.jpg']
    """
    images: dict[tuple[str, str], dict[str, None]] = {}
    for finding in findings:
        if finding.image is not None:
            key = finding.level, finding.what
            images.setdefault(key, {})[finding.image] = None
    lines: dict[str, None] = {}
    for finding in findings:
        shared = list(images.get((finding.level, finding.what), ()))
        line = str(finding)
        if len(shared) > most:
            line = (
                f'{finding.level}: {len(shared)} images: {finding.what}; first: '
                f'{shared[0]}'
            )
        lines[line] = None
    return list(lines)


def check_annotations(
    annotations: Iterable[WeakAnnotation],
    classes: Sequence[str],
    *,
    images: Path | None = None,
    background: str | None = 'background',
    problems: Problems | None = None,
) -> Report:
    """Count the annotations of each class, and collect everything that looks wrong.

    Args:
        annotations: The annotations of a whole data set.
        classes: C class names.
        images: The folder of the images, which are opened if it is given.
        background: The name of the background class; None if there is none.
        problems: The problems of the reader: malformed entries that are left out while
            the annotations are read become errors.

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
    if problems is not None:
        for error in problems.found:
            where = ', '.join(str(part) for part in (error.file, error.place) if part)
            report.add('error', where or None, error.problem)
        for doubt in problems.warnings:
            report.add('warning', doubt.place or str(doubt.file), doubt.problem)
    if not report.images:
        report.add('error', None, 'there is no image')
    if images is not None:
        _check_unannotated(seen, images, report)
    _check_whole(report, classes, background)
    return report


def _check_unannotated(annotated: set[str], images: Path, report: Report) -> None:
    """Warn of images in the folder that no annotation names."""
    if not images.is_dir():
        return
    paths = files_with_suffix(images, *IMAGE_SUFFIXES)
    names = {path.relative_to(images).as_posix() for path in paths}
    for name in sorted(names - annotated):
        report.add('warning', name, 'has no annotation')


def _check_labels(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: str | None,
    report: Report,
) -> None:
    foreign = sorted(annotation.class_names() - set(classes))
    for name in foreign:
        # One for each name, so that a misspelling in many images is one line.
        close = difflib.get_close_matches(name, classes, 1)
        hint = f'did you mean {close[0]!r}? ' if close else ''
        report.add(
            'error',
            annotation.image,
            f'{name!r} is none of the classes {list(classes)}: {hint}rename or add it',
        )
    try:
        # The other classes are counted in spite of the foreign ones.
        known_tags(annotation, [*classes, *foreign], background)
        labels = label_map(annotation, [*classes, *foreign], background=background)
    except AnnotationError as error:
        report.add('error', annotation.image, error.problem)
        return
    except ValueError as error:  # more classes than a label map of 8 bits can hold
        report.add('error', None, f'labels cannot be drawn: {error}')
        return
    pixels = np.bincount(labels.ravel(), minlength=VOID + 1)
    for number, name in enumerate(classes):
        report.pixels[name] += int(pixels[number])
    for kind, names in _classes_by_kind(annotation):
        for name in names:
            report.counts[name, kind] += 1
    areas = {'accepted', 'dense', 'polygons', 'masks', 'strokes', 'points'} & set(
        annotation.kinds()
    )
    if background is not None and areas and not pixels[classes.index(background)]:
        report.add('warning', annotation.image, f'no pixel of {background!r} is marked')
    if annotation.dense is not None:
        values = annotation.dense.labels
        void = (values == DENSE_VOID).mean()
        if void > _SUSPICIOUS_VOID and not (values == DENSE_UNLABELED).any():
            report.add(
                'warning',
                annotation.image,
                f'{100 * void:.0f} % {MOSTLY_VOID} and nothing is '
                'unlabeled (254): were unlabeled pixels meant? Void takes no part '
                'in training',
            )


def _check_image(
    annotation: WeakAnnotation, images: Path, contents: dict[str, str], report: Report
) -> None:
    path = images / annotation.image
    try:
        size = image_size(images, annotation.image)
    except MissingFileError:
        # The text is that of all such images, so that they are joined to one line.
        above = (images.parent / annotation.image).is_file()
        hint = f'give the folder above it, {images.parent}' if above else 'check it'
        report.add(
            'error',
            annotation.image,
            f'there is no such image in the folder {images} of --images: {hint}',
        )
        return
    except AnnotationError as error:
        report.add('error', annotation.image, str(error))
        return
    if size != annotation.size:
        report.add(
            'error',
            annotation.image,
            f'is {size[0]}x{size[1]}, its annotation {annotation.height}x'
            f'{annotation.width} (height x width)',
        )
    orientation = exif_orientation(path)
    if orientation in _TURNED:
        report.add(
            'warning',
            annotation.image,
            f'is {_TURNED[orientation]} by its Exif orientation when training loads '
            'it: its labels must have been drawn on the image as turned',
        )
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    if contents.setdefault(digest, annotation.image) != annotation.image:
        report.add(
            'warning', annotation.image, f'is the same picture as {contents[digest]}'
        )


def _check_whole(
    report: Report, classes: Sequence[str], background: str | None
) -> None:
    known = {name for name, _ in report.counts} | {
        name for name, count in report.pixels.items() if count
    }
    for name in classes:
        if name not in known:
            what = 'is marked nowhere: the class cannot be learned'
            report.add('warning', None, f'{name!r} {what}')
    if background is not None and not report.pixels[background] and report.images:
        report.add(
            'warning',
            None,
            f'no pixel of {background!r} is labeled in any image: everything will be '
            'taken for an object',
        )


def _classes_by_kind(annotation: WeakAnnotation) -> Iterator[tuple[str, set[str]]]:
    yield 'tags', set(annotation.tags)
    for kind in ('boxes', 'points', 'strokes', 'polygons', 'masks'):
        yield kind, {shape.label for shape in getattr(annotation, kind)} - {None}
    if annotation.dense is not None:
        yield 'dense', annotation.dense.shown()
    if annotation.accepted is not None:
        yield 'accepted', annotation.accepted.shown()


def _outside(annotation: WeakAnnotation) -> Iterator[str]:
    """Describe shapes outside of the image, and boxes that reach out of it."""
    height, width = annotation.size
    for shape in annotation.shapes():
        if isinstance(shape, Mask):
            continue
        vertices = np.array(_vertices(shape))
        inside = ((vertices >= 0) & (vertices <= (width, height))).all(axis=1)
        (left, top), (right, bottom) = vertices.min(axis=0), vertices.max(axis=0)
        beyond = left >= width or top >= height or right < 0 or bottom < 0
        kind = type(shape).__name__.lower()
        if beyond or (isinstance(shape, Point) and not inside.all()):
            yield f'a {kind} of {shape.label!r} lies outside of the image'
        elif isinstance(shape, Box) and not inside.all():
            yield f'a box of {shape.label!r} reaches out of the image'


def _repeated(annotation: WeakAnnotation) -> Iterator[str]:
    """Describe shapes that occur more than once."""
    numbers = Counter(
        (
            type(shape).__name__.lower(),
            shape.label,
            shape.key() if isinstance(shape, Mask) else tuple(_vertices(shape)),
        )
        for shape in annotation.shapes()
    )
    for (kind, label, _), number in numbers.items():
        if number > 1:
            yield f'a {kind} of {label!r} is there {number} times'


def _vertices(shape: object) -> list[tuple[float, float]]:
    if isinstance(shape, Box):
        return list(shape.outline or ((shape.x0, shape.y0), (shape.x1, shape.y1)))
    if isinstance(shape, Point):
        return [(shape.x, shape.y)]
    if isinstance(shape, Stroke):
        return list(shape.path)
    if isinstance(shape, Polygon):
        return [vertex for ring in shape.rings for vertex in ring]
    raise TypeError(f'{type(shape).__name__} has no vertices')
