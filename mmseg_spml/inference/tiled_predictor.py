"""Class probabilities of images of any size, in overlapping tiles.

Letters: H, W image size; C classes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.refinement.dense_crf import dense_crf
from mmseg_spml.functional.tiling import Tile, blending_weights, tile_rows
from mmseg_spml.inference.test_pipeline import TestResizing


class TiledPredictor:
    """Predicts class probabilities of an image by bands of rows.

    Each tile goes through the model as an image of its own, at the scale at which the
    test pipeline of the config would show the whole image. Probabilities are averaged
    over scales and mirror images, and over tiles by weights that fall to their borders.
    An image that fits into one tile is predicted as MMSegmentation predicts it.

    Memory: the bands take 4 C W times the height of a tile in bytes, whatever H is.

    Args:
        model: A segmentor with its config, as MMSegmentation's ``init_model`` makes it.
        tile: The side of a tile in pixels, at the scale of the model.
        overlap: The least overlap of neighboring tiles, at the scale of the model.
        scales: Factors on the scale of the model.
        flip: Whether to average with mirror images.
        crf: Options of ``dense_crf``, which refines each tile; None for no CRF.
        batch: The number of tiles that go through the model together.

    Raises:
        ValueError: An option is out of range, or the model predicts by retrieval and
            has no bank.
    """

    def __init__(
        self,
        model: BaseSegmentor,
        *,
        tile: int = 1024,
        overlap: int = 128,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        crf: dict | None = None,
        batch: int = 1,
    ) -> None:
        if not 0 <= overlap < tile:
            raise ValueError(
                f'expected an overlap in 0..tile-1, got {overlap} with a tile of {tile}'
            )
        if not scales or min(scales) <= 0 or batch < 1:
            raise ValueError(
                'expected scales above 0 and a batch of 1 or more, got '
                f'{list(scales)} and {batch}'
            )
        head = getattr(model, 'spml_head', None)
        if head is not None and getattr(model, 'retrieves', False):
            if head.bank is None and head.retrieval.bank is None:
                raise ValueError(
                    'the model predicts by retrieval, which needs a bank of segments: '
                    'write one by `mmseg-spml bank`, and name it by '
                    'model.decode_head.retrieval.bank'
                )
        self.model = model
        self.tile = tile
        self.overlap = overlap
        self.scales = tuple(scales)
        self.flip = flip
        self.crf = crf
        self.batch = batch
        self.pipeline = TestResizing(model.cfg)

    def bands(self, image: np.ndarray) -> Iterator[tuple[int, Tensor]]:
        """Predict an image, and yield its bands from top to bottom.

        Args:
            image: (H, W, channels), as the loader of the config gives it.

        Yields:
            The first row of a band, and its probabilities: (C, rows, W) float32 on the
            CPU.

        Raises:
            ValueError: The image has another number of channels than the model takes.
        """
        self._check_channels(image)
        height, width = size = image.shape[:2]
        factors = self.pipeline.factors(size)
        # Of the image, so that they have the wanted size at the scale of the model.
        tile = (
            max(round(self.tile / factors[0]), 1),
            max(round(self.tile / factors[1]), 1),
        )
        overlap = min(round(self.overlap / min(factors)), min(tile) - 1)
        rows = list(tile_rows(size, tile, overlap))
        if len(rows) == len(rows[0]) == 1:
            ((_, whole),) = self._predict_tiles(image, rows[0], factors)
            yield 0, whole
            return
        below: tuple[Tensor, Tensor] | None = None
        for row, next_row in zip(rows, [*rows[1:], None]):
            sums, count = self._row(image, row, factors, overlap)
            if below is not None:
                shared = below[1].shape[0]
                sums[:, :shared] += below[0]
                count[:shared] += below[1]
            top = row[0].top
            done = (height if next_row is None else next_row[0].top) - top
            yield top, sums[:, :done] / count[:done]
            below = sums[:, done:], count[done:]

    def _row(
        self,
        image: np.ndarray,
        row: Sequence[Tile],
        factors: tuple[float, float],
        overlap: int,
    ) -> tuple[Tensor, Tensor]:
        """Sum the weighted probabilities (C, h, W) and weights (h, W) of a row."""
        height, width = row[0].size[0], image.shape[1]
        count = torch.zeros(height, width)
        sums: Tensor | None = None
        weights = torch.from_numpy(blending_weights(row[0].size, overlap))
        for tile, part in self._predict_tiles(image, row, factors):
            if sums is None:
                sums = torch.zeros(len(part), height, width)
            columns = tile.slices[1]
            sums[:, :, columns] += part * weights
            count[:, columns] += weights
        assert sums is not None  # a row has a tile
        return sums, count

    def predict(self, image: np.ndarray) -> Tensor:
        """Return the probabilities of a whole image: (C, H, W) float32."""
        return torch.cat([band for _, band in self.bands(image)], dim=1)

    def _predict_tiles(
        self, image: np.ndarray, tiles: Sequence[Tile], factors: tuple[float, float]
    ) -> Iterator[tuple[Tile, Tensor]]:
        for start in range(0, len(tiles), self.batch):
            together = tiles[start : start + self.batch]
            crops = [np.ascontiguousarray(image[tile.slices]) for tile in together]
            views = [
                self._probabilities(crops, factors, scale, mirrored)
                for scale in self.scales
                for mirrored in (False, True)[: 1 + self.flip]
            ]
            mean = torch.stack(views).mean(dim=0)
            for tile, crop, probabilities in zip(together, crops, mean):
                yield tile, self._refined(crop, probabilities)

    def _probabilities(
        self,
        crops: Sequence[np.ndarray],
        factors: tuple[float, float],
        scale: float,
        mirrored: bool,
    ) -> Tensor:
        """Probabilities of crops of one size in one view: (N, C, h, w)."""
        height, width = crops[0].shape[:2]
        size = [max(round(n * f * scale), 1) for n, f in zip((height, width), factors)]
        inputs = [self._input(crop, size, mirrored) for crop in crops]
        samples = [
            SegDataSample(
                metainfo=dict(ori_shape=(height, width), img_shape=tuple(size))
            )
            for _ in crops
        ]
        with torch.no_grad():
            results = self.model.test_step(dict(inputs=inputs, data_samples=samples))
        logits = torch.stack([one.seg_logits.data.float().cpu() for one in results])
        if logits.shape[1] == 1:  # a single score, for the second of two classes
            second = logits.sigmoid()
            found = torch.cat([1 - second, second], dim=1)
        else:
            found = logits.softmax(dim=1)
        return found.flip(-1) if mirrored else found

    def _input(self, crop: np.ndarray, size: Sequence[int], mirrored: bool) -> Tensor:
        resized = self.pipeline.resized(crop, (size[0], size[1]))
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        return tensor.flip(-1) if mirrored else tensor

    def _refined(self, crop: np.ndarray, probabilities: Tensor) -> Tensor:
        if self.crf is None:
            return probabilities
        rgb = crop
        if getattr(self.model.data_preprocessor, '_channel_conversion', False):
            rgb = crop[..., ::-1]
        rgb = np.ascontiguousarray(np.clip(rgb, 0, 255).astype(np.uint8))
        return dense_crf(rgb, probabilities, **self.crf).cpu()

    def _check_channels(self, image: np.ndarray) -> None:
        mean = getattr(self.model.data_preprocessor, 'mean', None)
        channels = 1 if image.ndim == 2 else image.shape[2]
        if mean is not None and mean.numel() not in (1, channels):
            raise ValueError(
                f'the model takes images of {mean.numel()} channels, got {channels}'
            )
