"""The images that were labelled best and worst, beside their masks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Optional

import numpy as np

from mmseg_spml.functional.confusion import mean_iou

from .panels import Colour, colourise, panel_grid

LabelledImage = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Image (H, W, 3) uint8 RGB, label map (H, W), mask (H, W)."""


def draw_extremes(
    confusions: Mapping[str, np.ndarray],
    load: Callable[[str], LabelledImage],
    classes: Sequence[str],
    palette: Sequence[Colour],
    count: int = 3,
) -> Optional[np.ndarray]:
    """Rows of the images of highest and of lowest mIoU: image, labels, mask.

    Args:
        confusions: (C, C+1) ``confusion_matrix`` of each image, by name.
        load: Gives the maps of a name.
        classes: C names.
        palette: C RGB colours.
        count: Images of either kind.

    Returns:
        ndarray: (h, w, 3) uint8 RGB; None if no image shows a class.
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
                ('labels', colourise(labels, palette)),
                ('mask', colourise(mask, palette)),
            ]
        )
    return panel_grid(rows, legend=(classes, palette))
