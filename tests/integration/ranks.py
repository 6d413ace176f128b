"""What each of several processes computes in test_two_ranks, and its emulation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from integration import tiny
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODEL_WRAPPERS, MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.engine import launch
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.segments import Segments

RANKS, STEPS, CLASSES, DIM, SIZE = 2, 3, 5, 12, (14, 12)
RELATIONS = (
    dict(type='SemanticAnnotationLoss', concentration=6),
    dict(type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.5),
    dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.1),
    dict(type='FeatureAffinityLoss', concentration=12, loss_weight=0.5),
)
# Name -> images of each rank, rank without labels, rank that is void.
SCENES = {
    'equal': ((2, 2), None, None),
    'unequal': ((3, 1), None, None),
    'one_image': ((1, 2), None, None),
    'unlabeled': ((2, 2), 1, None),
    'void': ((2, 2), None, 1),
    'void_first': ((1, 3), None, 0),
    'both_bad': ((2, 1), 0, 1),
}
LONELY_SCENES = ('unlabeled', 'void')
Batch = tuple[Tensor, list[SegDataSample]]


def batch(scene: str, step: int, rank: int) -> Batch:
    """Embedding maps and samples of a rank in a step."""
    counts, unlabeled, void = SCENES[scene]
    key = 100 * list(SCENES).index(scene) + 10 * step + rank
    generator = torch.Generator().manual_seed(key)
    count = counts[rank]
    embedding = torch.randn(count, DIM, *SIZE, generator=generator)
    samples = []
    for _ in range(count):
        labels = torch.randint(0, CLASSES + 1, SIZE, generator=generator)
        labels[torch.rand(SIZE, generator=generator) < 0.6] = CLASSES
        labels[:2, :3] = VOID
        if rank == unlabeled:
            labels[labels < CLASSES] = CLASSES
        if rank == void:
            labels[:] = VOID
        regions = torch.arange(SIZE[0])[:, None] // 5 * 700 + torch.arange(SIZE[1]) // 4
        # Ids of the regions differ from image to image.
        regions = regions + int(torch.randint(0, 5, (), generator=generator))
        tags = (torch.rand(CLASSES, generator=generator) < 0.4).int()
        tags[torch.rand(CLASSES, generator=generator) < 0.1] = -1  # unknown
        samples.append(sample(labels, regions, tags))
    return embedding, samples


def sample(labels: Tensor, regions: Tensor, tags: Tensor) -> SegDataSample:
    """A training sample."""
    packed = SegDataSample()
    packed.gt_sem_seg = PixelData(data=labels[None])
    packed.region_map = PixelData(data=regions[None])
    packed.gt_tags = LabelData(label=tags.to(torch.int8))
    return packed


def build(
    relations: Sequence[dict] = RELATIONS,
    reduction: str = 'rank_mean',
    classes: int = CLASSES,
    dim: int = DIM,
    grid: tuple[int, int] = (3, 3),
    affinity: float | None = 0.9,
) -> tuple[nn.Module, nn.Module]:
    """Neck and head; in training, except for the classifier's BN and dropout."""
    tiny.registered()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(
            type='SegmentPoolingNeck',
            projection=dict(type='ConvEmbedding', in_channels=1, embedding_dim=dim),
            num_classes=classes,
            grid=grid,
            affinity_threshold=affinity,
        )
    )
    head = MODELS.build(
        dict(
            type='SPMLHead',
            embedding_dim=dim,
            num_classes=classes,
            relations=list(relations),
            memory=dict(type='SegmentMemory', steps=2),
            norm_cfg=dict(type='BN'),
            reduction=reduction,
        )
    )
    head.train()
    head.classifier.eval()
    return neck, head


def outcome(losses: dict[str, Tensor], embeddings: Sequence[Tensor]) -> dict:
    """Backward pass; losses and gradients as plain tensors."""
    sum(tiny.named_losses(losses)).backward()
    return dict(
        losses={k: v.detach() for k, v in losses.items() if 'loss' in k},
        gradients=[embedding.grad for embedding in embeddings],
    )


def distributed_steps(
    scene: str, reduction: str = 'rank_mean', relations: Sequence[dict] = RELATIONS
) -> list[dict]:
    """What this rank computes in a scene, through the package alone."""
    neck, head = build(relations, reduction)
    results = []
    for step in range(STEPS):
        embedding, samples = batch(scene, step, dist.get_rank())
        embedding.requires_grad_()
        head.zero_grad()
        segments = neck.pool(embedding, samples)
        losses = head.loss((embedding,), samples, {}, segments)
        found = outcome(losses, [embedding])
        found['parameters'] = {
            name: parameter.grad for name, parameter in head.named_parameters()
        }
        results.append(found)
    results.append([kept.tensors() for kept in tiny.memory_of(head)])
    return results


def pixels_of(segments: Segments, first: int, count: int) -> Segments:
    """All segments, with the pixels of the images ``first .. first + count - 1``."""
    image = segments.pixel_image
    keep = (image >= first) & (image < first + count)
    fields = 'pixels', 'pixels_loc', 'pixel_label', 'pixel_segment', 'pixel_image'
    return replace(segments, **{name: getattr(segments, name)[keep] for name in fields})


def emulated_steps(scene: str, relations: Sequence[dict] = RELATIONS) -> list[dict]:
    """Mean of the per-rank losses, in one process that pools all images together."""
    neck, head = build(relations)
    results = []
    for step in range(STEPS):
        batches = [batch(scene, step, rank) for rank in range(RANKS)]
        embeddings = [embedding.requires_grad_() for embedding, _ in batches]
        samples = [s for _, part in batches for s in part]
        head.zero_grad()
        everything = neck.pool(torch.cat(embeddings), samples)
        memory = head.memory.segments(torch.device('cpu'))
        total: dict[str, Tensor] = {}
        first = 0
        for embedding, part in batches:
            losses = head.loss_by_feat(head.forward([embedding.detach()]), part)
            seen = pixels_of(everything, first, len(part))
            compared = seen if memory is None else Segments.concat([seen, memory])
            for relation in head.relations:
                others = relation.uses_other_images
                losses[relation.loss_name] = relation(compared if others else seen)
            for name, value in losses.items():
                total[name] = total.get(name, 0) + value / RANKS
            first += len(part)
        head.memory.append(everything)
        found = outcome(total, embeddings)
        found['parameters'] = {
            name: parameter.grad for name, parameter in head.named_parameters()
        }
        results.append(found)
    results.append([kept.tensors() for kept in tiny.memory_of(head)])
    return results


def joint_steps(scene: str) -> list[dict]:
    """One process that trains on all images at once."""
    neck, head = build()
    results = []
    for step in range(STEPS):
        batches = [batch(scene, step, rank) for rank in range(RANKS)]
        embeddings = [embedding.requires_grad_() for embedding, _ in batches]
        samples = [s for _, part in batches for s in part]
        head.zero_grad()
        joined = torch.cat(embeddings)
        losses = head.loss((joined,), samples, {}, neck.pool(joined, samples))
        found = outcome(losses, embeddings)
        found['parameters'] = {
            name: parameter.grad for name, parameter in head.named_parameters()
        }
        results.append(found)
    return results


def golden_step(inputs: dict) -> dict:
    """One step of a head that has segments of two earlier steps in its memory."""
    config = inputs['config']
    relations = [
        dict(
            type='SemanticAnnotationLoss',
            concentration=config['sem_ann_concentration'],
            loss_weight=config['sem_ann_loss_weight'],
        ),
        dict(
            type='SemanticCooccurrenceLoss',
            concentration=config['sem_occ_concentration'],
            loss_weight=config['sem_occ_loss_weight'],
            tagless='exact',
            ignore_tags=(0,),
        ),
        dict(
            type='ImageSimilarityLoss',
            concentration=config['img_sim_concentration'],
            loss_weight=config['img_sim_loss_weight'],
        ),
    ]
    embedding, labels, regions, tags = inputs['ranks'][dist.get_rank()]
    neck, head = build(
        relations,
        classes=tags.shape[1],
        dim=embedding.shape[1],
        grid=inputs['grid'],
        affinity=None,
    )
    head.memory._kept.extend(Segments(**kept) for kept in inputs['memory'])
    embedding = embedding.clone().requires_grad_()
    samples = [sample(*maps) for maps in zip(labels, regions, tags)]
    segments = neck.pool(embedding, samples)
    losses = head.loss((embedding,), samples, {}, segments)
    losses = {k: v for k, v in losses.items() if k != 'loss_ce'}
    found = outcome(losses, [embedding])
    found['memory'] = [kept.tensors() for kept in tiny.memory_of(head)]
    return found


def parallel_training(folder: str) -> dict[str, Tensor]:
    """Parameters of the tiny model after steps under DDP as the tools set it up."""
    root = Path(folder) / f'config_{dist.get_rank()}'
    root.mkdir()
    cfg = tiny.config(root, root)
    cfg.model.backbone.norm_cfg = dict(type='BN')
    launch.without_cuda(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = cfg.model_wrapper_cfg
    model = MODEL_WRAPPERS.build(wrapper, default_args=dict(module=model))
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for void in (None, 1, 0, 0):
        size = (32, 40)
        samples = []
        for _ in range(2 + dist.get_rank()):
            labels = torch.randint(0, tiny.CLASSES + 1, size)
            if void == dist.get_rank():
                labels[:] = VOID
            regions = torch.randint(0, 4, size)
            samples.append(sample(labels, regions, torch.rand(tiny.CLASSES) < 0.5))
        images = torch.rand(len(samples), 3, *size)
        losses = model(images, samples, mode='loss')
        optimizer.zero_grad()
        sum(tiny.named_losses(losses)).backward()
        optimizer.step()
    return {name: p.detach() for name, p in model.module.named_parameters()}


def run_rank(rank: int, port: str, folder: str, golden: dict | None) -> None:
    """Compute all scenes as one of ``RANKS`` processes and save what came out."""
    dist.init_process_group(
        'gloo',
        init_method=f'tcp://127.0.0.1:{port}',
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=60),
    )
    results = {
        (scene, reduction): distributed_steps(scene, reduction)
        for scene in SCENES
        for reduction in ('rank_mean', 'global_mean')
    }
    for relation in RELATIONS:
        for scene in LONELY_SCENES:
            found = distributed_steps(scene, relations=[relation])
            results[scene, relation['type']] = found
    results['ddp'] = parallel_training(folder)
    if golden is not None:
        results['golden'] = golden_step(golden)
    torch.save(results, Path(folder) / f'{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
