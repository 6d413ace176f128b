"""Label maps of weakly labelled samples for heads that know void alone."""

from typing import List, Sequence

from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_spml.functional.segments import VOID


def without_unlabelled(
    data_samples: Sequence[SegDataSample], num_classes: int
) -> List[SegDataSample]:
    """New samples, of which only label maps and metainfo are kept: unlabelled is void.

    Args:
        data_samples: Samples with ``gt_sem_seg``.
        num_classes: C; labels from C on become 255.
    """
    copies = []
    for sample in data_samples:
        labels = sample.gt_sem_seg.data
        copy = SegDataSample(metainfo=sample.metainfo)
        copy.gt_sem_seg = PixelData(
            data=labels.masked_fill(labels >= num_classes, VOID)
        )
        copies.append(copy)
    return copies
