"""Mean and deviation of the bands of images that are no photographs."""

import cv2
import numpy as np

from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.io.images import read_bands
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.survey import Survey


def add_band_statistics(plan: Plan, survey: Survey, most: int = 50) -> None:
    """Look at some images, and note the statistics of their bands in a plan.

    Images that cannot be read or lack a band are left out; the survey names them.

    Args:
        plan: The plan, which says how many bands training reads.
        survey: What the images are like.
        most: The largest number of images to look at.

    Raises:
        ValueError: No image can be used.
    """
    if plan.bands is None:
        return
    count, total, squares = np.zeros((3, plan.bands))
    for annotation in evenly_spread(survey.annotations, most):
        try:
            image = read_bands(survey.images / annotation.image)
        except (ValueError, OSError, ImportError, cv2.error):
            continue
        if image.shape[2] < plan.bands:
            continue
        values = image[..., : plan.bands].reshape(-1, plan.bands).astype(np.float64)
        known = np.isfinite(values)
        plan.has_gaps |= not known.all()
        values[~known] = 0
        count += known.sum(axis=0)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
    if not count.all():
        raise ValueError(
            f'no image of {survey.images} has finite values in {plan.bands} bands, so '
            'that their mean is unknown'
        )
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
    plan.mean, plan.std = mean.round(3).tolist(), deviation.round(3).tolist()
    if plan.has_gaps:
        plan.warnings.append(
            'Images have values that are not finite (no data): these become the mean '
            'of their band.'
        )
