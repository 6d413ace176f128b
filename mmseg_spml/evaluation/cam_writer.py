"""Writes class activation maps in MMEngine's test loop."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.functional.cam import save_cam


@METRICS.register_module()
class CamWriter(BaseMetric):
    """Write the maps of the classes that an image's tags name, a file an image.

    Works on any number of processes: each writes the images that it was given.

    Args:
        out_dir: Folder of ``<image stem>.npz`` or ``.npy``.
        file_format (str): 'npz', or 'npy' (a pickled dict, as SEAM writes it).
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.

    Raises:
        ValueError: ``file_format`` is another.
    """

    default_prefix = 'cam'

    def __init__(
        self,
        out_dir: str,
        file_format: str = 'npz',
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if file_format not in ('npz', 'npy'):
            raise ValueError(f"file_format must be 'npz' or 'npy', got {file_format!r}")
        self.out_dir = out_dir
        self.file_format = file_format
        os.makedirs(out_dir, exist_ok=True)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the maps of a batch; ``data_samples`` have ``cams`` and ``gt_tags``."""
        for sample in data_samples:
            if 'gt_tags' not in sample:
                raise ValueError(
                    f'the image {sample["img_path"]} has no tags: maps are written of '
                    'the classes that an image is known to show'
                )
            shown = sample['gt_tags']['multi_hot'].nonzero().flatten().tolist()
            maps = sample['cams']['data'].float().cpu().numpy()
            cams = {label: maps[label - 1] for label in shown if label > 0}
            path = Path(self.out_dir, Path(sample['img_path']).stem)
            # whole or not at all; two processes may be given the same image
            part = f'{path}.{os.getpid()}.part.{self.file_format}'
            save_cam(part, cams)
            os.replace(part, f'{path}.{self.file_format}')
            self.results.append(len(cams))

    def compute_metrics(self, results: List[int]) -> Dict[str, int]:
        """Numbers of files and of maps in them."""
        return dict(files=len(results), maps=sum(results))
