"""Parts that can be measured: functions that return comparisons of variants."""

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

from benchmarks import command_times, network, photograph as large_image
from benchmarks.agreement import check_difference, largest_difference, mean_difference
from benchmarks.contrastive_step import kmeans, losses, scaling, step
from benchmarks.crf_comparison import crf_of_the_authors, uncertain_scores
from benchmarks.measurement import Comparison
from benchmarks.pipelines import samples_of, training_pipelines, write_training_files
from benchmarks.settings import Settings
from mmseg_spml.functional.refinement.dense_crf import dense_crf, dense_crf_of_images
from mmseg_spml.functional.refinement.random_walk import propagate
from mmseg_spml.functional.regions.methods import REGION_METHODS
from mmseg_spml.functional.segments.retrieval import faiss_is_there, nearest_segments


def retrieval(settings: Settings) -> list[Comparison]:
    """Compare the search of the 20 nearest segments with sorting all similarities."""
    device = settings.device
    number, dimension = (15_000 if settings.small else 1_500_000), 64
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
        # Few rows differ, by rounding of nearly equal similarities.
        equal = (found.sort(dim=1).values == expected.sort(dim=1).values).all(dim=1)
        check_difference(1 - float(equal.float().mean()), 0.01)
        return f'{equal.float().mean():.2%} of the queries have the same neighbors'

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
    """Compare 64 steps of class scores with squaring the transitions six times."""
    sizes = [(375, 500), (640, 640), (1024, 1024)]
    if settings.small:
        sizes = [(120, 160)]
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
    # Large images are for measuring memory, which does not grow with the steps.
    steps = 64 if places <= 7000 else 4
    variants: dict[str, Callable[[], Tensor]] = {
        'steps of the scores': lambda: propagate([embedding], scores, steps=steps),
        'the same, an eighth of the matrix at a time': lambda: propagate(
            [embedding], scores, steps=steps, largest_matrix=places**2 // 8
        ),
    }
    baseline = 'steps of the scores'
    if places <= 3000:  # the cost of squaring grows with the cube of the places

        def squared() -> Tensor:
            unit = F.normalize(embedding.flatten(1), dim=0)
            walk = (unit.T @ unit).sub_(1).mul_(100).exp_()
            walk.masked_fill_(walk < 1e-19, 0)  # as in ours: tiny numbers are slow
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
    """Compare the dense CRF of 10 iterations with its authors' code, if installed.

    A second comparison has four images together and one by one.
    """
    height, width, classes = (60, 80, 21) if settings.small else (375, 500, 21)
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
    """Compare the region methods that need only the image; their regions differ."""
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
    """Compare training pipelines with and without regions on one core."""
    count = 8 if settings.small else 48
    size = (120, 160) if settings.small else (375, 500)
    folder = write_training_files(count, size)
    own, theirs = training_pipelines(size)

    def run(pipeline: Callable[[dict], dict]) -> Tensor:
        """Load and collate batches of 8, as a worker of a loader does."""
        threads = cv2.getNumThreads()
        shapes = []
        samples = iter(samples_of(folder))
        try:
            cv2.setNumThreads(0)  # as MMEngine does in a worker
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
    """Compare a training iteration of a network with and without SPML."""
    if settings.config is None:
        return []
    return network.iteration(settings.config, settings.device, settings.small)


def inference(settings: Settings) -> list[Comparison]:
    """Compare prediction by the classifier and by retrieval."""
    if settings.config is None:
        return []
    return network.inference(settings.config, settings.device, settings.small)


def photograph(settings: Settings) -> list[Comparison]:
    """Compare tests and banks of one large image in tiles and whole."""
    if settings.config is None:
        return []
    return large_image.photograph(settings.config, settings.device, settings.small)


def commands(settings: Settings) -> list[Comparison]:
    """Compare the time to start commands with that of importing PyTorch."""
    return command_times.commands(settings.small)


def _picture(height: int, width: int) -> np.ndarray:
    """Load a photograph that comes with scikit-image."""
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
    'photograph': photograph,
    'commands': commands,
}
"""The parts that can be measured, by name."""
