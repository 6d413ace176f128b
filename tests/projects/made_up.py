"""A folder of images with squares, and annotations of them."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import Box, Point, Stroke, WeakAnnotation

SIDE = 64
CLASSES = ('background', 'cat', 'dog')


def strokes(name: str, label: str) -> WeakAnnotation:
    """A stroke on the square and one on the background."""
    return WeakAnnotation(
        name,
        SIDE,
        SIDE,
        strokes=[
            Stroke(label, [(24.0, 30.0), (40.0, 34.0)], 3),
            Stroke('background', [(4.0, 4.0), (60.0, 4.0)], 3),
        ],
    )


def points(name: str, label: str) -> WeakAnnotation:
    """A click on the square and one on the background."""
    clicks = [Point(label, 32, 32), Point('background', 5, 5)]
    return WeakAnnotation(name, SIDE, SIDE, points=clicks)


def boxes(name: str, label: str) -> WeakAnnotation:
    """The box of the square."""
    return WeakAnnotation(name, SIDE, SIDE, boxes=[Box(label, 16, 16, 48, 48)])


def tags(name: str, label: str) -> WeakAnnotation:
    """The tag alone."""
    return WeakAnnotation(name, SIDE, SIDE, tags={label}, tags_complete=True)


def mixed(name: str, label: str) -> WeakAnnotation:
    """Strokes on the first image, a box on the second, tags of the others."""
    kinds = {'00': strokes, '01': boxes}
    return kinds.get(Path(name).stem, tags)(name, label)


def make_data(
    root: Path,
    number: int = 4,
    annotate: Callable[[str, str], WeakAnnotation] = strokes,
    format: str = 'jsonl',
    suffix: str = '.jpg',
) -> tuple[Path, Path]:
    """Write images of red cats and blue dogs; return annotations and images."""
    images = root / 'images'
    images.mkdir(parents=True)
    generator = np.random.default_rng(0)
    found = []
    for index in range(number):
        label = CLASSES[1 + index % 2]
        image = generator.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        image[16:48, 16:48, 2 if label == 'cat' else 0] += 150
        name = f'{index:02d}{suffix}'
        cv2.imwrite(str(images / name), image)
        found.append(annotate(name, label))
    out = root / {'jsonl': 'weak.jsonl', 'labelme': 'labels'}.get(format, 'weak')
    if format == 'cvat':
        out = root / 'annotations.xml'
    if format == 'label_studio':
        out = root / 'export.json'
    write_annotations(found, out, format, classes=CLASSES)
    return out, images
