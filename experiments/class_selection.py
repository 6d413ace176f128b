"""Selection of classes of full masks and tags; other classes become background.

Letters: H, W image size, C classes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmseg_spml.functional.labels.values import VOID

BACKGROUND = 0


def read_tags(path: str | Path) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Read the class names, and the class ids by image, of a file like ``tags.json``.

    The names of images lose their folder and suffix.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not an object of a list "classes" and an object "tags",
            or two names refer to the same image.
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


def tag_shares(tags: Mapping[str, Sequence[int]], num_classes: int) -> np.ndarray:
    """Compute the fraction of the images that show each class, (C,).

    Example:
        >>> tag_shares({'a': [0, 2], 'b': [0]}, 3).tolist()
        [1.0, 0.0, 0.5]
    """
    shown = [np.isin(np.arange(num_classes), ids) for ids in tags.values()]
    return np.mean(shown, axis=0) if shown else np.zeros(num_classes)


def selected_mask(
    mask: np.ndarray, kept: Sequence[int], num_classes: int
) -> np.ndarray:
    """Renumber the kept classes of a full mask 1, 2, ... in their order.

    Args:
        mask: (H, W) uint8; 255 is void and does not change.
        kept: The class ids to keep; all others, including background, become 0.
        num_classes: The number of classes of the mask, C.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: The mask has a value that is not a class.

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
    """Renumber the tags of the kept classes as :func:`selected_mask` does.

    Example:
        >>> selected_tags([0, 1, 2], kept=[3, 1])
        [2]
    """
    return [number for number, label in enumerate(kept, start=1) if label in ids]
