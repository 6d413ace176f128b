"""Weak annotations as pictures: single ones, contact sheets, a page to look through.

Letters: H, W image size, C classes.
"""

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    DenseMap,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.functional.segments import VOID
from mmseg_spml.visualization.panels import VOID_COLOUR, Colour, data_url

_TEMPLATE = Path(__file__).with_name('annotation_page.html')
_OPACITY = 200


def annotation_layer(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    palette: Sequence[Colour],
    size: tuple[int, int],
) -> np.ndarray:
    """The marks of an image, transparent elsewhere.

    Areas, strokes and clicks as training draws them; boxes as outlines.

    Args:
        annotation: What is known of the image.
        classes: C names.
        palette: C RGB colours.
        size: (height, width) of the picture, which may be smaller than the image.

    Returns:
        (height, width, 4) uint8 RGBA.

    Raises:
        AnnotationError: a label is none of ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Point
        >>> weak = WeakAnnotation('a.jpg', 9, 9, points=[Point('cat', 4.5, 4.5)])
        >>> layer = annotation_layer(weak, ('cat',), [(255, 0, 0)], (9, 9))
        >>> layer[4, 4].tolist(), layer[0, 0].tolist()
        ([255, 0, 0, 200], [0, 0, 0, 0])
    """
    check_classes(annotation, classes)
    drawn = _scaled(annotation, size)
    kinds = ('dense', 'polygons', 'masks', 'strokes', 'points')
    labels = label_map(drawn, classes, priority=kinds, background=None)
    colours = np.zeros((VOID + 1, 4), np.uint8)
    colours[: len(classes), :3] = palette
    colours[VOID, :3] = VOID_COLOUR
    colours[: len(classes), 3] = colours[VOID, 3] = _OPACITY
    layer = colours[labels]
    for box in drawn.boxes:
        colour = VOID_COLOUR if box.label is None else palette[classes.index(box.label)]
        corners = (int(box.x0), int(box.y0)), (int(box.x1) - 1, int(box.y1) - 1)
        cv2.rectangle(layer, *corners, (*map(int, colour), 255), 1)
    return layer


def check_classes(annotation: WeakAnnotation, classes: Sequence[str]) -> None:
    """Refuse an annotation that shows other classes.

    Raises:
        AnnotationError: naming the image and the classes.
    """
    unknown = sorted(annotation.shown() - set(classes))
    if unknown:
        raise AnnotationError(
            f'the classes {unknown} are none of {list(classes)}; rename them or add '
            'them to the classes',
            place=annotation.image,
        )


def _scaled(annotation: WeakAnnotation, size: tuple[int, int]) -> WeakAnnotation:
    """The annotation of a picture of another size; no mark gets lost.

    Strokes keep a width of two pixels at least, clicks their radius.
    """
    if size == annotation.size:
        return annotation
    x, y = size[1] / annotation.width, size[0] / annotation.height

    def moved(vertices: Sequence) -> list:
        return [(a * x, b * y) for a, b in vertices]

    def resized(array: np.ndarray) -> np.ndarray:
        return cv2.resize(
            array.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST
        )

    dense = annotation.dense
    return WeakAnnotation(
        annotation.image,
        *size,
        boxes=[
            Box(box.label, box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)
            for box in annotation.boxes
        ],
        points=[
            Point(point.label, point.x * x, point.y * y) for point in annotation.points
        ],
        strokes=[
            Stroke(one.label, moved(one.path), max((one.width or 3) * x, 2))
            for one in annotation.strokes
        ],
        polygons=[
            Polygon(one.label, [moved(ring) for ring in one.rings])
            for one in annotation.polygons
        ],
        masks=[
            Mask(one.label, resized(one.mask).astype(bool)) for one in annotation.masks
        ],
        dense=None if dense is None else DenseMap(dense.classes, resized(dense.labels)),
    )


def draw_annotation(image: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """An image under a layer of :func:`annotation_layer`.

    Args:
        image: (H, W, 3) uint8 RGB.
        layer: (H, W, 4) uint8 RGBA.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    opacity = layer[..., 3:].astype(np.float32) / 255
    return (image * (1 - opacity) + layer[..., :3] * opacity).round().astype(np.uint8)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its longer side at most ``side`` pixels."""
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def annotation_page(
    pictures: Iterable[tuple[WeakAnnotation, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Colour],
    title: str = 'Weak annotations',
) -> str:
    """A self-contained HTML page with all images, to filter and look through.

    Args:
        pictures: Annotations with their (possibly smaller) RGB images.
        classes: C names.
        palette: C RGB colours.
        title: Of the page.

    Returns:
        HTML text; it loads nothing from anywhere.
    """
    cards = []
    for annotation, image in pictures:
        layer = annotation_layer(annotation, classes, palette, image.shape[:2])
        names = sorted(annotation.shown(), key=list(classes).index)
        cards.append(
            {
                'name': annotation.image,
                'size': f'{annotation.width} × {annotation.height}',
                'classes': names,
                'absent': sorted(annotation.absent),
                'kinds': annotation.kinds(),
                'image': data_url(image, '.jpg'),
                'layer': data_url(layer, '.png'),
            }
        )
    colours = {
        name: '#{:02x}{:02x}{:02x}'.format(*map(int, colour))
        for name, colour in zip(classes, palette)
    }
    # no '</script>' may end the block early
    data = json.dumps({'cards': cards, 'colours': colours}).replace('</', '<\\/')
    page = _TEMPLATE.read_text(encoding='utf-8')
    return page.replace('{{title}}', html.escape(title)).replace('{{data}}', data)
