"""Test-time augmentation, with a dense CRF if wanted."""

from pathlib import Path
from typing import List, Optional

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS

from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.functional.dense_crf import LEAST_PROBABILITY, dense_crf_of_images


@MODELS.register_module()
class SPMLTTAModel(SegTTAModel):
    """MMSegmentation's mean of probabilities over the views, then a dense CRF.

    For any segmentor of two or more classes. The CRF works on the image file, at its
    own size.

    Args:
        module: The segmentor, or its config.
        crf: Options of ``dense_crf_of_images``, {} for those of the paper; None leaves
            it out.
        data_preprocessor: See ``BaseTTAModel``.
    """

    def __init__(
        self,
        module: dict,
        crf: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        self.crf = crf

    def merge_preds(self, data_samples_list: List[List]) -> List:
        """Samples with ``pred_sem_seg`` and ``seg_logits``, log-probabilities.

        Args:
            data_samples_list: The predictions of the views, for each image.
        """
        samples = [views[0] for views in data_samples_list]
        probabilities = [
            torch.stack([view.seg_logits.data.softmax(dim=0) for view in views]).mean(0)
            for views in data_samples_list
        ]
        if self.crf is not None:
            images = [_image_of(sample.metainfo.get('img_path')) for sample in samples]
            probabilities = dense_crf_of_images(images, probabilities, **self.crf)
        for sample, of_sample in zip(samples, probabilities):
            log = of_sample.clamp_min(LEAST_PROBABILITY).log()
            sample.seg_logits = PixelData(data=log)
            sample.pred_sem_seg = PixelData(data=of_sample.argmax(dim=0, keepdim=True))
        return samples


def _image_of(path: Optional[str]) -> np.ndarray:
    if path is None:
        raise ValueError(
            'the dense CRF reads the image file, but this sample names none: use a '
            'data set, or crf=None'
        )
    return decode_image(Path(path).read_bytes())
