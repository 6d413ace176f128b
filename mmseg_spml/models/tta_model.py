"""Test-time augmentation, with a dense CRF if wanted."""

from pathlib import Path
from typing import List, Optional

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.functional.dense_crf import LEAST_PROBABILITY, dense_crf


@MODELS.register_module()
class SPMLTTAModel(SegTTAModel):
    """MMSegmentation's mean of probabilities over the views, then a dense CRF.

    For any segmentor of two or more classes. The CRF works on the image file, at its
    own size.

    Args:
        module: The segmentor, or its config.
        crf: Options of ``dense_crf``, {} for those of the paper; None leaves it out.
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
        merged = []
        for views in data_samples_list:
            sample = views[0]
            probabilities = torch.stack(
                [view.seg_logits.data.softmax(dim=0) for view in views]
            ).mean(dim=0)
            if self.crf is not None:
                probabilities = self._refined(
                    probabilities, sample.metainfo.get('img_path')
                )
            log = probabilities.clamp_min(LEAST_PROBABILITY).log()
            labels = probabilities.argmax(dim=0, keepdim=True)
            sample.seg_logits = PixelData(data=log)
            sample.pred_sem_seg = PixelData(data=labels)
            merged.append(sample)
        return merged

    def _refined(self, probabilities: Tensor, path: Optional[str]) -> Tensor:
        if path is None:
            raise ValueError(
                'the dense CRF reads the image file, but this sample names none: use '
                'a data set, or crf=None'
            )
        return dense_crf(
            decode_image(Path(path).read_bytes()), probabilities, **self.crf
        )
