"""Neck that computes the pixel embedding and pools it into segments."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.kmeans import location_color_features
from mmseg_spml.functional.segments.pooling import SegmentPooler
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.weak_labels import UnlabeledWatch


@MODELS.register_module()
class SegmentPoolingNeck(BaseModule):
    """Embeds pixels and pools them into segments.

    As in other necks, ``forward`` maps backbone features to a tuple, here with the
    embedding map as its single element. ``pool`` splits the map by k-means, weak label
    and region. It needs the labels, because void pixels are dropped before k-means.

    Args:
        projection: Config of the module that maps features to the embedding, such as
            ``dict(type='ASPPEmbedding', in_channels=2048, embedding_dim=64)``.
        num_classes: ``C``.
        in_index: Index or indices of the backbone outputs for the projection.
        upsample: Factor of a final bilinear upsampling of the embedding.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.
        color_features: Argument ``smoothing`` of
            :func:`~mmseg_spml.functional.segments.kmeans.location_color_features`, to
            add colors to the local features (the release uses ``'distance'``). None:
            positions only.
        affinity_threshold: Smallest similarity at which a segment takes the label of
            a labeled segment, for :class:`FeatureAffinityLoss`. None: no label sets.
        affinity_squeeze: Factor on the embedding in that similarity.
        init_cfg: Initialization config.
    """

    def __init__(
        self,
        projection: dict,
        num_classes: int,
        in_index: int | Sequence[int] = -1,
        upsample: int = 1,
        grid: tuple[int, int] = (6, 6),
        iterations: int = 10,
        color_features: str | None = None,
        affinity_threshold: float | None = None,
        affinity_squeeze: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projection = MODELS.build(projection)
        self.num_classes = num_classes
        self.in_index = (in_index,) if isinstance(in_index, int) else tuple(in_index)
        self.upsample = upsample
        self.color_features = color_features
        self.pooler = SegmentPooler(
            num_classes, grid, iterations, affinity_threshold, affinity_squeeze
        )
        self._watch = UnlabeledWatch()

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor]:
        """Map backbone features to ``(embedding,)``, embedding ``(N, D, h, w)``."""
        try:
            chosen = [features[index] for index in self.in_index]
        except IndexError as error:
            raise ValueError(
                f'in_index of the neck is {self.in_index}, but the backbone has '
                f'{len(features)} outputs (out_indices)'
            ) from error
        embedding = self.projection(chosen)
        if self.upsample != 1:
            embedding = F.interpolate(
                embedding,
                scale_factor=self.upsample,
                mode='bilinear',
                align_corners=False,
            )
        return (embedding,)

    def pool(
        self,
        embedding: Tensor,
        data_samples: Sequence[SegDataSample],
        inputs: Tensor | None = None,
    ) -> Segments:
        """Split a batch into segments, in float32 even under autocast.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            data_samples: Samples with ``gt_sem_seg``, ``region_map`` and ``gt_tags``.
            inputs: Normalized images ``(N, 3, H, W)``, for color features.

        Returns:
            :class:`~mmseg_spml.functional.segments.segments.Segments` of the batch.

        Raises:
            ValueError: If a sample lacks labels, regions or tags, or ``inputs`` is
                needed and missing.
        """
        labels, regions, tags = stack_weak_annotations(data_samples)
        if self.training:
            self._watch.see((labels >= self.num_classes) & (labels != VOID))
        local = None
        if self.color_features is not None:
            if inputs is None:
                raise ValueError('color features need the images: give `inputs`')
            size = (embedding.shape[2], embedding.shape[3])
            with torch.autocast(embedding.device.type, enabled=False):
                local = location_color_features(
                    inputs.float(), size, self.color_features
                )
        return self.pooler(embedding, labels, regions, tags, local)


def stack_weak_annotations(
    data_samples: Sequence[SegDataSample],
) -> tuple[Tensor, Tensor, Tensor]:
    """Stack label maps ``(N, H, W)``, region maps ``(N, H, W)`` and tags ``(N, C)``.

    Tags are int8: 1 present, 0 absent, -1 unknown.

    Raises:
        ValueError: If a sample lacks one of them.
    """
    for sample in data_samples:
        for name in ('gt_sem_seg', 'region_map', 'gt_tags'):
            if name not in sample:
                image = sample.metainfo.get('img_path', 'a sample')
                raise ValueError(
                    f'{image} has no {name}: the training pipeline needs '
                    'LoadWeakAnnotations, LoadRegions and PackWeakSegInputs'
                )
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
    regions = torch.stack([sample.region_map.data[0] for sample in data_samples])
    tags = torch.stack([sample.gt_tags.label for sample in data_samples])
    return labels, regions, tags
