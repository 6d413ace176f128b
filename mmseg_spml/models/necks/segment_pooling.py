"""The neck: backbone features to the pixel embedding, and the embedding to segments."""

from typing import Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.kmeans import location_colour_features
from mmseg_spml.functional.segments import (
    VOID,
    Segments,
    pool_segments,
    resize_labels,
)

from .weak_labels import UnlabelledWatch


@MODELS.register_module()
class SegmentPoolingNeck(BaseModule):
    """Embed pixels and pool them into segments.

    As an ordinary neck, ``forward`` turns backbone features into a 1-tuple with the
    embedding map; ``pool`` splits it by k-means, weak label and region, which needs
    the labels, since void pixels leave before k-means.

    Args:
        projection: Config of the module that maps features to the embedding, such as
            ``dict(type='ASPPEmbedding', in_channels=2048, embedding_dim=64)``.
        num_classes: ``C``.
        in_index: Backbone output(s) that the projection takes.
        upsample: Factor of a final bilinear up-sampling of the embedding.
        grid: Cells ``(ky, kx)`` of the k-means start grid.
        iterations: k-means iterations.
        colour_features: None, or the ``smoothing`` of
            :func:`~mmseg_spml.functional.kmeans.location_colour_features` by which
            colours join the local features (``'distance'`` is the release's).
        affinity_threshold: Smallest similarity by which a segment takes the label of
            a labelled one; needed by :class:`FeatureAffinityLoss`, else None.
        affinity_squeeze: Factor on the embedding in that similarity.
        init_cfg: Initialisation config.
    """

    def __init__(
        self,
        projection: dict,
        num_classes: int,
        in_index: Union[int, Sequence[int]] = -1,
        upsample: int = 1,
        grid: Tuple[int, int] = (6, 6),
        iterations: int = 10,
        colour_features: Optional[str] = None,
        affinity_threshold: Optional[float] = None,
        affinity_squeeze: float = 0.1,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projection = MODELS.build(projection)
        self.num_classes = num_classes
        self.in_index = (in_index,) if isinstance(in_index, int) else tuple(in_index)
        self.upsample = upsample
        self.grid = tuple(grid)
        self.iterations = iterations
        self.colour_features = colour_features
        self.affinity_threshold = affinity_threshold
        self.affinity_squeeze = affinity_squeeze
        self._watch = UnlabelledWatch()

    def forward(self, features: Sequence[Tensor]) -> Tuple[Tensor]:
        """Backbone features to ``(embedding,)``, embedding ``(N, D, h, w)``."""
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
        self, embedding: Tensor, data_samples: Sequence, inputs: Optional[Tensor] = None
    ) -> Segments:
        """Split a batch into segments, in float32 whatever autocast says.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            data_samples: Samples with ``gt_sem_seg``, ``region_map`` and ``gt_tags``.
            inputs: Normalised images ``(N, 3, H, W)``, for colour features.

        Returns:
            :class:`~mmseg_spml.functional.segments.Segments` of the batch.

        Raises:
            ValueError: If a sample lacks labels, regions or tags.
        """
        labels, regions, tags = stack_weak_annotations(data_samples)
        if self.training:
            self._watch.see((labels >= self.num_classes) & (labels != VOID))
        size = tuple(embedding.shape[2:])
        with torch.autocast(embedding.device.type, enabled=False):
            local = None
            if self.colour_features is not None:
                local = location_colour_features(
                    inputs.float(), size, self.colour_features
                )
            return pool_segments(
                embedding.float(),
                resize_labels(labels, size),
                resize_labels(regions, size),
                tags,
                grid=self.grid,
                iterations=self.iterations,
                local_features=local,
                num_classes=self.num_classes,
                affinity_threshold=self.affinity_threshold,
                affinity_squeeze=self.affinity_squeeze,
            )


def stack_weak_annotations(data_samples: Sequence) -> Tuple[Tensor, Tensor, Tensor]:
    """Label maps ``(N, H, W)``, region maps ``(N, H, W)`` and tags ``(N, C)``.

    Tags are int8: 1 present, 0 absent, -1 unknown; those that the data set ignores
    (``ignore_tags`` of a sample) are 0.

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
    tags = torch.stack([_tags_of(sample) for sample in data_samples])
    return labels, regions, tags


def _tags_of(sample: SegDataSample) -> Tensor:
    tags = sample.gt_tags.multi_hot.to(torch.int8)
    if 'unknown' in sample.gt_tags:
        tags[sample.gt_tags.unknown] = -1
    tags[list(sample.metainfo.get('ignore_tags', ()))] = 0
    return tags
