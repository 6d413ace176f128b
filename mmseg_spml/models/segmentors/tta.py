"""Test-time augmentation with an optional dense CRF."""

from pathlib import Path

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS

from mmseg_spml.functional.refinement.dense_crf import (
    MIN_PROBABILITY,
    dense_crf_of_images,
)
from mmseg_spml.functional.uncertainty import class_probabilities
from mmseg_spml.io.images import BANDED_SUFFIXES, read_image, read_picture


@MODELS.register_module()
class SPMLTTAModel(SegTTAModel):
    """Average the probabilities of the views as MMSegmentation does, then apply a CRF.

    It supports any segmentor, including binary ones with a single output channel
    (``out_channels=1``). The dense CRF is applied to the image file at its original
    size.

    Args:
        module: Segmentor or its config.
        crf: Keyword arguments of ``dense_crf_of_images``; {} for those of the paper,
            None for no CRF.
        data_preprocessor: See ``BaseTTAModel``.
    """

    def __init__(
        self,
        module: dict,
        crf: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        self.crf = crf

    def merge_preds(self, data_samples_list: list[list]) -> list:
        """Merge the predictions of the views of each image.

        Args:
            data_samples_list: List of the predictions of the views for each image.

        Returns:
            Samples with ``pred_sem_seg`` and ``seg_logits``, which are
            log-probabilities.
        """
        samples = [views[0] for views in data_samples_list]
        probabilities = [
            class_probabilities(
                torch.stack([view.seg_logits.data for view in views])
            ).mean(dim=0)
            for views in data_samples_list
        ]
        if self.crf is not None:
            images = [_image_of(sample.metainfo.get('img_path')) for sample in samples]
            probabilities = dense_crf_of_images(images, probabilities, **self.crf)
        for sample, of_sample in zip(samples, probabilities):
            if sample.seg_logits.data.shape[0] == 1:
                labels = (of_sample[1:] > self.module.decode_head.threshold).long()
            else:
                labels = of_sample.argmax(dim=0, keepdim=True)
            log = of_sample.clamp_min(MIN_PROBABILITY).log()
            sample.seg_logits = PixelData(data=log)
            sample.pred_sem_seg = PixelData(data=labels)
        return samples


def _image_of(path: str | None) -> np.ndarray:
    if path is None:
        raise ValueError(
            'the dense CRF reads the image file, but this sample names none: use a '
            'data set, or crf=None'
        )
    # Models see other files in the eight bits of OpenCV.
    banded = Path(path).suffix.lower() in BANDED_SUFFIXES
    return read_picture(path) if banded else read_image(path)
