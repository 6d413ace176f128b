"""Masks whose classes are colors, and the file that names the colors.

CVAT's "Segmentation mask 1.1" puts ``labelmap.txt`` beside the folder of the masks,
with a line ``name:r,g,b:parts:actions`` for each class.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_spml.annotations.mask_values import Color, class_of
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.text_files import read_lines
from mmseg_spml.io.images import decode_image

LABELMAP = 'labelmap.txt'
_LINE = re.compile(r'([^:#]+):(\d{1,3}),(\d{1,3}),(\d{1,3})(?::.*)?', re.ASCII)
_MOST_SHOWN = 5
_COLOR_MODES = ('RGB', 'RGBA', 'CMYK', 'YCbCr')


def labelmap_of(folder: Path) -> dict[Color, str] | None:
    """Return the class of each color by the file in a folder or the one above it.

    Returns:
        The names by color, in the order of the file, or None without a file.

    Raises:
        AnnotationError: A line of the file is malformed, or two classes share a color.
    """
    for place in (folder, folder.absolute().parent):
        file = place / LABELMAP
        if file.is_file():
            return _read_labelmap(file)
    return None


def is_color(file: Path) -> bool:
    """Return whether a file is a picture with several channels of color."""
    return _mode(file) in _COLOR_MODES


def _mode(file: Path) -> str:
    try:
        with Image.open(file) as image:
            return image.mode
    except Exception:  # decoders raise errors of any kind for damaged files
        return ''


def has_colors_of_palette(file: Path, names: Mapping[Color, str]) -> bool:
    """Return whether the colors of a PNG with a palette, and not its values, count.

    They do if all of them have a name. An editor that saves a mask in colors with a
    palette numbers them as it likes.

    Args:
        file: The file.
        names: The class of each color, in the order of values.

    Returns:
        False also for files without a palette.

    Raises:
        AnnotationError: Some of the colors have no name, and others one of a class that
            is not that of the value.
    """
    used = _colors_of_palette(file)
    if not used or all(color in names for color in used.values()):
        return bool(used)
    order = list(names)
    for value, color in used.items():
        if color in names and order[value : value + 1] != [color]:
            raise AnnotationError(
                f'the value {value} has the color of {names[color]!r} in the palette, '
                f'but not its place in {LABELMAP}, and other colors have no name there'
            )
    return False


def _colors_of_palette(file: Path) -> dict[int, Color]:
    """The color of each value that a PNG with a palette has; {} for other files."""
    try:
        with Image.open(file) as image:
            if image.mode != 'P':
                return {}
            values = sorted(value for _, value in image.getcolors(256))
            palette = np.array(image.getpalette('RGB')).reshape(-1, 3)
    except Exception:  # decoders raise errors of any kind for damaged files
        return {}
    return {
        value: (int(red), int(green), int(blue))
        for value in values
        for red, green, blue in palette[value : value + 1]
    }


def labels_of_colors(
    file: Path, colors: Mapping[Color, str], classes: Sequence[str], source: str
) -> np.ndarray:
    """Return the labels of a mask in colors, (H, W) uint8: 0..C-1, 254 or 255.

    Args:
        file: The mask.
        colors: The class of each color, or ``'unlabeled'`` or ``'void'``.
        classes: C class names.
        source: What names the colors, for messages.

    Raises:
        AnnotationError: The file is no picture, or has a color without a class, or one
            of a class that is not in ``classes``.
    """
    if _mode(file) not in (*_COLOR_MODES, 'P'):
        raise AnnotationError(
            f'is no picture in colors, but {source} names colors of masks'
        )
    try:
        pixels = decode_image(file.read_bytes()).astype(np.int32)
    except ValueError as error:
        raise AnnotationError(f'the mask cannot be read ({error})') from error
    packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    found, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    labels = np.zeros(len(found), np.uint8)
    foreign = []
    for place, value in enumerate(found.tolist()):
        color = (value >> 16, value >> 8 & 255, value & 255)
        name = colors.get(color)
        label = None if name is None else class_of(name, classes)
        if name is None:
            foreign.append(f'{color} ({counts[place]} pixels)')
        elif label is None:
            raise AnnotationError(
                f'the color {color} is {name!r} by {source}, which is none of '
                f'{list(classes)}'
            )
        else:
            labels[place] = label
    if foreign:
        more = len(foreign) - _MOST_SHOWN
        raise AnnotationError(
            f'the colors {", ".join(foreign[:_MOST_SHOWN])}'
            f'{f" and {more} more" if more > 0 else ""} are not in {source}: add '
            'them, or export the masks again, as PNG and without smoothing'
        )
    return labels[inverse].reshape(packed.shape)


def _read_labelmap(file: Path) -> dict[Color, str]:
    colors: dict[Color, str] = {}
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip() or line.startswith('#'):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise AnnotationError(
                f'expected "name:r,g,b::", got {line[:40]!r}',
                file=file,
                place=f'line {number}',
            )
        color = (int(match[2]), int(match[3]), int(match[4]))
        if color in colors:
            raise AnnotationError(
                f'{match[1]!r} and {colors[color]!r} have the color {color}',
                file=file,
                place=f'line {number}',
            )
        colors[color] = match[1].strip()
    return colors
