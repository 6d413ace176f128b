"""Writer of class activation maps for MMEngine's test loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.datasets.list_files import name_of_maps
from mmseg_spml.functional.seeds.cam_files import save_cam


@METRICS.register_module()
class CamWriter(BaseMetric):
    """Write one file per image with the maps of the classes that its tags name.

    The test loop may run on any number of processes: each of them writes the images
    that it was given.

    Args:
        out_dir: The folder for the files ``NAME.npz`` or ``.npy``, in the subfolders of
            the images.
        file_format: 'npz', or 'npy' (a pickled dict, as SEAM writes it).
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.

    Raises:
        ValueError: ``file_format`` is neither 'npz' nor 'npy'.
    """

    default_prefix = 'cam'

    def __init__(
        self,
        out_dir: str,
        file_format: str = 'npz',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if file_format not in ('npz', 'npy'):
            raise ValueError(f"file_format must be 'npz' or 'npy', got {file_format!r}")
        self.out_dir = out_dir
        self.file_format = file_format

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the maps of a batch; ``data_samples`` have ``cams`` and ``gt_tags``."""
        for sample in data_samples:
            if 'gt_tags' not in sample:
                raise ValueError(
                    f'the image {sample["img_path"]} has no tags: maps are written of '
                    'the classes that an image is known to show'
                )
            shown = (sample['gt_tags']['label'] > 0).nonzero().flatten().tolist()
            maps = sample['cams']['data'].float().cpu().numpy()
            cams = {label: maps[label - 1] for label in shown if label > 0}
            name = f'{name_of_maps(sample)}.{self.file_format}'
            save_cam(Path(self.out_dir, name), cams)
            self.results.append(len(cams))

    def compute_metrics(self, results: list[int]) -> dict[str, int]:
        """Count the files and the maps in them."""
        return dict(files=len(results), maps=sum(results))
