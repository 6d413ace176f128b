"""Images split into segments, with the probabilities that a model gives them.

Letters: H, W image size; h, w embedding size; C classes; D embedding; S segments.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.pooling import (
    SegmentPooler,
    mean_direction,
    resize_labels,
)
from mmseg_spml.functional.uncertainty import probability_margin
from mmseg_spml.inference.test_pipeline import TestResizing
from mmseg_spml.models.data_preprocessor import normalize, padded_for_test

# Larger images are shrunk: a segment is a place to click on, not an outline.
_LARGEST_SIDE = 1024
_GRID = (8, 8)


@dataclass(frozen=True)
class SegmentedImage:
    """The segments of one image.

    Attributes:
        size: (H, W) of the image.
        segments: (h, w) int16, the number of the segment of each pixel.
        prototypes: (S, D) float32 unit vectors.
        probabilities: (S, C) float32, means over the pixels.
        uncertainty: (S,) float32, means of 1 minus the margin of the two most probable
            classes.
        labels: (S,) int64: 0..C-1, C where the segment has no label.
    """

    size: tuple[int, int]
    segments: np.ndarray
    prototypes: Tensor
    probabilities: Tensor
    uncertainty: Tensor
    labels: Tensor

    @property
    def shares(self) -> Tensor:
        """The share of the image that each segment covers, (S,) float32."""
        sizes = np.bincount(self.segments.ravel(), minlength=len(self.labels))
        return torch.from_numpy(sizes / self.segments.size).float()

    def inner_point(self, segment: int) -> tuple[float, float]:
        """Return (x, y) of the pixel of a segment that is farthest from its border.

        The coordinates are those of the image, continuous.
        """
        # A border of the image is a border of the segment.
        inside = np.pad(self.segments == segment, 1)
        row, column = np.unravel_index(int(_distance(inside).argmax()), inside.shape)
        height, width = self.segments.shape
        return (
            float((column - 0.5) * self.size[1] / width),
            float((row - 0.5) * self.size[0] / height),
        )


def _distance(inside: np.ndarray) -> np.ndarray:
    mask = inside.astype(np.uint8)
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


class ImageSegmenter:
    """Splits images into segments by the embedding of a model.

    The embedding is the last output of the neck, or of the backbone if there is none.

    Args:
        model: A segmentor with its config, as MMSegmentation's ``init_model`` makes it.

    Raises:
        ValueError: The test pipeline does more than load and resize.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        cfg: Config = model.cfg
        self.model = model
        self.pipeline = TestResizing(cfg)
        self.pooler = SegmentPooler(model.num_classes, _GRID)

    @torch.no_grad()
    def __call__(
        self, image: np.ndarray, labels: np.ndarray | None = None
    ) -> SegmentedImage:
        """Split an image.

        Args:
            image: (H, W, channels), as the loader of the config gives it.
            labels: (H, W) weak label map, C or more where unlabeled.
        """
        size = image.shape[:2]
        inputs = self._inputs(image)
        seen = inputs.shape[1:]
        batch = padded_for_test(inputs, self.model.data_preprocessor)
        embedding, probabilities = self._forward(batch)
        canvas = torch.full((1, *batch.shape[2:]), VOID)
        inside = torch.full(tuple(seen), self.model.num_classes)
        if labels is not None:
            known = torch.from_numpy(labels.astype(np.int64))[None]
            # Void pixels of the image keep a segment, which has no label.
            known = known.clamp_max(self.model.num_classes)
            inside = resize_labels(known, seen)[0]
        canvas[0, : seen[0], : seen[1]] = inside
        cells = resize_labels(canvas, embedding.shape[2:])
        height = int((cells[0] != VOID).any(dim=1).sum())
        width = int((cells[0] != VOID).any(dim=0).sum())
        crop = (slice(None), slice(None), slice(height), slice(width))
        return self._pooled(
            (size[0], size[1]),
            embedding[crop].cpu(),
            probabilities[crop].cpu(),
            cells[:, :height, :width],
        )

    def _inputs(self, image: np.ndarray) -> Tensor:
        """Resize an image as for a test, and normalize it: (channels, h, w)."""
        seen = self.pipeline.seen((image.shape[0], image.shape[1]))
        shrink = min(_LARGEST_SIDE / max(seen), 1.0)
        target = (
            max(round(seen[0] * shrink), 1),
            max(round(seen[1] * shrink), 1),
        )
        resized = self.pipeline.resized(image, target)
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        preprocessor = self.model.data_preprocessor
        return normalize(tensor.to(preprocessor.device), preprocessor)

    def _forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Compute embedding (1, D, h, w) and probabilities (1, C, h, w)."""
        features = self.model.extract_feat(batch)
        embedding = F.normalize(features[-1].float(), dim=1, eps=1e-12)
        if isinstance(self.model.decode_head, nn.ModuleList):
            size = tuple(batch.shape[2:])
            meta = dict(ori_shape=size, img_shape=size, pad_shape=size)
            logits = self.model.encode_decode(batch, [meta])
        else:
            logits = self.model.decode_head(features)
        logits = F.interpolate(
            logits.float(), embedding.shape[2:], mode='bilinear', align_corners=False
        )
        if logits.shape[1] == 1:
            foreground = logits.sigmoid()
            return embedding, torch.cat([1 - foreground, foreground], dim=1)
        return embedding, logits.softmax(dim=1)

    def _pooled(
        self,
        size: tuple[int, int],
        embedding: Tensor,
        probabilities: Tensor,
        labels: Tensor,
    ) -> SegmentedImage:
        pooled = self.pooler(embedding, labels)
        own, number = pooled.pixel_segment, len(pooled.label)
        per_pixel = probabilities[0].flatten(1).T
        count = own.bincount(minlength=number)[:, None].float()
        means = torch.zeros(number, per_pixel.shape[1])
        means = means.index_add_(0, own, per_pixel) / count
        margin = probability_margin(per_pixel.T)
        uncertain = torch.zeros(number).index_add_(0, own, 1 - margin)
        return SegmentedImage(
            size,
            own.reshape(labels.shape[1:]).numpy().astype(np.int16),
            mean_direction(embedding[0].flatten(1).T, own, number),
            means,
            uncertain / count[:, 0],
            pooled.label.clamp_max(self.model.num_classes),
        )
