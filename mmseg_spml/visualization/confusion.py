"""Picture of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_confusion(confusion: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Draw a confusion matrix in percent of the pixels of each true class.

    Args:
        confusion: The (C, C+1) matrix of ``confusion_matrix``. Its last column is left
            out if no pixel is unlabeled.
        classes: The C class names.

    Returns:
        (h, w, 3) uint8 RGB. The rows of classes that never occur are empty.

    Raises:
        ValueError: The shape of the matrix does not match the number of classes.

    Example:
        >>> draw_confusion(np.array([[8, 2, 0], [1, 9, 0]]), ('cat', 'dog')).ndim
        3
    """
    if confusion.shape != (len(classes), len(classes) + 1):
        raise ValueError(
            f'{len(classes)} classes have a confusion of ({len(classes)}, '
            f'{len(classes) + 1}), got {confusion.shape}'
        )
    names = [*classes, 'unlabeled'] if confusion[:, -1].any() else [*classes]
    total = confusion.sum(axis=1, keepdims=True)
    percent = 100 * confusion[:, : len(names)] / np.where(total, total, np.nan)
    side = 1.8 + 0.45 * len(names)
    figure = Figure(figsize=(side + 0.6, side), layout='constrained', dpi=80)
    axes = figure.add_subplot(xlabel='label', ylabel='true class')
    axes.imshow(percent, cmap='Blues', vmin=0, vmax=100, aspect='auto')
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(classes)), classes)
    for (row, column), value in np.ndenumerate(percent):
        if value >= 0.5:
            color = 'white' if value > 60 else 'black'
            axes.text(column, row, f'{value:.0f}', ha='center', va='center', c=color)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
