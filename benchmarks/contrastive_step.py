"""Benchmarks of the parts of a training step: segments, losses, and their scaling."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.agreement import relative_difference
from benchmarks.dense_reference import (
    dense_annotation,
    dense_cooccurrence,
    dense_image_similarity,
    dense_pixel_to_segment_loss,
)
from benchmarks.measurement import Comparison
from benchmarks.scene import Scene
from benchmarks.settings import Settings
from mmseg_spml.functional.losses.contrastive import pixel_to_segment_loss
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.decode_heads.segment_gather import SegmentGather
from mmseg_spml.models.losses.relations import (
    ImageSimilarityLoss,
    RelationLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)

# Concentrations and weights of the paper's scribble run.
_RELATIONS = dict(
    annotation=(6, 1.0), cooccurrence=(12, 0.5), image_similarity=(16, 0.1)
)
_DENSE: dict[str, Callable[[Segments, float], Tensor]] = dict(
    annotation=dense_annotation,
    cooccurrence=dense_cooccurrence,
    image_similarity=dense_image_similarity,
)


def step(settings: Settings) -> list[Comparison]:
    """Compare SPML's part of a training step: segments, losses, and their gradient."""
    scene = settings.training_step()
    losses = _losses()

    def ours(segments: Segments) -> Tensor:
        everything = scene.with_memory(segments)
        found = [
            loss(everything if loss.uses_other_images else segments)
            for loss in losses.values()
        ]
        return torch.stack(found).sum()

    def dense(segments: Segments) -> Tensor:
        found = [
            weight * _DENSE[name](_compared(name, scene, segments), concentration)
            for name, (concentration, weight) in _RELATIONS.items()
        ]
        return torch.stack(found).sum()

    def with_gradient(total: Callable[[Segments], Tensor]) -> Callable[[], Tensor]:
        def run() -> Tensor:
            embedding = scene.embedding.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(
                total(scene.segments(embedding)), embedding
            )
            return gradient

        return run

    segments = scene.segments()
    gflop = sum(_loss_gflop(scene, segments, name) for name in _RELATIONS)
    title = (
        f"a training step's segments and losses, {len(segments.pixels):,} pixels, "
        f'{len(segments):,} segments and {len(scene.memory):,} of memory; to other '
        f'ranks {SegmentGather(segments).packed().nbytes / 1e6:.2f} MB'
    )
    return [
        Comparison(
            title,
            {'blockwise': with_gradient(ours), 'whole matrices': with_gradient(dense)},
            'whole matrices',
            relative_difference,
            gflop=gflop + _kmeans_gflop(segments),
        )
    ]


def kmeans(settings: Settings) -> list[Comparison]:
    """Measure the pooling of pixels to segments, which has no baseline."""
    scene = settings.training_step()
    segments = scene.segments()
    return [
        Comparison(
            f'segments of {len(segments.pixels):,} pixels, 10 iterations of k-means',
            {'image by image': lambda: scene.segments().prototypes},
            'image by image',
            relative_difference,
            gflop=_kmeans_gflop(segments),
        )
    ]


def losses(settings: Settings) -> list[Comparison]:
    """Compare the loss of each relation with its gradients to pixels and prototypes."""
    scene = settings.training_step()
    pooled = scene.segments()
    return [
        Comparison(
            f'loss of {name.replace("_", " ")}',
            {
                'blockwise': _gradients(scene, pooled, name, loss),
                'whole matrices': _gradients(scene, pooled, name, _dense(name)),
            },
            'whole matrices',
            relative_difference,
            gflop=_loss_gflop(scene, pooled, name),
        )
        for name, loss in _losses().items()
    ]


def scaling(settings: Settings) -> list[Comparison]:
    """Compare one loss at growing numbers of pixels, segments and classes.

    The variant with whole matrices is left out where a matrix has more than 2^28
    entries.
    """
    unit = 16 if settings.small else 1
    usual = dict(pixels=62_500 // unit, segments=2_500 // unit, classes=20)
    varied = dict(
        pixels=[125_000, 250_000, 500_000],
        segments=[10_000, 40_000, 100_000],
        classes=[80, 150],
    )
    problems = [('pixels', usual), ('segments', usual), ('classes', usual)]
    for axis, values in varied.items():
        for value in values:
            size = value if axis == 'classes' else value // unit
            problems.append((axis, {**usual, axis: size}))
    if not settings.small:
        largest = dict(pixels=500_000, segments=100_000, classes=20)
        problems.append(('', largest))
    return [_scaled(axis, size, settings.device) for axis, size in problems]


def _scaled(axis: str, size: dict[str, int], device: torch.device) -> Comparison:
    pixels, number, classes = size['pixels'], size['segments'], size['classes']
    generator = torch.Generator().manual_seed(0)
    vectors = [
        F.normalize(torch.randn(count, 64, generator=generator), dim=1).to(device)
        for count in (pixels, number)
    ]
    label = torch.randint(0, classes, (number,), generator=generator).to(device)
    own = torch.randint(0, number, (pixels,), generator=generator).to(device)
    same = torch.arange(classes, device=device).unsqueeze(1) == label
    table = same.to(torch.int8) - (~same).to(torch.int8)

    def gradients(loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        leaves = [vector.detach().requires_grad_() for vector in vectors]
        return torch.cat(torch.autograd.grad(loss(*leaves), leaves))

    def swept(features: Tensor, prototypes: Tensor) -> Tensor:
        return pixel_to_segment_loss(
            features, prototypes, own, label[own], table, concentration=8.0
        )

    def dense(features: Tensor, prototypes: Tensor) -> Tensor:
        equal = label[own].unsqueeze(1) == label
        return dense_pixel_to_segment_loss(
            features, prototypes, own, equal, ~equal, 8.0
        ).mean()

    variants = {'blockwise': partial(gradients, swept)}
    if pixels * number <= 1 << 28:
        variants['whole matrices'] = partial(gradients, dense)
    return Comparison(
        f'loss of {pixels:,} pixels, {number:,} segments, {classes} classes',
        variants,
        [*variants][-1],
        relative_difference,
        gflop=6e-9 * pixels * number * 64,
        once=frozenset(variants) if pixels * number > 1 << 28 else frozenset(),
        axis=axis,
        sizes=size,
    )


def _losses() -> dict[str, RelationLoss]:
    kinds = dict(
        annotation=SemanticAnnotationLoss,
        cooccurrence=SemanticCooccurrenceLoss,
        image_similarity=ImageSimilarityLoss,
    )
    options = dict(cooccurrence=dict(ignore_tags=(0,), tagless='exact', watch_steps=0))
    return {
        name: kinds[name](concentration, weight, **options.get(name, {}))
        for name, (concentration, weight) in _RELATIONS.items()
    }


def _dense(name: str) -> Callable[[Segments], Tensor]:
    concentration, weight = _RELATIONS[name]
    return lambda segments: weight * _DENSE[name](segments, concentration)


def _compared(name: str, scene: Scene, segments: Segments) -> Segments:
    """Return the segments of the batch, with memory for relations between images."""
    return segments if name == 'image_similarity' else scene.with_memory(segments)


def _gradients(
    scene: Scene, pooled: Segments, name: str, loss: Callable[[Segments], Tensor]
) -> Callable[[], Tensor]:
    """Make a function that returns the joined gradients of pixels and prototypes."""
    located = '_loc' if name == 'image_similarity' else ''

    def run() -> Tensor:
        names = (f'pixels{located}', f'prototypes{located}')
        leaves = {n: getattr(pooled, n).detach().requires_grad_() for n in names}
        found = loss(_compared(name, scene, replace(pooled, **leaves)))
        return torch.cat(torch.autograd.grad(found, tuple(leaves.values())))

    return run


def _kmeans_gflop(segments: Segments) -> float:
    return 2e-9 * 10 * len(segments.pixels) * 36 * segments.pixels_loc.shape[1]


def _loss_gflop(scene: Scene, segments: Segments, name: str) -> float:
    """Count the GFLOP of the similarities and of their gradients."""
    if name == 'image_similarity':
        pairs = float(
            (
                torch.bincount(segments.pixel_image).double()
                * torch.bincount(segments.image)
            ).sum()
        )
        return 6e-9 * pairs * segments.pixels_loc.shape[1]
    everything = scene.with_memory(segments)
    pixels, others = len(segments.pixels), len(everything)
    if name == 'annotation':
        pixels = int((segments.pixel_label < segments.num_classes).sum())
        others = int((everything.label < segments.num_classes).sum())
    return 6e-9 * pixels * others * segments.pixels.shape[1]
