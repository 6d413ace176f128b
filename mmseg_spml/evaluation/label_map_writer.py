"""Writer of predicted label maps for MMEngine's test loop."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.datasets.list_files import name_of_maps
from mmseg_spml.io.index_maps import write_index_map


@METRICS.register_module()
class LabelMapWriter(BaseMetric):
    """Write the predicted label map of each image.

    MMSegmentation's ``IoUMetric(output_dir=...)`` names maps by the file name alone, so
    that images of one name in several folders share one.

    Args:
        out_dir: The folder for the maps ``NAME.png``, in the subfolders of the images;
            their values are as in the masks of the data set.
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.

    Attributes:
        names: The names of maps by the paths of images, for samples that lack them.
    """

    default_prefix = 'label_maps'

    def __init__(
        self, out_dir: str, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = out_dir
        self.names: Mapping[str, str] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the maps of a batch; ``data_samples`` have ``pred_sem_seg``."""
        for sample in data_samples:
            labels = sample['pred_sem_seg']['data'][0].cpu().numpy()
            if sample.get('reduce_zero_label', False):
                labels = labels + 1  # as in the files of the data set
            # Other steps than PackWeakSegInputs do not keep the name.
            name = self.names.get(sample['img_path']) or name_of_maps(sample)
            path = os.path.join(self.out_dir, f'{name}.png')
            write_index_map(path, labels)
            self.results.append(1)

    def compute_metrics(self, results: list[int]) -> dict[str, int]:
        """Count the files."""
        return dict(files=len(results))
