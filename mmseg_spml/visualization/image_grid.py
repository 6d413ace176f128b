"""Grids of images with titles and a legend, written to files and pages.

Letters: C classes.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_spml.visualization.label_maps import Color

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (30, 30, 30)
_LINE = 20  # height of a line of text, in pixels


def class_legend(
    classes: Sequence[str], palette: Sequence[Color], width: int
) -> np.ndarray:
    """Draw class names beside their colors, in as many lines as needed.

    Args:
        classes: The C class names.
        palette: The C RGB colors of the classes.
        width: The width of the picture in pixels.

    Returns:
        (h, width, 3) uint8 RGB.

    Raises:
        ValueError: The numbers of names and colors differ.
    """
    if len(classes) != len(palette):
        raise ValueError(f'{len(classes)} class names but {len(palette)} colors')
    places, x, y = [], 4, 0
    for name in classes:
        needed = 26 + cv2.getTextSize(name, _FONT, 0.42, 1)[0][0]
        if x > 4 and x + needed > width:
            x, y = 4, y + _LINE
        places.append((x, y))
        x += needed
    canvas = np.full((y + _LINE + 4, width, 3), 255, np.uint8)
    for name, color, (x, y) in zip(classes, palette, places):
        canvas[y + 5 : y + 17, x : x + 12] = color
        _put_text(canvas, name, x + 16, y + 15, 0.42)
    return canvas


def image_grid(
    rows: Sequence[Sequence[tuple[str, np.ndarray]]],
    *,
    height: int = 192,
    gap: int = 6,
    legend: tuple[Sequence[str], Sequence[Color]] | None = None,
) -> np.ndarray:
    """Arrange images with titles in rows and columns on white.

    Args:
        rows: Lists of pairs of a title and an (h, w, 3) uint8 RGB image. A row without
            any title takes no space for titles. Rows may differ in length.
        height: The height in pixels to which each image is scaled.
        gap: The space between images in pixels.
        legend: Class names and palette, drawn below the images.

    Returns:
        One (h, w, 3) uint8 RGB image.

    Raises:
        ValueError: There is no image, or a row is empty.
    """
    if not rows or not all(rows):
        raise ValueError('image_grid needs at least one picture in every row')
    scaled = [[_fit(picture, height) for _, picture in row] for row in rows]
    columns = max(len(row) for row in rows)
    widths = [
        max(row[column].shape[1] for row in scaled if column < len(row))
        for column in range(columns)
    ]
    heads = [_LINE if any(title for title, _ in row) else 0 for row in rows]
    total = sum(heads) + len(rows) * (height + gap) + gap
    canvas = np.full((total, sum(widths) + (columns + 1) * gap, 3), 255, np.uint8)
    top = gap
    for row, pictures, head in zip(rows, scaled, heads):
        left = gap
        for (title, _), picture, width in zip(row, pictures, widths):
            _put_title(canvas, title, left, top, width)
            below = top + head
            canvas[below : below + height, left : left + picture.shape[1]] = picture
            left += width + gap
        top += head + height + gap
    if legend is None:
        return canvas
    return np.concatenate([canvas, class_legend(*legend, canvas.shape[1])])


def data_url(image: np.ndarray, suffix: str) -> str:
    """Encode an image as a data URL for an HTML page.

    Args:
        image: (H, W, 3) or (H, W, 4) uint8, RGB or RGBA.
        suffix: The format, ``'.jpg'`` or ``'.png'``.
    """
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, content = cv2.imencode(suffix, cv2.cvtColor(image, code))
    kind = {'.jpg': 'jpeg', '.png': 'png'}[suffix]
    return f'data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}'


def _fit(picture: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    shrinks = height < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(picture, (width, height), interpolation=method)


def _put_title(canvas: np.ndarray, title: str, left: int, top: int, width: int) -> None:
    needed = cv2.getTextSize(title, _FONT, 0.45, 1)[0][0]
    scale = 0.45 * min(1.0, width / max(needed, 1))  # long titles shrink to fit
    _put_text(canvas, title, left, top + 14, scale)


def _put_text(canvas: np.ndarray, text: str, x: int, y: int, scale: float) -> None:
    cv2.putText(canvas, text, (x, y), _FONT, scale, _INK, 1, cv2.LINE_AA)
