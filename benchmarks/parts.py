"""What can be measured: functions that set a scene up and name its variants.

Letters: Q queries, B bank, D embedding, C classes, n places of a grid.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from skimage.data import astronaut
from torch import Tensor

from mmseg_spml.evaluation.crf_comparison import crf_of_the_authors, uncertain_scores
from mmseg_spml.functional.dense_crf import dense_crf, dense_crf_of_images
from mmseg_spml.functional.random_walk import propagate
from mmseg_spml.functional.region_methods import REGION_METHODS
from mmseg_spml.functional.retrieval import faiss_is_there, nearest_segments

from . import network
from .agreement import (
    check_difference,
    largest_difference,
    mean_difference,
)
from .contrastive_step import kmeans, losses, scaling, step
from .measurement import Comparison
from .pipelines import samples_of, training_pipelines, write_training_files
from .settings import Settings


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
        check_difference(1 - float(equal.float().mean()), 0.01)
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
        largest_difference,
        gflop=2e-9 * places**2 * (dimension + steps * classes),
        once=frozenset({'squared six times'}),
    )


def crf(settings: Settings) -> list[Comparison]:
    """Dense CRF of 10 iterations, against its authors' code if that is installed.

    And four images together, against one by one.
    """
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
            mean_difference,
        ),
        _crf_of_images([np.roll(image, 40 * k, axis=1) for k in range(4)], on_device),
    ]


def _crf_of_images(images: list[np.ndarray], scores: Tensor) -> Comparison:
    height, width = scores.shape[1:]

    def run(pixels_together: int) -> Tensor:
        together = dense_crf_of_images(
            images, [scores] * len(images), pixels_together=pixels_together
        )
        return torch.stack(together)

    return Comparison(
        f'dense CRF of {len(images)} images of {height} x {width}',
        {
            'together': partial(run, len(images) * height * width),
            'one by one': partial(run, 1),
        },
        'one by one',
        largest_difference,
    )


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
    count = 8 if settings.small else 48
    size = (120, 160) if settings.small else (375, 500)
    folder = write_training_files(count, size)
    own, theirs = training_pipelines(size)

    def run(pipeline: Callable[[dict], dict]) -> Tensor:
        """Batches of 8, as a worker makes and gives away."""
        threads = cv2.getNumThreads()
        shapes = []
        samples = iter(samples_of(folder))
        try:
            cv2.setNumThreads(0)  # as MMEngine in a worker
            while batch := [pipeline(sample) for sample in islice(samples, 8)]:
                shapes += [image.shape for image in pseudo_collate(batch)['inputs']]
        finally:
            cv2.setNumThreads(threads)
        return torch.tensor(shapes)

    def same_shapes(found: Tensor, expected: Tensor) -> str:
        check_difference(float((found != expected).sum()), 0)
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
