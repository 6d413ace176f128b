"""A grid of the best and worst labeled images beside their masks."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mmseg_spml.functional.labels.confusion import mean_iou
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import Color, colorize

LabeledImage = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Image (H, W, 3) uint8 RGB, label map (H, W), mask (H, W)."""


def draw_best_and_worst(
    confusions: Mapping[str, np.ndarray],
    load: Callable[[str], LabeledImage],
    classes: Sequence[str],
    palette: Sequence[Color],
    count: int = 3,
    title: str = 'prediction',
) -> np.ndarray | None:
    """Draw the images with the highest and the lowest mIoU: image, map, mask.

    Args:
        confusions: The (C, C+1) ``confusion_matrix`` of each image, by name.
        load: A function that returns the image and the maps of a name.
        classes: The C class names.
        palette: The C RGB colors of the classes.
        count: The number of best and of worst images.
        title: What the compared maps are.

    Returns:
        (h, w, 3) uint8 RGB; None if no image shows a class.
    """
    scores = {name: mean_iou(confusion) for name, confusion in confusions.items()}
    names = sorted(
        (name for name, score in scores.items() if not np.isnan(score)),
        key=lambda name: (-scores[name], name),
    )
    if not names:
        return None
    shown = [('best', name) for name in names[:count]]
    shown += [('worst', name) for name in names[max(count, len(names) - count) :]]
    rows = []
    for kind, name in shown:
        image, labels, mask = load(name)
        rows.append(
            [
                (f'{kind}: {scores[name]:.1f}', image),
                (title, colorize(labels, palette)),
                ('mask', colorize(mask, palette)),
            ]
        )
    return image_grid(rows, legend=(classes, palette))
