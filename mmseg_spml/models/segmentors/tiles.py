"""Tests of large images in tiles, in bounded memory."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.tiling import (
    Tile,
    blended_bands,
    most_probable,
    resized_strips,
)

TILE = 1024
"""The side of a tile in pixels."""
OVERLAP = 128
"""The least overlap of neighboring tiles in pixels."""


class TiledTest(BaseSegmentor):
    """Mixin that tests large images in overlapping tiles if ``test_cfg`` has ``tile``.

    An image of more than ``largest_whole`` pixels, after it was resized by the
    pipeline, is split into tiles of ``test_cfg['tile']`` pixels a side; their
    probabilities are blended. Such samples get ``pred_sem_seg`` alone, of one or two
    bytes a pixel: logits would take the memory that tiles save.
    """

    largest_whole: int = 2**22
    """The most pixels of an image that goes through the network whole: 2048 x 2048."""

    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predict a batch, as MMEngine's test loop gives it."""
        tile = self.test_cfg.get('tile')
        images = data['inputs'] if tile and isinstance(data, dict) else []
        if all(_pixels(image) <= self.largest_whole for image in images):
            return super().test_step(data)
        samples = data.get('data_samples') or map(_sample_of, images)
        return [
            self._test_in_tiles(image, sample, tile)
            if _pixels(image) > self.largest_whole
            else super(TiledTest, self).test_step(
                dict(inputs=[image], data_samples=[sample])
            )[0]
            for image, sample in zip(images, samples)
        ]

    def _test_in_tiles(
        self, image: Tensor, sample: SegDataSample, tile: int
    ) -> SegDataSample:
        def predict(tiles: Sequence[Tile]) -> list[Tensor]:
            (one,) = tiles
            rows, columns = one.slices
            return [self._probabilities(image[:, rows, columns])]

        size = (image.shape[1], image.shape[2])
        shown = tuple(sample.metainfo['ori_shape'][:2])
        bands: Any = blended_bands(size, tile, min(OVERLAP, tile // 2), predict)
        if shown != size:
            bands = resized_strips(bands, size, shown)
        small = torch.uint8 if self.num_classes <= 256 else torch.int16
        labels = torch.empty(shown, dtype=small)
        top = 0
        for band in bands:
            labels[top : top + band.shape[1]] = self._labels(band)
            top += band.shape[1]
        sample.pred_sem_seg = PixelData(data=labels[None])
        return sample

    def _probabilities(self, crop: Tensor) -> Tensor:
        """Predict the probabilities (C, h, w) of a crop, on the CPU."""
        data = dict(inputs=[crop], data_samples=[_sample_of(crop)])
        data = self.data_preprocessor(data, False)
        metas = [sample.metainfo for sample in data['data_samples']]
        rows, columns = (slice(length) for length in crop.shape[1:])
        logits = self.inference(data['inputs'], metas)[0, :, rows, columns]
        logits = logits.float().cpu()
        return logits.sigmoid() if len(logits) == 1 else logits.softmax(dim=0)

    def _labels(self, probabilities: Tensor) -> Tensor:
        """Return the class ids (rows, W) of probabilities (C, rows, W)."""
        if len(probabilities) == 1:
            head: Any = self.decode_head
            return (probabilities[0] > head.threshold).long()
        return most_probable(probabilities)


def _pixels(image: Tensor) -> int:
    return image.shape[-2] * image.shape[-1]


def _sample_of(image: Tensor) -> SegDataSample:
    size = tuple(image.shape[-2:])
    return SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
