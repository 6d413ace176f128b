"""What can be measured: functions that set a scene up and name its variants.

Letters: Q queries, B bank, D embedding, C classes, n places of a grid.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from skimage.data import astronaut
from torch import Tensor

from mmseg_spml.evaluation.crf_comparison import crf_of_the_authors, uncertain_scores
from mmseg_spml.functional.contrastive import pixel_to_segment_loss
from mmseg_spml.functional.dense_crf import dense_crf
from mmseg_spml.functional.dense_reference import (
    dense_annotation,
    dense_cooccurrence,
    dense_image_similarity,
    dense_pixel_to_segment_loss,
)
from mmseg_spml.functional.random_walk import propagate
from mmseg_spml.functional.region_methods import REGION_METHODS
from mmseg_spml.functional.retrieval import faiss_is_there, nearest_segments
from mmseg_spml.functional.segments import Segments
from mmseg_spml.models.relation_losses import (
    ImageSimilarityLoss,
    RelationLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)
from mmseg_spml.models.segment_gather import SegmentGather

from . import network
from .measurement import Comparison
from .pipelines import samples_of, training_pipelines, write_training_files
from .scene import Scene, generate_scene, read_scene

# Concentrations and weights of the paper's scribble run.
_RELATIONS = dict(
    annotation=(6, 1.0), cooccurrence=(12, 0.5), image_similarity=(16, 0.1)
)
_DENSE: dict[str, Callable[[Segments, float], Tensor]] = dict(
    annotation=dense_annotation,
    cooccurrence=dense_cooccurrence,
    image_similarity=dense_image_similarity,
)


@dataclass(frozen=True)
class Settings:
    """What to measure on.

    Attributes:
        device: Where to compute.
        small: Whether scenes are small.
        scene: File of the scene of a training step; None: a generated one.
        config: Of the network of whole iterations and predictions; None: they are
            left out.
    """

    device: torch.device
    small: bool = False
    scene: Optional[Path] = None
    config: Optional[Path] = None

    def training_step(self) -> Scene:
        """The scene of a training step."""
        if self.scene is not None:
            return read_scene(self.scene, self.device)
        if self.small:
            return generate_scene(self.device, images=2, side=32, memory=100)
        return generate_scene(self.device)


def step(settings: Settings) -> list[Comparison]:
    """SPML's part of a training step: segments, losses, gradient of the embedding."""
    scene = settings.training_step()
    losses = _losses()

    def ours(segments: Segments) -> Tensor:
        everything = scene.with_memory(segments)
        return sum(
            loss(everything if loss.uses_other_images else segments)
            for loss in losses.values()
        )

    def dense(segments: Segments) -> Tensor:
        return sum(
            weight * _DENSE[name](_compared(name, scene, segments), concentration)
            for name, (concentration, weight) in _RELATIONS.items()
        )

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
        f'ranks {SegmentGather(segments, len(scene.tags)).packed().nbytes / 1e6:.2f} MB'
    )
    return [
        Comparison(
            title,
            {'sweeps': with_gradient(ours), 'whole matrices': with_gradient(dense)},
            'whole matrices',
            _relative_difference,
            gflop=gflop + _kmeans_gflop(segments),
        )
    ]


def kmeans(settings: Settings) -> list[Comparison]:
    """Pixels to segments alone; there is no other way to compare with."""
    scene = settings.training_step()
    segments = scene.segments()
    return [
        Comparison(
            f'segments of {len(segments.pixels):,} pixels, 10 iterations of k-means',
            {'image by image': lambda: scene.segments().prototypes},
            'image by image',
            _relative_difference,
            gflop=_kmeans_gflop(segments),
        )
    ]


def losses(settings: Settings) -> list[Comparison]:
    """Each relation alone, with the gradients of pixels and prototypes."""
    scene = settings.training_step()
    pooled = scene.segments()
    return [
        Comparison(
            f'loss of {name.replace("_", " ")}',
            {
                'sweeps': _gradients(scene, pooled, name, loss),
                'whole matrices': _gradients(scene, pooled, name, _dense(name)),
            },
            'whole matrices',
            _relative_difference,
            gflop=_loss_gflop(scene, pooled, name),
        )
        for name, loss in _losses().items()
    ]


def scaling(settings: Settings) -> list[Comparison]:
    """One loss of ever more pixels, segments and classes.

    Whole matrices are left out where one alone has more than 2^28 entries.
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

    variants = {'sweeps': partial(gradients, swept)}
    if pixels * number <= 1 << 28:
        variants['whole matrices'] = partial(gradients, dense)
    return Comparison(
        f'loss of {pixels:,} pixels, {number:,} segments, {classes} classes',
        variants,
        [*variants][-1],
        _relative_difference,
        gflop=6e-9 * pixels * number * 64,
        once=frozenset(variants) if pixels * number > 1 << 28 else frozenset(),
        axis=axis,
        size=size.get(axis, 0),
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
    """What the pixels are compared with: their own images alone, or all."""
    return segments if name == 'image_similarity' else scene.with_memory(segments)


def _gradients(
    scene: Scene, pooled: Segments, name: str, loss: Callable[[Segments], Tensor]
) -> Callable[[], Tensor]:
    """Gradients of pixels and prototypes, joined."""
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
    """Similarities, and their gradients to pixels and prototypes."""
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


def retrieval(settings: Settings) -> list[Comparison]:
    """The 20 nearest of 500 segments in a bank, against sorting all similarities."""
    device = settings.device
    number, dimension = (150_000 if settings.small else 1_500_000), 64
    queries, k = 500, 20
    generator = torch.Generator().manual_seed(0)

    def unit_vectors(count: int) -> Tensor:
        vectors = torch.randn(count, dimension, generator=generator)
        return F.normalize(vectors, dim=1).to(device)

    bank, query = unit_vectors(number), unit_vectors(queries)
    variants: dict[str, Callable[[], Tensor]] = {
        'in blocks': lambda: nearest_segments(query, bank, k),
        'all similarities, sorted': lambda: (
            (query @ bank.t()).argsort(dim=1, descending=True)[:, :k].clone()
        ),
    }
    if faiss_is_there() and device.type == 'cpu':
        variants['faiss'] = lambda: nearest_segments(query, bank, k, backend='faiss')

    def agreement(found: Tensor, expected: Tensor) -> str:
        # rows that differ by rounding of nearly equal similarities are few
        equal = (found.sort(dim=1).values == expected.sort(dim=1).values).all(dim=1)
        _check(1 - float(equal.float().mean()), 0.01)
        return f'{equal.float().mean():.2%} of the queries have the same neighbours'

    return [
        Comparison(
            f'retrieval of {queries} x {number:,} x {dimension}, k = {k}',
            variants,
            'all similarities, sorted',
            agreement,
            gflop=2e-9 * queries * number * dimension,
            gigabytes=4e-9 * number * dimension,
            once=frozenset({'all similarities, sorted'}),
        )
    ]


def random_walk(settings: Settings) -> list[Comparison]:
    """64 steps of class scores, against squaring the transitions six times."""
    sizes = [(375, 500)]
    if not settings.small:
        sizes += [(640, 640), (1024, 1024)]
    return [
        _random_walk(height // 8, width // 8, settings.device)
        for height, width in sizes
    ]


def _random_walk(height: int, width: int, device: torch.device) -> Comparison:
    classes, dimension, places = 21, 64, height * width
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(dimension, height, width, generator=generator)
    embedding = F.avg_pool2d(embedding[None], 5, 1, 2)[0].to(device)
    scores = torch.rand(classes, height, width, generator=generator).to(device)
    # for a large image memory is what matters, and steps need no more of it
    steps = 64 if places <= 7000 else 4
    variants: dict[str, Callable[[], Tensor]] = {
        'steps of the scores': lambda: propagate([embedding], scores, steps=steps),
        'the same, an eighth of the matrix at a time': lambda: propagate(
            [embedding], scores, steps=steps, largest_matrix=places**2 // 8
        ),
    }
    baseline = 'steps of the scores'
    if places <= 3000:  # its cost grows with the cube

        def squared() -> Tensor:
            unit = F.normalize(embedding.flatten(1), dim=0)
            walk = (unit.T @ unit).sub_(1).mul_(100).exp_()
            walk.masked_fill_(walk < 1e-19, 0)  # as ours: tiny numbers are slow
            walk /= walk.sum(dim=0)
            for _ in range(6):
                walk = walk @ walk
            return (scores.flatten(1) @ walk).view_as(scores)

        variants[baseline := 'squared six times'] = squared
    return Comparison(
        f'{steps} steps of the random walk on a grid of {height} x {width} (an image '
        f'of {8 * height} x {8 * width}), {classes} classes',
        variants,
        baseline,
        _largest_difference,
        gflop=2e-9 * places**2 * (dimension + steps * classes),
        once=frozenset({'squared six times'}),
    )


def crf(settings: Settings) -> list[Comparison]:
    """Dense CRF of 10 iterations, against its authors' code if that is installed."""
    height, width, classes = (120, 160, 21) if settings.small else (375, 500, 21)
    scores = uncertain_scores((height, width), classes, seed=0)
    image = _picture(height, width)
    on_device = scores.to(settings.device)
    variants: dict[str, Callable[[], Tensor]] = {
        'lattice in PyTorch': lambda: dense_crf(image, on_device)
    }
    baseline = 'lattice in PyTorch'
    theirs = crf_of_the_authors()
    if theirs is not None:
        baseline = 'pydensecrf2'
        variants[baseline] = lambda: torch.from_numpy(theirs(image, scores.numpy()))
    return [
        Comparison(
            f'dense CRF of {height} x {width}, {classes} classes',
            variants,
            baseline,
            _mean_difference,
        )
    ]


def _relative_difference(found: Tensor, expected: Tensor) -> str:
    difference = float((found - expected).norm() / expected.norm())
    _check(difference, 1e-3)
    return f'relative difference of gradients {difference:.1e}'


def regions(settings: Settings) -> list[Comparison]:
    """The region methods that need the image alone; they make different regions."""
    height, width = (120, 160) if settings.small else (375, 500)
    image = _picture(height, width)
    return [
        Comparison(
            f'regions of {height} x {width}',
            {name: partial(method, image) for name, method in REGION_METHODS.items()},
            'felzenszwalb',
            lambda found, _: f'{len(np.unique(found))} regions',
        )
    ]


def loader(settings: Settings) -> list[Comparison]:
    """Training pipelines on the same files, on one core: with regions and without."""
    count = 4 if settings.small else 24
    size = (120, 160) if settings.small else (375, 500)
    folder = write_training_files(count, size)
    own, theirs = training_pipelines(size)

    def run(pipeline: Callable[[dict], dict]) -> Tensor:
        seen = [pipeline(sample)['inputs'].shape for sample in samples_of(folder)]
        return torch.tensor(seen)

    def same_shapes(found: Tensor, expected: Tensor) -> str:
        _check(float((found != expected).sum()), 0)
        return ''

    return [
        Comparison(
            f'loading and augmenting {count} images of {size[0]} x {size[1]}',
            {
                'weak labels, regions, tags': partial(run, own),
                'labels (MMSegmentation)': partial(run, theirs),
            },
            'labels (MMSegmentation)',
            same_shapes,
        )
    ]


def iteration(settings: Settings) -> list[Comparison]:
    """What SPML adds to a training iteration of a network."""
    if settings.config is None:
        return []
    return network.iteration(settings.config, settings.device, settings.small)


def inference(settings: Settings) -> list[Comparison]:
    """Prediction by the classifier and by retrieval."""
    if settings.config is None:
        return []
    return network.inference(settings.config, settings.device, settings.small)


def _largest_difference(found: Tensor, expected: Tensor) -> str:
    difference = float((found - expected).abs().max())
    _check(difference, 1e-4)
    return f'largest difference {difference:.1e}'


def _mean_difference(found: Tensor, expected: Tensor) -> str:
    difference = float((found.cpu() - expected.cpu()).abs().mean())
    _check(difference, 0.01)
    return f'mean difference of marginals {difference:.1e}'


def _check(difference: float, largest: float) -> None:
    if not difference <= largest:
        raise RuntimeError(
            f'the variants differ by {difference:.1e}, expected at most {largest:.1e}'
        )


def _picture(height: int, width: int) -> np.ndarray:
    """A photograph that comes with scikit-image."""
    return cv2.resize(astronaut(), (width, height), interpolation=cv2.INTER_AREA)


PARTS: dict[str, Callable[[Settings], list[Comparison]]] = {
    'step': step,
    'kmeans': kmeans,
    'losses': losses,
    'scaling': scaling,
    'retrieval': retrieval,
    'random_walk': random_walk,
    'crf': crf,
    'regions': regions,
    'loader': loader,
    'iteration': iteration,
    'inference': inference,
}
"""What can be measured, by name."""
