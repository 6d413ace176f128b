"""What can be measured: functions that set a scene up and name its variants.

Letters: Q queries, B bank, D embedding, C classes, n places of a grid.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.evaluation.crf_comparison import crf_of_the_authors, uncertain_scores
from mmseg_spml.functional.dense_crf import dense_crf
from mmseg_spml.functional.random_walk import propagate
from mmseg_spml.functional.retrieval import faiss_is_there, nearest_segments

from .measurement import Comparison


def retrieval(device: torch.device, small: bool) -> list[Comparison]:
    """The 20 nearest of 500 segments in a bank, against sorting all similarities."""
    number, dimension, queries, k = (150_000 if small else 1_500_000), 64, 500, 20
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


def random_walk(device: torch.device, small: bool) -> list[Comparison]:
    """64 steps of class scores, against squaring the transitions six times."""
    sizes = (
        [(375, 500), (512, 512)] if small else [(375, 500), (640, 640), (1024, 2048)]
    )
    return [_random_walk(height // 8, width // 8, device) for height, width in sizes]


def _random_walk(height: int, width: int, device: torch.device) -> Comparison:
    classes, dimension, places = 21, 64, height * width
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(dimension, height, width, generator=generator)
    embedding = F.avg_pool2d(embedding[None], 5, 1, 2)[0].to(device)
    scores = torch.rand(classes, height, width, generator=generator).to(device)
    variants: dict[str, Callable[[], Tensor]] = {
        'steps of the scores': lambda: propagate([embedding], scores),
        'the same, at most 64 MiB kept': lambda: propagate(
            [embedding], scores, largest_matrix=1 << 24
        ),
    }
    baseline = 'steps of the scores'
    if places <= 7000:  # its cost grows with the cube

        def squared() -> Tensor:
            unit = F.normalize(embedding.flatten(1), dim=0)
            walk = ((unit.T @ unit).sub_(1).mul_(5).exp_()).pow_(20)
            walk /= walk.sum(dim=0)
            for _ in range(6):
                walk = walk @ walk
            return (scores.flatten(1) @ walk).view_as(scores)

        variants[baseline := 'squared six times'] = squared
    return Comparison(
        f'random walk on a grid of {height} x {width} (an image of {8 * height} x '
        f'{8 * width}), {classes} classes',
        variants,
        baseline,
        _largest_difference,
        gflop=2e-9 * places**2 * (dimension + 64 * classes),
        once=frozenset({'squared six times'}),
    )


def crf(device: torch.device, small: bool) -> list[Comparison]:
    """Dense CRF of 10 iterations, against its authors' code if that is installed."""
    height, width, classes = (120, 160, 21) if small else (375, 500, 21)
    scores = uncertain_scores((height, width), classes, seed=0)
    image = _picture(height, width)
    on_device = scores.to(device)
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


def _picture(height: int, width: int):
    """A generated photograph: blobs of colour with grain."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 25 + 2, width // 25 + 2, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode='bicubic', align_corners=False)
    grain = 0.03 * torch.randn(1, 3, height, width, generator=generator)
    levels = (255 * (smooth + grain)).round().clamp(0, 255).to(torch.uint8)
    return levels[0].permute(1, 2, 0).contiguous().numpy()


PARTS: dict[str, Callable[[torch.device, bool], list[Comparison]]] = {
    'retrieval': retrieval,
    'random_walk': random_walk,
    'crf': crf,
}
"""Functions of the device and of whether to take small scenes."""
