"""Small segmentors, samples and segments with which the tests of models work."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import Tensor, nn

import mmseg_spml  # noqa: F401  (registers the package's modules)
from mmseg_spml.functional.segments.pooling import pool_segments
from mmseg_spml.functional.segments.segments import Segments

C = 4
D = 6
UNLABELED, VOID = C, 255
BN = dict(type='BN')
PLAIN_HEAD = dict(
    type='FCNHead',
    in_channels=16,
    in_index=1,
    channels=8,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0,
    norm_cfg=BN,
    num_classes=C,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
FOUR_RELATIONS = [
    dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=0.7),
    dict(
        type='SemanticCooccurrenceLoss',
        ignore_tags=(0,),
        concentration=8,
        loss_weight=0.5,
        watch_steps=0,
    ),
    dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.1),
    dict(type='FeatureAffinityLoss', concentration=12, loss_weight=0.3),
]


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weak_maps(
    count: int, size: tuple[int, int], seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels (with unlabeled and void), regions, tags of neighboring images."""
    generator = random(seed)
    labels = torch.randint(0, C, (count, *size), generator=generator)
    labels[torch.rand(count, *size, generator=generator) < 0.5] = UNLABELED
    labels[:, 0] = VOID
    # no two images share all their tags, some share none
    for n in range(count):
        absent = (labels[n] != 0) & (labels[n] < C) & (labels[n] % 2 != n % 2)
        labels[n][absent] = UNLABELED
    regions = torch.randint(0, 3, (count, *size), generator=generator)
    tags = torch.stack([(labels == c).flatten(1).any(1) for c in range(C)], dim=1)
    return labels, regions, tags


def pooled(
    count: int = 3,
    size: tuple[int, int] = (6, 7),
    seed: int = 0,
    maps: tuple[Tensor, Tensor, Tensor] | None = None,
    dtype: torch.dtype = torch.float64,
    affinity_threshold: float | None = 0.6,
) -> tuple[Tensor, Segments]:
    """An embedding that takes a gradient, and its segments."""
    embedding = torch.randn(count, D, *size, generator=random(seed), dtype=dtype)
    embedding.requires_grad_()
    labels, regions, tags = maps or weak_maps(count, size, seed)
    segments = pool_segments(
        embedding,
        labels,
        regions,
        tags,
        grid=(2, 2),
        iterations=3,
        num_classes=C,
        affinity_threshold=affinity_threshold,
        affinity_squeeze=0.5,
    )
    return embedding, segments


def sample(
    labels: Tensor,
    regions: Tensor | None = None,
    tags: Tensor | None = None,
    **metainfo: Any,
) -> SegDataSample:
    """A data sample; without regions and tags it has labels alone."""
    size = tuple(labels.shape)
    out = SegDataSample(gt_sem_seg=PixelData(data=labels[None].long()))
    if regions is not None:
        out.region_map = PixelData(data=regions[None].long())
    if tags is not None:
        out.gt_tags = LabelData(label=tags.to(torch.int8))
    out.set_metainfo(dict(img_shape=size, ori_shape=size, pad_shape=size, **metainfo))
    return out


def batch(
    count: int = 2, size: tuple[int, int] = (32, 40), seed: int = 0
) -> tuple[Tensor, list[SegDataSample]]:
    """Normalized images and their samples."""
    inputs = torch.randn(count, 3, *size, generator=random(seed))
    maps = weak_maps(count, size, seed)
    return inputs, [sample(*one) for one in zip(*maps)]


def metas(inputs: Tensor) -> list[dict[str, Any]]:
    size = tuple(inputs.shape[2:])
    one = dict(img_shape=size, ori_shape=size, pad_shape=size)
    return [dict(one) for _ in inputs]


def config(relations: Sequence[dict] = FOUR_RELATIONS, **changes: Any) -> dict:
    """Config of a segmentor; ``head__...`` and ``neck__...`` change its parts."""
    model = dict(
        type='SPMLSegmentor',
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
            base_channels=8,
            stem_channels=8,
            norm_cfg=BN,
            norm_eval=False,
        ),
        neck=dict(
            type='SegmentPoolingNeck',
            projection=dict(
                type='LateralEmbedding',
                in_channels=(8, 16),
                channels=8,
                embedding_dim=D,
                norm_cfg=BN,
            ),
            in_index=(0, 1),
            grid=(3, 3),
            iterations=3,
            num_classes=C,
            affinity_threshold=0.9,
        ),
        decode_head=dict(
            type='SPMLHead',
            embedding_dim=D,
            num_classes=C,
            norm_cfg=BN,
            dropout_ratio=0.0,
            relations=[dict(relation) for relation in relations],
            memory=dict(type='SegmentMemory', steps=2),
            retrieval=dict(grid=(2, 2), iterations=3, neighbors=3),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    parts = dict(head='decode_head', neck='neck')
    for key, value in changes.items():
        part, _, option = key.rpartition('__')
        (model[parts[part]] if part else model)[option] = value
    return model


def build(seed: int = 0, **options: Any) -> nn.Module:
    """The segmentor of :func:`config`, seeded."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(seed)
    return MODELS.build(ConfigDict(config(**options)))
