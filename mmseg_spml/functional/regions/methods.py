"""Region methods that need only the image, by the names that configs use."""

from collections.abc import Callable

import numpy as np

from mmseg_spml.functional.regions.contours import gradient_ucm_regions
from mmseg_spml.functional.regions.oversegmentation import (
    felzenszwalb_regions,
    slic_regions,
)

REGION_METHODS: dict[str, Callable[..., np.ndarray]] = {
    'felzenszwalb': felzenszwalb_regions,
    'slic': slic_regions,
    'owt-ucm': gradient_ucm_regions,
}
