"""Region methods that need nothing but the image, by the names that configs use."""

from .contours import gradient_ucm_regions
from .oversegmentation import felzenszwalb_regions, slic_regions

REGION_METHODS = {
    'felzenszwalb': felzenszwalb_regions,
    'slic': slic_regions,
    'owt-ucm': gradient_ucm_regions,
}
