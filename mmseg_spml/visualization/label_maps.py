"""Pictures of label maps, segments and embeddings, as RGB uint8 arrays.

Letters: H, W image size, C classes, D embedding.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Union

import cv2
import numpy as np

from mmseg_spml.functional.region_metrics import boundary_pixels
from mmseg_spml.functional.segments import VOID

UNLABELLED_COLOUR = (255, 255, 255)
VOID_COLOUR = (128, 128, 128)
Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (30, 30, 30)
_LINE = 20  # height of a line of text, in pixels


class EmbeddingColours(NamedTuple):
    """How an embedding becomes RGB; reuse it to compare pictures.

    ``mean`` (D,) and ``axes`` (D, 3) project, ``low`` and ``high`` (3,) are
    the projected values that become 0 and 255.
    """

    mean: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray


def colourise(
    label_map: np.ndarray,
    palette: Sequence[Colour],
    *,
    unlabelled: Colour = UNLABELLED_COLOUR,
    void: Colour = VOID_COLOUR,
) -> np.ndarray:
    """A label map in the colours of its classes.

    Args:
        label_map: (H, W) integer: 0..C-1, C (unlabelled) or 255 (void).
        palette: C RGB colours, 0..255.
        unlabelled: colour of the value C.
        void: colour of the value 255.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: if the map holds another value.

    Example:
        >>> colourise(np.array([[0, 1, 255]]), [(9, 9, 9)], void=(7, 0, 0)).tolist()
        [[[9, 9, 9], [255, 255, 255], [7, 0, 0]]]
    """
    label_map = np.asarray(label_map)
    size = len(palette)
    foreign = np.unique(label_map[(label_map > size) | (label_map < 0)])
    if len(foreign) and foreign.tolist() != [VOID]:
        raise ValueError(
            f'a label map of {size} classes holds 0..{size - 1}, {size} (unlabelled) '
            f'and {VOID} (void), but this one also holds {foreign.tolist()}'
        )
    table = np.zeros((256, 3), np.uint8)
    table[:size] = np.asarray(palette, np.uint8).reshape(size, 3)
    table[size] = unlabelled
    table[VOID] = void
    return table[label_map]


def overlay_weak_labels(
    image: np.ndarray,
    weak: np.ndarray,
    palette: Sequence[Colour],
    *,
    fade: float = 0.6,
    grow: int = 0,
) -> np.ndarray:
    """The labelled pixels in class colours on the faded image.

    Args:
        image: (H, W, 3) uint8 RGB.
        weak: (H, W) integer, 0..C-1 labelled, other values not.
        palette: C RGB colours.
        fade: 0 keeps the image, 1 makes it white.
        grow: pixels by which marks are widened, to show small points.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: if the sizes differ.
    """
    _check_same_size(image, weak, 'weak label map')
    canvas = np.round(image * (1 - fade) + 255 * fade).astype(np.uint8)
    kernel = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
    grown = {
        label: cv2.dilate((weak == label).astype(np.uint8), kernel).astype(bool)
        for label in np.unique(weak[weak < len(palette)])
    }
    for label, mark in grown.items():
        canvas[mark] = palette[label]
    for label in grown:  # marks that touch: the true pixels win
        canvas[weak == label] = palette[label]
    return canvas


def draw_segment_outlines(
    image: np.ndarray, segment_map: np.ndarray, colour: Colour = (255, 230, 0)
) -> np.ndarray:
    """The image with a line of one pixel along the borders of segments.

    Args:
        image: (H, W, 3) uint8 RGB.
        segment_map: (H, W) integer ids; any values.
        colour: RGB of the lines.

    Returns:
        (H, W, 3) uint8 RGB; a pixel is a border if the pixel to its right or
        below it belongs to another segment.

    Raises:
        ValueError: if the sizes differ.
    """
    _check_same_size(image, segment_map, 'segment map')
    canvas = image.copy()
    canvas[boundary_pixels(segment_map)] = colour
    return canvas


def embedding_to_rgb(
    embedding: np.ndarray, components: Optional[EmbeddingColours] = None
) -> tuple[np.ndarray, EmbeddingColours]:
    """The first three principal components of an embedding as colours.

    Args:
        embedding: (D, H, W) float.
        components: those of an earlier call, for comparable colours; fitted to
            this embedding if None.

    Returns:
        (H, W, 3) uint8 RGB, each channel stretched from the 2nd to the 98th
        percentile, and the components.

    Raises:
        ValueError: if the shape or D is wrong, or a value is not finite.
    """
    embedding = np.asarray(embedding, np.float64)
    if embedding.ndim != 3 or not np.isfinite(embedding).all():
        raise ValueError(
            f'embedding must be (D, H, W) and finite, got shape {embedding.shape}'
        )
    points = embedding.reshape(len(embedding), -1).T
    if components is None:
        components = fit_colours(points)
    elif len(components.mean) != len(embedding):
        raise ValueError(
            f'components are for D = {len(components.mean)}, '
            f'the embedding has D = {len(embedding)}'
        )
    span = components.high - components.low
    projected = (points - components.mean) @ components.axes - components.low
    flat = span < 1e-9  # nothing to tell apart: mid-grey
    unit = np.where(flat, 0.5, projected / np.where(flat, 1, span))
    rgb = np.round(255 * np.clip(unit, 0, 1)).astype(np.uint8)
    return rgb.reshape(*embedding.shape[1:], 3), components


def class_legend(
    classes: Sequence[str], palette: Sequence[Colour], width: int
) -> np.ndarray:
    """Class names beside their colours, in as many lines as needed.

    Args:
        classes: C names.
        palette: C RGB colours.
        width: of the picture, in pixels.

    Returns:
        (h, width, 3) uint8 RGB.

    Raises:
        ValueError: if the numbers of names and colours differ.
    """
    if len(classes) != len(palette):
        raise ValueError(f'{len(classes)} class names but {len(palette)} colours')
    places, x, y = [], 4, 0
    for name in classes:
        needed = 26 + cv2.getTextSize(name, _FONT, 0.42, 1)[0][0]
        if x > 4 and x + needed > width:
            x, y = 4, y + _LINE
        places.append((x, y))
        x += needed
    canvas = np.full((y + _LINE + 4, width, 3), 255, np.uint8)
    for name, colour, (x, y) in zip(classes, palette, places):
        canvas[y + 5 : y + 17, x : x + 12] = colour
        _put_text(canvas, name, x + 16, y + 15, 0.42)
    return canvas


def panel_grid(
    rows: Sequence[Sequence[tuple[str, np.ndarray]]],
    *,
    height: int = 192,
    gap: int = 6,
    legend: Optional[tuple[Sequence[str], Sequence[Colour]]] = None,
) -> np.ndarray:
    """Pictures with titles in rows and columns, on white.

    Args:
        rows: lists of (title, (h, w, 3) uint8 RGB); a row without any title
            takes no space for titles. Rows may differ in length.
        height: to which each picture is scaled, in pixels.
        gap: between pictures, in pixels.
        legend: class names and palette, drawn below the pictures.

    Returns:
        One (h, w, 3) uint8 RGB picture.

    Raises:
        ValueError: if there is no picture.
    """
    if not rows or not all(rows):
        raise ValueError('panel_grid needs at least one picture in every row')
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


def write_picture(path: Union[str, Path], picture: np.ndarray) -> None:
    """Write a picture in the format that the file's suffix names.

    Args:
        path: The file; its folder must be there.
        picture: (H, W, 3) uint8, RGB.

    Raises:
        OSError: the folder is missing, or no format has this suffix.
    """
    try:
        written = cv2.imwrite(str(path), picture[..., ::-1])
    except cv2.error:  # an unknown suffix
        written = False
    if not written:
        raise OSError(f'{path} could not be written: check its suffix and folder')


def data_url(image: np.ndarray, suffix: str) -> str:
    """A picture within the text of a page.

    Args:
        image: (H, W, 3) or (H, W, 4) uint8, RGB or RGBA.
        suffix: ``'.jpg'`` or ``'.png'``.
    """
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, content = cv2.imencode(suffix, cv2.cvtColor(image, code))
    kind = {'.jpg': 'jpeg', '.png': 'png'}[suffix]
    return f'data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}'


def fit_colours(
    points: np.ndarray, earlier: Optional[np.ndarray] = None
) -> EmbeddingColours:
    """Colours of the first three principal components of some points.

    Args:
        points: (P, D) float.
        earlier: (P, 3) projections of the same points in an earlier picture, such as
            ``points @ axes``: the components are rotated to come as near to them as
            they can, so that the colours of a network in training do not jump.

    Raises:
        ValueError: If ``earlier`` is not of these points.
    """
    mean = points.mean(axis=0)
    centred = points - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = np.zeros((points.shape[1], 3))
    count = min(3, points.shape[1])
    axes[:, :count] = vectors[:, ::-1][:, :count]
    # an eigenvector's sign is arbitrary: fix it by its largest entry
    strongest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[strongest, np.arange(3)] < 0, -1.0, 1.0)
    if earlier is not None:
        axes = axes @ _rotation(centred @ axes, earlier)
    low, high = np.percentile(centred @ axes, (2, 98), axis=0)
    return EmbeddingColours(mean, axes, low, high)


def _rotation(points: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """(3, 3) orthogonal, from centred points to others (orthogonal Procrustes)."""
    if earlier.shape != points.shape:
        raise ValueError(
            f'expected {points.shape} earlier projections, got {earlier.shape}'
        )
    left, _, right = np.linalg.svd(points.T @ (earlier - earlier.mean(axis=0)))
    return left @ right


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


def _check_same_size(image: np.ndarray, other: np.ndarray, what: str) -> None:
    if image.shape[:2] != other.shape:
        raise ValueError(
            f'the image is {image.shape[:2]}, the {what} {other.shape} '
            '(height, width): they must have one size'
        )
