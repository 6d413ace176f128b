"""Brute-force reference of the method: plain loops in float64, no speed at all.

Letters: N images, C classes, D embedding, P pixels, S segments, K neighbors. Where a
gradient is wanted the functions take and return float64 torch tensors, elsewhere
numpy arrays. Nothing here imports the package.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

EPS = 1e-12
Rule = Callable[[int, int], tuple[bool, bool]]


# ---------------------------------------------------------------- clustering


def _cells(size: int, cells: int) -> list[int]:
    """round(linspace(0, cells - 1, size)), ties to even, in exact fractions."""
    if size == 1:
        return [0]
    return [round(Fraction(i * (cells - 1), size - 1)) for i in range(size)]


def grid_labels(size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Start labels Y + ky X, (H, W)."""
    rows, columns = _cells(size[0], grid[0]), _cells(size[1], grid[1])
    return np.array([[y + grid[0] * x for x in columns] for y in rows])


def location_features(size: tuple[int, int]) -> np.ndarray:
    """(y, x) in [-0.5, 0.5], (H, W, 2)."""
    h, w = size
    out = np.zeros((h, w, 2))
    for i in range(h):
        for j in range(w):
            out[i, j] = (
                i / (h - 1) - 0.5 if h > 1 else -0.5,
                j / (w - 1) - 0.5 if w > 1 else -0.5,
            )
    return out


def _bilinear(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resize of (H, W), half-pixel centers, edges repeated."""
    h, w = plane.shape
    out = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y = max((i + 0.5) * h / size[0] - 0.5, 0)
            x = max((j + 0.5) * w / size[1] - 0.5, 0)
            top, left = int(y), int(x)
            below, right = min(top + 1, h - 1), min(left + 1, w - 1)
            dy, dx = y - top, x - left
            upper = (1 - dx) * plane[top, left] + dx * plane[top, right]
            lower = (1 - dx) * plane[below, left] + dx * plane[below, right]
            out[i, j] = (1 - dy) * upper + dy * lower
    return out


def location_color_features(
    images: np.ndarray, size: tuple[int, int], smooth: bool = True
) -> np.ndarray:
    """(y, x, 3 colors), (N, h, w, 5); ``smooth``: the released distance kernel."""
    images = np.asarray(images, dtype=np.float64)
    kernel = np.array([[math.hypot(a, b) for b in range(-2, 3)] for a in range(-2, 3)])
    kernel /= kernel.sum()
    out = np.zeros((len(images), *size, 5))
    for n, image in enumerate(images):
        out[n, ..., :2] = location_features(size)
        for c, plane in enumerate(image):
            if smooth:
                h, w = plane.shape[0] - 4, plane.shape[1] - 4
                plane = np.array(
                    [
                        [(plane[i : i + 5, j : j + 5] * kernel).sum() for j in range(w)]
                        for i in range(h)
                    ]
                )
            plane = _bilinear(plane, size)
            plane = plane - plane.mean()
            top = np.abs(plane).max()
            out[n, ..., 2 + c] = plane / top if top > 0 else 0
    return out


def normalize(vector: np.ndarray) -> np.ndarray:
    return vector / max(math.sqrt(float((vector * vector).sum())), EPS)


def spherical_kmeans(
    points: np.ndarray,
    initial: np.ndarray,
    image: np.ndarray,
    iterations: int = 10,
    num_clusters: int | None = None,
) -> np.ndarray:
    """Per image: center = norm(sum of members), label = argmax dot, lowest wins."""
    points = np.asarray(points, dtype=np.float64)
    labels = np.array(initial, dtype=np.int64)
    if num_clusters is None:
        num_clusters = int(labels.max()) + 1 if len(labels) else 0
    for _ in range(iterations):
        updated = labels.copy()
        for n in sorted(set(np.asarray(image).tolist())):
            members = [i for i in range(len(points)) if image[i] == n]
            centers = np.zeros((num_clusters, points.shape[1]))
            for i in members:
                centers[labels[i]] += points[i]
            centers = [normalize(center) for center in centers]
            for i in members:
                best, best_dot = 0, -math.inf
                for k, center in enumerate(centers):
                    dot = float((points[i] * center).sum())
                    if dot > best_dot:
                        best, best_dot = k, dot
                updated[i] = best
        labels = updated
    return labels


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm().clamp_min(EPS)


def pool_segments(
    embedding: Tensor,
    labels: np.ndarray,
    regions: np.ndarray,
    tags: np.ndarray,
    *,
    grid: tuple[int, int],
    iterations: int = 10,
    local_features: Tensor | None = None,
    num_classes: int,
    void: int = 255,
    affinity_threshold: float | None = None,
    affinity_squeeze: float = 0.1,
) -> dict[str, object]:
    """Segments of a batch, numbered in the order (image, cluster, label, region).

    Tensors keep the graph to ``embedding`` (float64); bookkeeping is numpy.
    """
    embedding = embedding.double()
    count, dim, h, w = embedding.shape
    if local_features is None:
        one = torch.from_numpy(location_features((h, w)))
        local_features = one.expand(count, h, w, 2)
    local_features = local_features.double()
    # start labels without gaps, counted over the whole canvas
    start = grid_labels((h, w), grid)
    order = {old: new for new, old in enumerate(sorted(set(start.ravel().tolist())))}
    pixels, pixels_loc, squeezed = [], [], []
    label, region, image, initial = [], [], [], []
    for n in range(count):
        for i in range(h):
            for j in range(w):
                if labels[n, i, j] == void:
                    continue
                v = _unit(embedding[n, :, i, j])
                local = local_features[n, i, j]
                pixels.append(v)
                pixels_loc.append(_unit(torch.cat([v, local])))
                squeezed.append(_unit(torch.cat([affinity_squeeze * v, local])))
                label.append(int(labels[n, i, j]))
                region.append(int(regions[n, i, j]))
                image.append(n)
                initial.append(order[start[i, j]])
    points = [point.detach().numpy() for point in pixels_loc]
    wide = dim + local_features.shape[-1]
    cluster = spherical_kmeans(
        np.array(points).reshape(-1, wide), initial, image, iterations, len(order)
    )
    keys = list(zip(image, cluster.tolist(), label, region))
    numbers = {key: s for s, key in enumerate(sorted(set(keys)))}
    members: list[list[int]] = [[] for _ in numbers]
    for i, key in enumerate(keys):
        members[numbers[key]].append(i)

    def means(vectors: list[Tensor], width: int) -> Tensor:
        rows = [_unit(sum(vectors[i] for i in group)) for group in members]
        return torch.stack(rows) if rows else embedding.new_zeros(0, width)

    def stack(vectors: list[Tensor], width: int) -> Tensor:
        return torch.stack(vectors) if vectors else embedding.new_zeros(0, width)

    ordered = sorted(numbers)
    out: dict[str, object] = dict(
        pixels=stack(pixels, dim),
        pixels_loc=stack(pixels_loc, wide),
        pixel_label=np.array(label, dtype=np.int64),
        pixel_segment=np.array([numbers[key] for key in keys], dtype=np.int64),
        pixel_image=np.array(image, dtype=np.int64),
        prototypes=means(pixels, dim),
        prototypes_loc=means(pixels_loc, wide),
        label=np.array([key[2] for key in ordered], dtype=np.int64),
        region=np.array([key[3] for key in ordered], dtype=np.int64),
        image=np.array([key[0] for key in ordered], dtype=np.int64),
        tags=np.array([tags[key[0]] for key in ordered], dtype=bool).reshape(
            -1, tags.shape[1]
        ),
        label_sets=None,
    )
    if affinity_threshold is not None:
        look_up = means(squeezed, wide).detach().numpy()
        hits = nearest_label_sets(
            look_up,
            out['image'],
            look_up,
            out['label'],
            out['image'],
            num_classes,
            1,
            affinity_threshold,
        )
        out['label_sets'] = fill_label_sets(hits)
    return out


# ---------------------------------------------------------------- neighbors


def nearest(query: np.ndarray, bank: np.ndarray, allowed: Sequence[int]) -> list[int]:
    """Allowed rows of the bank by falling dot product, ties: lowest index."""
    dots = {s: float((query * bank[s]).sum()) for s in allowed}
    return sorted(allowed, key=lambda s: (-dots[s], s))


def nearest_label_sets(
    queries: np.ndarray,
    query_image: np.ndarray,
    prototypes: np.ndarray,
    label: np.ndarray,
    image: np.ndarray,
    num_classes: int,
    k: int = 1,
    threshold: float = 0.95,
) -> np.ndarray:
    """Labels of the k nearest labeled segments of the same image, (Q, C) hits."""
    queries = np.asarray(queries, dtype=np.float64)
    prototypes = np.asarray(prototypes, dtype=np.float64)
    hits = np.zeros((len(queries), num_classes), dtype=bool)
    for q, query in enumerate(queries):
        allowed = [
            s
            for s in range(len(prototypes))
            if image[s] == query_image[q] and 0 <= label[s] < num_classes
        ]
        for s in nearest(query, prototypes, allowed)[:k]:
            if float((query * prototypes[s]).sum()) >= threshold:
                hits[q, label[s]] = True
    return hits


def fill_label_sets(hits: np.ndarray) -> np.ndarray:
    """An empty set becomes the set of all classes."""
    return np.array([row if row.any() else ~row for row in hits]).reshape(hits.shape)


def nearest_segments(queries: np.ndarray, bank: np.ndarray, k: int) -> np.ndarray:
    queries = np.asarray(queries, dtype=np.float64)
    bank = np.asarray(bank, dtype=np.float64)
    return np.array([nearest(q, bank, range(len(bank)))[:k] for q in queries])


def class_counts(labels: np.ndarray, num_classes: int) -> np.ndarray:
    counts = np.zeros((len(labels), num_classes))
    for q, row in enumerate(labels):
        for value in row:
            counts[q, value] += 1
    return counts


def majority_vote(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Most frequent label per row, ties: lowest class."""
    counts = class_counts(labels, num_classes)
    return np.array([max(range(num_classes), key=lambda c: row[c]) for row in counts])


# --------------------------------------------------------------------- losses


def pixel_loss(
    pixel: Tensor,
    prototypes: Tensor,
    own: int,
    same: Sequence[bool],
    different: Sequence[bool],
    concentration: float,
) -> Tensor:
    """Loss of one pixel: own segment only where there is no other positive."""
    positive = [s for s in range(len(prototypes)) if s != own and same[s]] or [own]
    negative = [s for s in range(len(prototypes)) if different[s]]
    cosine = [concentration * (pixel * prototype).sum() for prototype in prototypes]
    numerator = torch.stack([cosine[s] for s in positive])
    # ``own`` may stand on both lists: then it counts twice, on purpose
    denominator = torch.stack([cosine[s] for s in positive + negative])
    return torch.logsumexp(denominator, 0) - torch.logsumexp(numerator, 0)


def losses(
    pixels: Tensor,
    prototypes: Tensor,
    own: Sequence[int],
    same: np.ndarray,
    different: np.ndarray,
    concentration: float,
) -> Tensor:
    """Per-pixel losses (P,) in float64; ``same`` and ``different`` are (P, S)."""
    pixels, prototypes = pixels.double(), prototypes.double()
    rows = [
        pixel_loss(
            pixels[i], prototypes, int(own[i]), same[i], different[i], concentration
        )
        for i in range(len(pixels))
    ]
    return torch.stack(rows) if rows else pixels.sum(1)


def dense_losses(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    same: Tensor,
    different: Tensor,
    concentration: float,
) -> Tensor:
    """The same with whole (P, S) matrices in the dtype given: plain path, no tricks."""
    logits = concentration * (pixels @ prototypes.t())
    is_own = torch.zeros_like(same)
    is_own[torch.arange(len(pixels)), own] = True
    positive = same & ~is_own
    positive = torch.where(positive.any(1, keepdim=True), positive, is_own)
    low = torch.finfo(logits.dtype).min
    numerator = logits.masked_fill(~positive, low).logsumexp(1)
    denominator = torch.cat(
        [logits.masked_fill(~positive, low), logits.masked_fill(~different, low)], 1
    ).logsumexp(1)
    return denominator - numerator


# ------------------------------------------------------------------ relations


def tables(count: int, segments: int, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """Same (P, S) and different (P, S) from a rule of one pixel and one segment."""
    same = np.zeros((count, segments), dtype=bool)
    different = np.zeros((count, segments), dtype=bool)
    for i in range(count):
        for s in range(segments):
            same[i, s], different[i, s] = rule(i, s)
    return same, different


def annotation_rule(
    pixel_label: Sequence[int], label: Sequence[int], num_classes: int
) -> Rule:
    """Equal label; only labeled pixels against labeled segments."""

    def rule(i: int, s: int) -> tuple[bool, bool]:
        if pixel_label[i] >= num_classes or label[s] >= num_classes:
            return False, False
        return pixel_label[i] == label[s], pixel_label[i] != label[s]

    return rule


def set_rule(pixel_set: Sequence[Sequence[bool]], sets: Sequence[Sequence[bool]]):
    """Sets intersect or not: tags of the images, or label sets of affinity."""

    def rule(i: int, s: int) -> tuple[bool, bool]:
        common = any(a and b for a, b in zip(pixel_set[i], sets[s]))
        return common, not common

    return rule


def cooccurrence_rule(
    pixel_tags: np.ndarray, tags: np.ndarray, ignore_tags: Sequence[int] = (0,)
) -> Rule:
    """Tags of the two images, 1 present, 0 absent, -1 unknown: one shared, none, or?"""
    kept = [c for c in range(tags.shape[1]) if c not in ignore_tags]

    def rule(i: int, s: int) -> tuple[bool, bool]:
        pairs = [(pixel_tags[i, c], tags[s, c]) for c in kept]
        shared = any(a == 1 and b == 1 for a, b in pairs)
        apart = all(a == 0 or b == 0 for a, b in pairs)
        return shared, apart

    return rule


def similarity_rule(
    pixel_region: Sequence[int],
    pixel_image: Sequence[int],
    region: Sequence[int],
    image: Sequence[int],
) -> Rule:
    """Equal region id, inside one image only."""

    def rule(i: int, s: int) -> tuple[bool, bool]:
        if pixel_image[i] != image[s]:
            return False, False
        return pixel_region[i] == region[s], pixel_region[i] != region[s]

    return rule


def image_mean(values: Tensor, pixel_image: Sequence[int]) -> Tensor:
    """Mean over images of the mean over an image's pixels."""
    means = []
    for n in sorted(set(int(n) for n in pixel_image)):
        members = [i for i in range(len(values)) if int(pixel_image[i]) == n]
        means.append(sum(values[i] for i in members) / len(members))
    return sum(means) / len(means) if means else values.sum()


# ------------------------------------------------------------------- training


def warmup_poly_lr(
    iteration: int,
    base_lr: float,
    max_iters: int,
    power: float = 0.9,
    warmup_iters: int = 100,
    warmup_ratio: float = 0.1,
) -> float:
    poly = base_lr * (1 - iteration / max_iters) ** power
    if iteration >= warmup_iters:
        return poly
    done = iteration / warmup_iters
    return min(base_lr * (warmup_ratio * (1 - done) + done), poly)


class MomentumSGD:
    """m <- momentum m + lr (g + decay p); p <- p - m."""

    def __init__(self, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.buffer = 0.0

    def step(self, value: np.ndarray, grad: np.ndarray, lr: float) -> np.ndarray:
        self.buffer = self.momentum * self.buffer + lr * (
            grad + self.weight_decay * value
        )
        return value - self.buffer
