"""What the annotations and images of a project are like.

Letters: H, W image size.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from mmseg_spml.annotations.check import Report, check_annotations
from mmseg_spml.annotations.class_names import as_background
from mmseg_spml.annotations.formats import detect_format, read_annotations
from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.renaming import renamed_classes
from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.io.image_folders import names_of_images, warn_of_unread_images
from mmseg_spml.io.images import BANDED_SUFFIXES, READABLE_SUFFIXES, read_bands
from mmseg_spml.io.progress import watched
from mmseg_spml.projects.full_masks import usable_masks

BACKGROUND = 'background'
PIXEL_KINDS = ('points', 'strokes', 'polygons', 'masks', 'dense', 'accepted')
"""The kinds of annotations that label pixels."""


@dataclass
class Survey:
    """What was found.

    Attributes:
        source: The file or folder of annotations.
        format: The name of their format.
        images: The folder of the images.
        classes: The class names, the background first if there is one.
        annotations: One annotation for each image that can be trained on.
        unannotated: The names of images without an annotation.
        missing: The names of annotated images without a file.
        report: The counts and the findings of the checker.
        problems: Malformed entries, which were left out.
        unusable: The names of annotated images that training would fail on, such as
            those of another size; the report says why.
        renamed: The name that stands for the background in the source, if it is not
            ``'background'`` there.
        bands: The number of bands of the first images.
        unread: Why some of these could not be read; they count as photographs.
        depths: The NumPy dtypes of the first images.
        masks: The folder of full masks, if there is one.
        masked: The names of images with a full mask.
    """

    source: Path
    format: str
    images: Path
    classes: tuple[str, ...]
    annotations: list[WeakAnnotation]
    unannotated: list[str]
    missing: list[str]
    report: Report
    problems: Problems
    unusable: list[str] = field(default_factory=list)
    renamed: str | None = None
    bands: Counter = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    depths: Counter = field(default_factory=Counter)
    masks: Path | None = None
    masked: list[str] = field(default_factory=list)

    @property
    def labeled(self) -> list[WeakAnnotation]:
        """The annotations that label pixels."""
        return [a for a in self.annotations if labels_pixels(a)]

    @property
    def boxed(self) -> list[WeakAnnotation]:
        """The annotations that have boxes and label no pixels."""
        labeled = {annotation.image for annotation in self.labeled}
        return [a for a in self.annotations if a.boxes and a.image not in labeled]

    @property
    def tagged(self) -> list[WeakAnnotation]:
        """The annotations that have tags alone, or say that no class is shown."""
        others = {a.image for a in (*self.labeled, *self.boxed)}
        return [a for a in self.annotations if a.image not in others]

    @property
    def pixels(self) -> dict[str, int]:
        """The number of labeled pixels of each class."""
        return {name: self.report.pixels[name] for name in self.classes}

    @property
    def largest_side(self) -> int:
        """The longest side of any image in pixels."""
        return max(max(annotation.size) for annotation in self.annotations)


def take_survey(
    source: str | Path,
    images: str | Path,
    *,
    format: str | None = None,
    classes: Sequence[str] | None = None,
    masks: str | Path | None = None,
    **options: Any,
) -> Survey:
    """Look at all annotations and at the heads of the images.

    Malformed entries are left out and kept among the problems.

    Args:
        source: The file or folder of annotations.
        images: The folder of the images, with subfolders.
        format: The name of the format; detected if None.
        classes: The class names in the order of their ids. None: the names that occur,
            the background first and the others by the alphabet. A name such as 'bg' or
            '_background_' then becomes 'background'.
        masks: A folder of full masks of some images, ``NAME.png``: class ids, 255 void.
        **options: Options of the formats, as of ``read_annotations``.

    Raises:
        FileNotFoundError: Annotations or images are missing.
        AnnotationError: No image is annotated, no annotated image has a file, or none
            can be used.
        ValueError: There are masks, but no ``classes``, or a name of ``classes`` is
            likely misspelled.
    """
    source, images = Path(source), Path(images)
    if masks is not None and classes is None:
        raise ValueError(
            'masks hold class ids: say which class is which by --classes, in the order '
            'of the ids'
        )
    names = _image_names(images)
    format = format or detect_format(source)
    problems = Problems(skip=True)
    found = read_annotations(
        source, format, images=images, classes=classes, problems=problems, **options
    )
    found = watched(found, 'reading annotations')
    read = merge_by_image(found, problems, source)
    if not read:
        first = f'; first problem: {problems.found[0]}' if problems.found else ''
        raise AnnotationError(f'annotates no image{first}', file=source)
    renamed = None
    if classes is None:
        renamed, read = _with_background(read)
    known = set(names)
    annotations = [a for a in read if a.image in known and says_anything(a)]
    missing = [a.image for a in read if a.image not in known]
    if not annotations:
        raise AnnotationError(_no_common_name(read, names, images), file=source)
    if masks is None and classes is not None:
        _check_spelling(annotations, classes)
    chosen = _class_names(annotations, classes)
    report = check_annotations(
        watched(annotations, 'checking'), chosen, images=images, problems=problems
    )
    bad = {finding.image for finding in report.findings if finding.level == 'error'}
    usable = [a for a in annotations if a.image not in bad]
    if not usable:
        error = next(f for f in report.findings if f.level == 'error')
        raise AnnotationError(f'no image can be used; first {error}', file=source)
    annotated = {annotation.image for annotation in annotations}
    unusable = [a.image for a in annotations if a.image in bad]
    survey = Survey(
        source,
        format,
        images,
        chosen,
        usable,
        [name for name in names if name not in annotated],
        missing,
        report,
        problems,
        unusable,
        renamed=renamed,
    )
    if masks is not None:
        survey.masks = Path(masks)
        survey.masked = usable_masks(names, images, survey.masks, chosen, problems)
    _look_at_images(survey)
    return survey


def _with_background(
    annotations: list[WeakAnnotation],
) -> tuple[str | None, list[WeakAnnotation]]:
    """Rename the one class that stands for the background in all but its spelling."""
    meant = [name for name in _found_names(annotations) if as_background(name)]
    if len(meant) != 1 or meant[0] == BACKGROUND:
        return None, annotations
    new = {meant[0]: BACKGROUND}
    return meant[0], [renamed_classes(one, new) for one in annotations]


def labels_pixels(annotation: WeakAnnotation) -> bool:
    """Whether an annotation labels pixels, not only boxes or tags."""
    return any(getattr(annotation, kind) for kind in PIXEL_KINDS)


def says_anything(annotation: WeakAnnotation) -> bool:
    """Whether anything is known of an image."""
    return bool(annotation.shown()) or annotation.tags_complete


def _image_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no folder of images {folder}')
    names = names_of_images(folder, READABLE_SUFFIXES)
    warn_of_unread_images(folder, READABLE_SUFFIXES)
    if not names:
        raise FileNotFoundError(f'there is no image in {folder}')
    return sorted(names)


def _no_common_name(
    annotations: Sequence[WeakAnnotation], names: Sequence[str], folder: Path
) -> str:
    if any(annotation.image in set(names) for annotation in annotations):
        return 'says nothing about any image: no shapes and no tags'
    above = (folder.parent / annotations[0].image).is_file()
    hint = f'. Give the folder above it, {folder.parent}' if above else ''
    return (
        f'no annotated image is in {folder}: annotated are '
        f'{_few(a.image for a in annotations)}, in the folder are {_few(names)}{hint}'
    )


def _few(names: Sequence[str] | Iterator[str], most: int = 3) -> str:
    listed = list(names)
    return ', '.join(listed[:most]) + (', ...' if len(listed) > most else '')


def _class_names(
    annotations: Sequence[WeakAnnotation], given: Sequence[str] | None
) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    found = _found_names(annotations)
    names = sorted(found - {BACKGROUND})
    boxes_alone = not any(getattr(a, kind) for a in annotations for kind in PIXEL_KINDS)
    if BACKGROUND in found or boxes_alone:
        # What is outside of boxes, or carries no tag, is background.
        names.insert(0, BACKGROUND)
    return tuple(names)


# Alike are "motorbike" and "motobike", but not "left kidney" and "right kidney".
_ALIKE = 0.85


def _found_names(annotations: Sequence[WeakAnnotation]) -> set[str]:
    found = {name for annotation in annotations for name in annotation.class_names()}
    dense = {n for a in annotations if a.dense is not None for n in a.dense.classes}
    return found | dense


def _check_spelling(
    annotations: Sequence[WeakAnnotation], given: Sequence[str]
) -> None:
    """Refuse a class that no label has, where a label resembles it that is no class."""
    found = _found_names(annotations)
    others = sorted(found - set(given))
    for name in sorted(set(given) - found - {BACKGROUND}):
        close = difflib.get_close_matches(name, others, 1, _ALIKE)
        close += [other for other in others if sorted(other) == sorted(name)]
        if close:
            raise ValueError(
                f'no label is of the class {name!r}, but some are of {close[0]!r}, '
                'which --classes does not name, so that their images would be left '
                'out: correct the name, or name both'
            )


def _look_at_images(survey: Survey, most: int = 20) -> None:
    """Count the bands and depths of some images."""
    for annotation in evenly_spread(survey.annotations, most):
        path = survey.images / annotation.image
        try:
            shape, depth = _bands_and_depth(path)
        except (ValueError, OSError, ImportError, cv2.error) as error:
            survey.unread.append(str(error))
            shape, depth = 3, 'uint8'
        survey.bands[shape] += 1
        survey.depths[depth] += 1


def _bands_and_depth(path: Path) -> tuple[int, str]:
    image = read_bands(path)
    bands = image.shape[2]
    if bands == 4 and path.suffix.lower() not in BANDED_SUFFIXES:
        bands = 3  # and an alpha channel
    return bands, str(image.dtype)
