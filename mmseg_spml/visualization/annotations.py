"""Pictures of weak annotations: single ones, contact sheets, and a page to browse.

Letters: H, W image size, C classes.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.scaling import scaled_annotation
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.visualization.image_grid import data_url
from mmseg_spml.visualization.label_maps import VOID_COLOR, Color

_TEMPLATE = Path(__file__).with_name('annotation_page.html')
_OPACITY = 200


def annotation_layer(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    palette: Sequence[Color],
    size: tuple[int, int],
) -> np.ndarray:
    """Draw the shapes of an annotation on a transparent layer.

    Areas, strokes and clicks are drawn as in training, with a light and a dark line
    around them, boxes as outlines.

    Args:
        annotation: The weak annotation of an image.
        classes: The C class names.
        palette: The C RGB colors of the classes.
        size: The (height, width) of the picture, which may be smaller than the image.

    Returns:
        (height, width, 4) uint8 RGBA.

    Raises:
        AnnotationError: A label is not among ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Point
        >>> weak = WeakAnnotation('a.jpg', 9, 9, points=[Point('cat', 4.5, 4.5)])
        >>> layer = annotation_layer(weak, ('cat',), [(255, 0, 0)], (9, 9))
        >>> layer[4, 4].tolist(), layer[0, 0].tolist()
        ([255, 0, 0, 200], [0, 0, 0, 0])
    """
    check_classes(annotation, classes)
    # Strokes stay at least two pixels wide, to be seen.
    drawn = scaled_annotation(annotation, size, stroke_width=3, min_stroke_width=2)
    kinds = ('accepted', 'dense', 'polygons', 'masks', 'strokes', 'points')
    labels = label_map(drawn, classes, priority=kinds, background=None)
    colors = np.zeros((VOID + 1, 4), np.uint8)
    colors[: len(classes), :3] = palette
    colors[VOID, :3] = VOID_COLOR
    colors[: len(classes), 3] = colors[VOID, 3] = _OPACITY
    layer = colors[labels]
    _outline(layer)
    for box in drawn.boxes:
        color = VOID_COLOR if box.label is None else palette[classes.index(box.label)]
        line = (*map(int, color), 255)
        if box.outline is not None:
            vertices = np.floor(np.array(box.outline)).astype(np.int32)
            cv2.polylines(layer, [vertices], True, line, 1)
            continue
        corners = (int(box.x0), int(box.y0)), (int(box.x1) - 1, int(box.y1) - 1)
        cv2.rectangle(layer, *corners, line, 1)
    return layer


def _outline(layer: np.ndarray) -> None:
    """Draw a light and a dark line around the shapes, so that all colors are seen."""
    shape = (layer[..., 3] > 0).astype(np.uint8)
    for width, line in ((2, (0, 0, 0, 160)), (1, (255, 255, 255, 255))):
        side = 2 * width + 1
        grown = cv2.dilate(shape, np.ones((side, side), np.uint8))
        layer[grown > shape] = line


def _size_warning(size: tuple[int, int] | None) -> str:
    return '' if size is None else f'the image has {size[1]} × {size[0]} pixels'


def check_classes(annotation: WeakAnnotation, classes: Sequence[str]) -> None:
    """Raise an error if an annotation shows classes that are not listed.

    Raises:
        AnnotationError: The annotation shows other classes; the message names the
            image and the classes.
    """
    unknown = sorted(annotation.shown() - set(classes))
    if unknown:
        raise AnnotationError(
            f'the classes {unknown} are none of {list(classes)}; rename them or add '
            'them to the classes',
            place=annotation.image,
        )


def draw_annotation(image: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Blend a layer of :func:`annotation_layer` over an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        layer: (H, W, 4) uint8 RGBA.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    opacity = layer[..., 3:].astype(np.float32) / 255
    return (image * (1 - opacity) + layer[..., :3] * opacity).round().astype(np.uint8)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """Shrink an image so that its longer side has at most ``side`` pixels."""
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def annotation_page(
    pictures: Iterable[tuple[WeakAnnotation, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Color],
    title: str = 'Weak annotations',
    other_sizes: Mapping[str, tuple[int, int]] | None = None,
) -> str:
    """Make a self-contained HTML page of all images that can be filtered and browsed.

    Args:
        pictures: Annotations with their (possibly smaller) RGB images.
        classes: The C class names.
        palette: The C RGB colors of the classes.
        title: The title of the page.
        other_sizes: The (H, W) of the images whose size is not the one that their
            annotation states, by name. The page points these out.

    Returns:
        The HTML text, which refers to no other file.
    """
    other_sizes = other_sizes or {}
    cards = []
    for annotation, image in pictures:
        layer = annotation_layer(annotation, classes, palette, image.shape[:2])
        names = sorted(annotation.shown(), key=list(classes).index)
        cards.append(
            {
                'name': annotation.image,
                'size': f'{annotation.width} × {annotation.height}',
                'warning': _size_warning(other_sizes.get(annotation.image)),
                'classes': names,
                'absent': sorted(annotation.absent),
                'kinds': annotation.kinds(),
                'image': data_url(image, '.jpg'),
                'layer': data_url(layer, '.png'),
            }
        )
    colors = {
        name: '#{:02x}{:02x}{:02x}'.format(*map(int, color))
        for name, color in zip(classes, palette)
    }
    # In a name, '</script>' or '<!--<script>' would end or swallow the block.
    data = json.dumps({'cards': cards, 'colors': colors}).replace('<', '\\u003c')
    texts = {'title': html.escape(title), 'data': data}
    # All at once: a name may hold the mark of another text.
    return re.sub(
        r'\{\{(\w+)\}\}',
        lambda mark: texts[mark[1]],
        _TEMPLATE.read_text(encoding='utf-8'),
    )
