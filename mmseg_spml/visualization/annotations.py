"""Weak annotations as pictures: single ones, contact sheets, a page to look through.

Letters: H, W image size, C classes.
"""

import base64
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.functional.segments import VOID
from mmseg_spml.visualization.panels import VOID_COLOUR, Colour

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
    kinds = ('dense', 'polygons', 'masks', 'strokes', 'points')
    labels = label_map(annotation, classes, priority=kinds, background=None)
    colours = np.zeros((VOID + 1, 4), np.uint8)
    colours[: len(classes), :3] = palette
    colours[VOID, :3] = VOID_COLOUR
    colours[: len(classes), 3] = colours[VOID, 3] = _OPACITY
    layer = colours[labels]
    layer = cv2.resize(layer, size[::-1], interpolation=cv2.INTER_NEAREST)
    scale = np.array([size[1] / annotation.width, size[0] / annotation.height] * 2)
    for box in annotation.boxes:
        left, top, right, bottom = np.array([box.x0, box.y0, box.x1, box.y1]) * scale
        label = None if box.label is None else classes.index(box.label)
        colour = VOID_COLOUR if label is None else palette[label]
        corners = (int(left), int(top)), (int(right) - 1, int(bottom) - 1)
        cv2.rectangle(layer, *corners, (*map(int, colour), 255), 1)
    return layer


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
                'image': _data_url(image, '.jpg'),
                'layer': _data_url(layer, '.png'),
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


def _data_url(image: np.ndarray, suffix: str) -> str:
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, content = cv2.imencode(suffix, cv2.cvtColor(image, code))
    kind = {'.jpg': 'jpeg', '.png': 'png'}[suffix]
    return f'data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}'
