"""Reports on label maps that were compared with masks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_spml.functional.labels.confusion import class_scores, mean_iou
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.folders import names_below
from mmseg_spml.io.images import write_image
from mmseg_spml.visualization.best_and_worst import LabeledImage, draw_best_and_worst


def write_label_report(
    path: str | Path,
    confusions: Mapping[str, np.ndarray],
    classes: Sequence[str],
    of: str,
    **more: Any,
) -> None:
    """Write the scores of label maps as a JSON file.

    The file has the entries ``of``, ``mIoU`` (in percent), ``classes`` (``IoU``,
    ``precision`` and ``recall`` by name, null where undefined), ``confusion`` ((C, C+1)
    pixels; a row for each true class, the last column for unlabeled pixels), and
    ``images`` (the mIoU of each image; null if it shows no class).

    Args:
        path: The file to write.
        confusions: The (C, C+1) ``confusion_matrix`` of each image, by name; at least
            one.
        classes: The C class names.
        of: The kind of images, 'training' or 'held out'.
        **more: Further entries of the file.
    """
    total = np.sum([*confusions.values()], axis=0)
    scores = class_scores(total)
    by_class: dict[str, dict[str, float | None]] = {
        name: {score: _rounded(values[place]) for score, values in scores.items()}
        for place, name in enumerate(classes)
    }
    content = {
        **{key: _rounded(v) if isinstance(v, float) else v for key, v in more.items()},
        'of': of,
        'mIoU': _rounded(mean_iou(total)),
        'classes': by_class,
        'confusion': total.tolist(),
        'images': {name: _rounded(mean_iou(c)) for name, c in confusions.items()},
    }
    write_json(path, content)


def write_drawn_report(
    folder: Path,
    confusions: Mapping[str, np.ndarray],
    load: Callable[[str], LabeledImage],
    meta: Mapping[str, Any],
    of: str,
    pictures: int = 3,
    title: str = 'prediction',
    **more: Any,
) -> None:
    """Write the scores to ``report.json`` and draw best and worst to ``picture.png``.

    Args:
        folder: The folder for both files.
        confusions: The (C, C+1) ``confusion_matrix`` of each image, by its path; at
            least one.
        load: A function that returns the image and the maps of a path, see
            ``draw_best_and_worst``.
        meta: The ``classes`` and the ``palette`` of the data set.
        of: See :func:`write_label_report`.
        pictures: The number of best and of worst images in the picture.
        title: What the label maps are.
        **more: See :func:`write_label_report`.
    """
    classes, palette = meta['classes'], meta['palette']
    report = folder / 'report.json'
    named = dict(zip(names_below([*confusions]), confusions.values()))
    write_label_report(report, named, classes, of, **more)
    picture = draw_best_and_worst(confusions, load, classes, palette, pictures, title)
    if picture is not None:
        write_image(folder / 'picture.png', picture)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
