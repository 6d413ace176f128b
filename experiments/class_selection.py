"""A few classes of full masks and tags; the others become background.

Letters: H, W image size, C classes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Union

import numpy as np

from mmseg_spml.functional.segments import VOID

BACKGROUND = 0


def read_tags(path: Union[str, Path]) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Class names, and class ids by image, of a file such as ``tags.json``.

    Names of images lose their folder and suffix.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no object of a list "classes" and an object "tags", or two
            names mean one image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no tag file {path}')
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        classes, tags = tuple(content['classes']), content['tags']
        known = all(0 <= i < len(classes) for ids in tags.values() for i in ids)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path} must hold {{"classes": [names], "tags": {{image: [class ids]}}}}'
        ) from error
    if not known:
        raise ValueError(f'{path} has class ids outside of 0..{len(classes) - 1}')
    stems = {Path(name).stem: ids for name, ids in tags.items()}
    if len(stems) < len(tags):
        raise ValueError(
            f'{path} has images whose names differ in folder or suffix only'
        )
    return classes, stems


def tag_shares(tags: dict[str, Sequence[int]], num_classes: int) -> np.ndarray:
    """Fraction of the images that each class is on, (C,).

    Example:
        >>> tag_shares({'a': [0, 2], 'b': [0]}, 3).tolist()
        [1.0, 0.0, 0.5]
    """
    shown = [np.isin(np.arange(num_classes), ids) for ids in tags.values()]
    return np.mean(shown, axis=0) if shown else np.zeros(num_classes)


def selected_mask(
    mask: np.ndarray, kept: Sequence[int], num_classes: int
) -> np.ndarray:
    """Full mask of the kept classes, renumbered 1, 2, ... in their order.

    Args:
        mask: (H, W) uint8; 255 is void and stays.
        kept: Class ids; all others, the background too, become 0.
        num_classes: C.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: the mask has a value that is no class.

    Example:
        >>> mask = np.array([[0, 1, 2, 3, 255]], np.uint8)
        >>> selected_mask(mask, kept=[3, 1], num_classes=4).tolist()
        [[0, 2, 0, 1, 255]]
    """
    classes = mask[mask != VOID]
    if classes.size and classes.max() >= num_classes:
        raise ValueError(
            f'expected classes 0..{num_classes - 1} or {VOID} (void), got '
            f'{classes.max()}'
        )
    table = np.zeros(256, np.uint8)
    table[VOID] = VOID
    for number, label in enumerate(kept, start=1):
        table[label] = number
    return table[mask]


def selected_tags(ids: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Tags of the kept classes, renumbered as :func:`selected_mask` does.

    Example:
        >>> selected_tags([0, 1, 2], kept=[3, 1])
        [2]
    """
    return [number for number, label in enumerate(kept, start=1) if label in ids]
