"""Class probabilities of images of any size, in overlapping tiles.

Letters: H, W image size; C classes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.refinement.dense_crf import dense_crf
from mmseg_spml.functional.tiling import (
    Tile,
    blended_bands,
    most_probable,
    resized_strips,
)
from mmseg_spml.functional.uncertainty import class_probabilities
from mmseg_spml.inference.test_pipeline import TestResizing
from mmseg_spml.io.images import three_bands
from mmseg_spml.models.data_preprocessor import swaps_channels


class TiledPredictor:
    """Predicts class probabilities of an image by bands of rows.

    The image is resized as the test pipeline of the config resizes it. Each tile of it
    goes through the model as an image of its own; probabilities are averaged over
    scales and mirror images, and over tiles by weights that fall to their borders. They
    are resized to the size of the image band by band. An image that is one tile, before
    and after it is resized, is predicted as MMSegmentation predicts it.

    Memory: the bands take 4 C W' times the height of a tile in bytes, where W' is the
    width of the resized image, whatever its height is.

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
            if not head.has_bank:
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
        self._swaps_channels = swaps_channels(model.data_preprocessor)

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
        size = image.shape[:2]
        seen = self.pipeline.seen(size)
        if max(*size, *seen) <= self.tile:
            (whole,) = self._predicted([image], seen)
            yield 0, self._refined(self._picture(image), whole)
            return
        if seen == size:
            found = self._blended(image)
        else:
            # As it is stored: a large image of floats takes four times the memory.
            resized = self.pipeline.resized(image, seen, as_stored=True)
            found = resized_strips(self._blended(resized), seen, size)
        top = 0
        for band in found:
            yield top, band
            top += band.shape[1]

    def labels_of(self, probabilities: Tensor) -> Tensor:
        """Return the class ids (...) of probabilities (C, ...).

        They are the most probable classes; of a model with a single output, those by
        the threshold of its head.
        """
        head: Any = getattr(self.model, 'decode_head', None)
        if getattr(head, 'out_channels', None) == 1:
            return (probabilities[1] > head.threshold).long()
        return most_probable(probabilities)

    def _blended(self, image: np.ndarray) -> Iterator[Tensor]:
        """Yield the bands of probabilities (C, h, W) of a resized image."""
        picture = self._picture(image)

        def predict(tiles: Sequence[Tile]) -> list[Tensor]:
            crops = [image[tile.slices] for tile in tiles]
            found = self._predicted(crops, tiles[0].size)
            if picture is None:
                return found
            return [
                self._refined(picture[tile.slices], probabilities)
                for tile, probabilities in zip(tiles, found)
            ]

        size = (image.shape[0], image.shape[1])
        return blended_bands(size, self.tile, self.overlap, predict, self.batch)

    def predict(self, image: np.ndarray) -> Tensor:
        """Return the probabilities of a whole image: (C, H, W) float32."""
        return torch.cat([band for _, band in self.bands(image)], dim=1)

    def _predicted(
        self, images: Sequence[np.ndarray], seen: tuple[int, int]
    ) -> list[Tensor]:
        """Predict images of one size, which the model sees at another.

        Args:
            images: The images (h, w, channels).
            seen: The (height, width) at which the model sees them.

        Returns:
            The probabilities (C, h, w) of each, averaged over the views.
        """
        views = [
            self._probabilities(images, seen, scale, mirrored)
            for scale in self.scales
            for mirrored in (False, True)[: 1 + self.flip]
        ]
        return list(torch.stack(views).mean(dim=0))

    def _probabilities(
        self,
        images: Sequence[np.ndarray],
        seen: tuple[int, int],
        scale: float,
        mirrored: bool,
    ) -> Tensor:
        """Probabilities of images of one size in one view: (N, C, h, w)."""
        size = tuple(max(round(length * scale), 1) for length in seen)
        inputs = [self._input(image, size, mirrored) for image in images]
        meta = dict(ori_shape=images[0].shape[:2], img_shape=size)
        samples = [SegDataSample(metainfo=meta) for _ in images]
        with torch.no_grad():
            results = self.model.test_step(dict(inputs=inputs, data_samples=samples))
        scores = torch.stack([one.seg_logits.data.float().cpu() for one in results])
        if not scores.isfinite().all():
            raise ValueError(
                'the scores of the model are not finite: its training may have diverged'
            )
        found = class_probabilities(scores)
        return found.flip(-1) if mirrored else found

    def _input(
        self, image: np.ndarray, size: tuple[int, ...], mirrored: bool
    ) -> Tensor:
        resized = self.pipeline.resized(image, (size[0], size[1]))
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        return tensor.flip(-1) if mirrored else tensor

    def _picture(self, image: np.ndarray) -> np.ndarray | None:
        """What the CRF compares: (h, w, 3) uint8, RGB; None without a CRF.

        It is made of the whole image, so that all tiles are stretched alike.
        """
        if self.crf is None:
            return None
        picture = three_bands(image)
        return picture[..., ::-1] if self._swaps_channels else picture

    def _refined(self, picture: np.ndarray | None, probabilities: Tensor) -> Tensor:
        if picture is None or self.crf is None:
            return probabilities
        crop = np.ascontiguousarray(picture)
        return dense_crf(crop, probabilities, **self.crf).cpu()

    def _check_channels(self, image: np.ndarray) -> None:
        mean = getattr(self.model.data_preprocessor, 'mean', None)
        channels = 1 if image.ndim == 2 else image.shape[2]
        if mean is not None and mean.numel() not in (1, channels):
            raise ValueError(
                f'the model takes images of {mean.numel()} channels, got {channels}'
            )
