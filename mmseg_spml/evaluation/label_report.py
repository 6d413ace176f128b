"""A file about label maps that were compared with masks."""

import os
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

import numpy as np

from mmseg_spml.atomic_file import write_json
from mmseg_spml.functional.confusion import class_scores, mean_iou
from mmseg_spml.visualization.extremes import LabelledImage, draw_extremes
from mmseg_spml.visualization.panels import write_picture


def write_label_report(
    path: Union[str, Path],
    confusions: Mapping[str, np.ndarray],
    classes: Sequence[str],
    of: str,
    **more: Any,
) -> None:
    """Write scores as JSON.

    ``mIoU`` (percent), ``classes`` (``IoU``, ``precision`` and ``recall`` by name, None
    where undefined), ``confusion`` ((C, C+1) pixels, rows: true classes, last column:
    unlabelled), ``images`` (mIoU of each; None where it shows no class).

    Args:
        path: The file.
        confusions: (C, C+1) ``confusion_matrix`` of each image, by name; at least one.
        classes: C names.
        of: Which images these are, 'training' or 'held out'.
        **more: Further entries.
    """
    total = np.sum([*confusions.values()], axis=0)
    scores = class_scores(total)
    by_class: Dict[str, Dict[str, Optional[float]]] = {
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
    load: Callable[[str], LabelledImage],
    meta: Mapping[str, Any],
    of: str,
    pictures: int = 3,
    **more: Any,
) -> None:
    """:func:`write_label_report` to ``report.json``, best and worst to ``picture.png``.

    Args:
        folder: Of both files.
        confusions: (C, C+1) ``confusion_matrix`` by path of the image; at least one.
        load: Gives the maps of a path, see ``draw_extremes``.
        meta: ``classes`` and ``palette`` of the data set.
        of: See :func:`write_label_report`.
        pictures: Images of the picture, of either kind.
        **more: See :func:`write_label_report`.
    """
    classes, palette = meta['classes'], meta['palette']
    report = folder / 'report.json'
    write_label_report(report, short_names(confusions), classes, of, **more)
    picture = draw_extremes(confusions, load, classes, palette, pictures)
    if picture is not None:
        write_picture(folder / 'picture.png', picture)


def short_names(by_path: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """The same by paths below the folder that all files share.

    Example:
        >>> list(short_names({'/data/a/1.jpg': 0, '/data/b/1.jpg': 0}))
        ['a/1.jpg', 'b/1.jpg']
    """
    common = os.path.commonpath([os.path.dirname(path) for path in by_path])
    return {
        Path(os.path.relpath(path, common or '.')).as_posix(): value
        for path, value in by_path.items()
    }


def _rounded(value: float) -> Optional[float]:
    return None if np.isnan(value) else round(float(value), 4)
