"""The images that are held out of training, to measure on."""

import math
from collections import Counter
from collections.abc import Sequence

from mmseg_spml.annotations.model import WeakAnnotation

# With fewer images all are trained on.
_FROM = 20
# One of so many images is held out, or one of more if there would be too many.
_STEP = 7
_MOST = 50
# So many images of each class are always trained on.
_LEAST_TRAINED = 3


def held_out_images(annotations: Sequence[WeakAnnotation]) -> list[str]:
    """Choose evenly spread images, but no class's last ones.

    Args:
        annotations: The annotations of all images that could be trained on.

    Returns:
        The names of at most 50 images; none if there are fewer than 20.

    Example:
        >>> images = [WeakAnnotation(f'{n}.jpg', 2, 3, tags={'cat'}) for n in range(21)]
        >>> held_out_images(images)
        ['6.jpg', '13.jpg', '20.jpg']
    """
    if len(annotations) < _FROM:
        return []
    step = max(math.ceil(len(annotations) / _MOST), _STEP)
    left = Counter(name for one in annotations for name in one.shown())
    names = []
    for end in range(step, len(annotations) + 1, step):
        for annotation in reversed(annotations[end - step : end]):
            shown = annotation.shown()
            if all(left[name] > _LEAST_TRAINED for name in shown):
                names.append(annotation.image)
                left.subtract(shown)
                break
    return names
