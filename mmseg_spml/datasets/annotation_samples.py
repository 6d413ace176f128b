"""Data set samples from an annotation file of any format."""

import os.path as osp
import pickle
import zlib
from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.formats import detect_format, read_annotations
from mmseg_spml.annotations.label_map import has_label_map, known_tags
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation


def packed(annotation: WeakAnnotation) -> bytes:
    """Compress an annotation to bytes, because all samples are kept in memory.

    Label maps and masks are compressed to about 2 % of their size.

    Example:
        >>> annotation = WeakAnnotation('a.jpg', 4, 6, tags={'cat'})
        >>> unpacked(packed(annotation)) == annotation
        True
    """
    return zlib.compress(pickle.dumps(annotation, pickle.HIGHEST_PROTOCOL), 1)


def unpacked(content: bytes) -> WeakAnnotation:
    """Decompress the result of :func:`packed`; unsafe for bytes of other origin."""
    return pickle.loads(zlib.decompress(content))


def annotation_samples(
    path: str,
    images: str,
    classes: Sequence[str],
    format: str | None = None,
    undeclared_absent: bool = True,
) -> list[dict]:
    """List a sample for each annotated image.

    Args:
        path: Annotation file, or folder of files.
        images: Folder of the images.
        classes: Class names; a class named ``'background'`` is the background.
        format: Format of the file; detected if None.
        undeclared_absent: Whether classes that are neither shown nor declared absent
            are absent; otherwise they are unknown.

    Returns:
        list[dict]: ``img_path``, ``annotation`` (:func:`packed`), ``is_labeled``
        (whether there may be labeled pixels), ``class_names``, ``background`` and
        ``tags`` ((C,) int8: 1 present, 0 absent, -1 unknown).

    Raises:
        AnnotationError: If a class is unknown, tags and shapes contradict each other,
            an image is listed twice, or the file is malformed.

    Example:
        >>> import tempfile
        >>> path = osp.join(tempfile.mkdtemp(), 'weak.jsonl')
        >>> with open(path, 'w') as file:
        ...     _ = file.write('{"image": "a.jpg", "size": [4, 6], "tags": ["cat"]}')
        >>> (sample,) = annotation_samples(path, 'images', ('background', 'cat'))
        >>> sample['img_path'], sample['tags'].tolist()
        ('images/a.jpg', [0, 1])
    """
    format = format or detect_format(path)
    background = 'background' if 'background' in classes else None
    samples: dict[str, dict] = {}
    for annotation in read_annotations(path, format, images=images, classes=classes):
        if annotation.image in samples:
            raise AnnotationError(
                'is listed twice: merge its annotations', file=path,
                place=annotation.image,
            )  # fmt: skip
        try:
            present, absent = known_tags(annotation, classes, background)
        except AnnotationError as error:
            place = None if error.place else annotation.image
            raise error.at(file=path, place=place) from error
        unknown = ~(present | absent | undeclared_absent)
        samples[annotation.image] = dict(
            img_path=osp.join(images, annotation.image),
            seg_map_path=None,
            region_map_path=None,
            annotation=packed(annotation),
            is_labeled=has_label_map(annotation, background),
            class_names=tuple(classes),
            background=background,
            tags=present.astype(np.int8) - unknown,
        )
    return list(samples.values())
