import numpy as np
import pytest
import reference
import torch

from mmseg_spml.functional.segments.pooling import (
    SegmentPooler,
    mean_direction,
    pool_segments,
    resize_labels,
)
from mmseg_spml.functional.segments.segments import Segments

FLOATS = ('pixels', 'pixels_loc', 'prototypes', 'prototypes_loc')
TABLES = ('pixel_label', 'pixel_segment', 'pixel_image', 'label', 'region', 'image')
CLASSES = 4


def maps(count, h, w, seed=0, void=0.2, dim=5, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    embedding = torch.randn(count, dim, h, w, generator=g, dtype=torch.float64)
    labels = torch.randint(CLASSES + 1, (count, h, w), generator=g)
    labels[torch.rand(count, h, w, generator=g) < void] = 255
    regions = torch.randint(3, (count, h, w), generator=g) * 700
    tags = torch.rand(count, CLASSES, generator=g) < 0.5
    return embedding.to(dtype), labels, regions, tags


def by_loops(embedding, labels, regions, tags, **more):
    return reference.pool_segments(
        embedding, labels.numpy(), regions.numpy(), tags.numpy(), **more
    )


def agree(out, expected, tolerance=1e-10):
    for name in TABLES:
        value = getattr(out, name)
        assert value.dtype == torch.int64
        assert np.array_equal(value, expected[name]), name
    for name in FLOATS:
        value = getattr(out, name).detach()
        assert value.shape == expected[name].shape, name
        difference = (value - expected[name].detach()).abs()
        assert difference.numel() == 0 or difference.max() <= tolerance, name
    assert out.tags.dtype == torch.int8
    assert np.array_equal(out.tags, expected['tags'])
    if expected['label_sets'] is None:
        assert out.label_sets is None
    else:
        assert np.array_equal(out.label_sets, expected['label_sets'])


SIZES = [(1, 1, 1), (1, 1, 9), (2, 7, 1), (2, 3, 4), (3, 9, 8), (1, 13, 11)]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('grid', [(1, 1), (2, 3), (6, 6)])
def test_against_loops(size, grid):
    problem = maps(*size, seed=sum(size))
    more = dict(grid=grid, iterations=4, num_classes=CLASSES)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


@pytest.mark.parametrize('void', [False, True])
def test_which_start_clusters_are_empty(void):
    """Numbers that the grid skips are no clusters; a cell full of void is one.

    The opposed pixels go to an empty cluster (center zero) if there is one, otherwise
    to the least opposed center, where they join other pixels.
    """
    embedding = torch.ones(1, 2, 12, 3, dtype=torch.float64)
    embedding[:, 1] = 0.3 * torch.rand(
        12, 3, generator=torch.Generator().manual_seed(0)
    )
    embedding[0, :, 0, 0] *= -1
    embedding[0, :, 11, 1] *= -1
    labels = torch.zeros(1, 12, 3, dtype=torch.int64)
    if void:
        labels[0, :, 2] = 255
    problem = (embedding, labels, labels * 0, torch.ones(1, CLASSES).bool())
    more = dict(
        grid=(2, 6),  # three columns start in cells 0, 2 and 5
        iterations=1,
        num_classes=CLASSES,
        local_features=torch.zeros(1, 12, 3, 1),
    )
    out = pool_segments(*problem, **more)
    agree(out, by_loops(*problem, **more))
    opposed = out.pixels[:, 0] < 0
    joined = torch.isin(out.pixel_segment[~opposed], out.pixel_segment[opposed]).any()
    assert bool(joined) != void


@pytest.mark.parametrize('iterations', [0, 1, 10])
def test_iterations(iterations):
    problem = maps(2, 8, 9, seed=4)
    more = dict(grid=(3, 2), iterations=iterations, num_classes=CLASSES)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


@pytest.mark.parametrize('width', [1, 5])
def test_given_local_features(width):
    problem = maps(2, 6, 7, seed=1)
    local = torch.randn(2, 6, 7, width, dtype=torch.float64)
    more = dict(grid=(3, 3), num_classes=CLASSES, local_features=local)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


@pytest.mark.parametrize('threshold', [-1.0, 0.8, 0.95, 0.999])
@pytest.mark.parametrize('squeeze', [0.1, 1.0])
def test_label_sets(threshold, squeeze):
    embedding, labels, regions, tags = maps(3, 6, 6, seed=2)
    labels[2] = torch.where(labels[2] == 255, 255, CLASSES)  # nothing labeled
    problem = (embedding, labels, regions, tags)
    more = dict(
        grid=(3, 3),
        num_classes=CLASSES,
        affinity_threshold=threshold,
        affinity_squeeze=squeeze,
    )
    out = pool_segments(*problem, **more)
    agree(out, by_loops(*problem, **more))
    assert out.label_sets.dtype == torch.bool
    assert not out.label_sets.requires_grad
    assert out.label_sets.any(1).all()
    assert out.label_sets[out.image == 2].all()
    labeled = out.label < CLASSES
    own = torch.nn.functional.one_hot(out.label[labeled], CLASSES).bool()
    assert torch.equal(out.label_sets[labeled], own)  # each finds itself


@pytest.mark.parametrize('kind', ['all', 'first', 'last', 'none', 'one pixel'])
def test_void(kind):
    embedding, labels, regions, tags = maps(3, 5, 4, void=0)
    if kind == 'all':
        labels[:] = 255
    elif kind == 'one pixel':
        labels[:2] = 255
        labels[2].view(-1)[:-1] = 255
    elif kind != 'none':
        labels[0 if kind == 'first' else -1] = 255
    problem = (embedding.requires_grad_(), labels, regions, tags)
    more = dict(grid=(2, 2), num_classes=CLASSES, affinity_threshold=0.95)
    out = pool_segments(*problem, **more)
    agree(out, by_loops(*problem, **more))
    total = sum(getattr(out, name).sum() for name in FLOATS)
    total.backward()  # attached to the graph even without pixels
    assert torch.isfinite(embedding.grad).all()
    assert (embedding.grad.abs().sum(1)[labels == 255] == 0).all()
    if kind == 'all':
        assert out.pixels.shape == (0, 5) and out.prototypes_loc.shape == (0, 7)
        assert out.tags.shape == (0, CLASSES)


def test_another_void_value():
    embedding, labels, regions, tags = maps(1, 5, 5)
    labels[labels == 255] = 77
    more = dict(grid=(2, 2), num_classes=CLASSES, void=77)
    problem = (embedding, labels, regions, tags)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


def test_unlabeled_pixels_stay_and_have_segments_of_their_own():
    embedding, labels, regions, tags = maps(2, 6, 6, void=0)
    labels[:] = CLASSES
    labels[0, :3] = 200  # any value of C..254 is unlabeled
    problem = (embedding, labels, regions, tags)
    more = dict(grid=(2, 2), num_classes=CLASSES)
    out = pool_segments(*problem, **more)
    agree(out, by_loops(*problem, **more))
    assert len(out.pixels) == labels.numel()
    assert (out.label >= CLASSES).all()


def test_unknown_tags_stay_unknown():
    embedding, labels, regions, tags = maps(2, 6, 6)
    tags = tags.int()
    tags[1, 0] = -1
    problem = (embedding, labels, regions, tags)
    out = pool_segments(*problem, grid=(2, 2), num_classes=CLASSES)
    assert torch.equal(out.tags, tags.to(torch.int8)[out.image])
    assert (out.tags == -1).any()


def test_large_region_ids():
    embedding, labels, regions, tags = maps(2, 6, 6)
    regions = regions + 2**31 - 2000
    regions[0, 0, 0] = 0
    problem = (embedding, labels, regions, tags)
    more = dict(grid=(6, 6), num_classes=CLASSES)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


def test_many_regions():
    """One region a pixel: one segment a pixel, sorted by (cluster, label, region)."""
    embedding, labels, _, tags = maps(1, 30, 30, void=0)
    regions = torch.randperm(900).view(1, 30, 30) * 65_537 % 2**31
    out = pool_segments(
        embedding, labels, regions, tags, grid=(1, 1), num_classes=CLASSES
    )
    assert len(out.label) == 900
    keys = list(zip(out.image.tolist(), out.label.tolist(), out.region.tolist()))
    assert keys == sorted(set(keys))


@pytest.mark.parametrize('dtype', [torch.int32, torch.uint8, torch.int64])
def test_integer_maps(dtype):
    embedding, labels, regions, tags = maps(2, 5, 5)
    regions = regions // 700
    more = dict(grid=(2, 2), num_classes=CLASSES)
    expected = by_loops(embedding, labels, regions, tags, **more)
    try:
        out = pool_segments(
            embedding, labels.to(dtype), regions.to(dtype), tags, **more
        )
    except (TypeError, ValueError) as error:
        assert 'int' in str(error)
    else:
        agree(out, expected)


def test_same_result_alone_and_in_a_batch():
    embedding, labels, regions, tags = maps(3, 7, 6, seed=7)
    more = dict(grid=(3, 3), num_classes=CLASSES)
    together = pool_segments(embedding, labels, regions, tags, **more)
    parts = [
        pool_segments(
            embedding[n : n + 1],
            labels[n : n + 1],
            regions[n : n + 1],
            tags[n : n + 1],
            **more,
        )
        for n in range(3)
    ]
    joined = Segments.concat(parts)
    for name in TABLES:
        assert torch.equal(getattr(together, name), getattr(joined, name)), name
    for name in FLOATS:
        assert torch.allclose(
            getattr(together, name), getattr(joined, name), atol=1e-12
        )


def test_zero_and_huge_embeddings():
    embedding, labels, regions, tags = maps(2, 6, 5)
    embedding[0, :, :3] = 0
    embedding[1, :, 0] *= 1e12
    embedding[1, :, 1] *= 1e-15
    problem = (embedding.requires_grad_(), labels, regions, tags)
    more = dict(grid=(2, 2), num_classes=CLASSES)
    out = pool_segments(*problem, **more)
    agree(out, by_loops(*problem, **more))
    sum(getattr(out, name).sum() for name in FLOATS).backward()
    assert torch.isfinite(embedding.grad).all()


def test_float32():
    embedding, labels, regions, tags = maps(2, 9, 9, seed=3)
    more = dict(grid=(3, 3), num_classes=CLASSES)
    expected = by_loops(embedding.float(), labels, regions, tags, **more)
    out = pool_segments(embedding.float(), labels, regions, tags, **more)
    assert out.pixels.dtype == torch.float32
    agree(out, expected, 1e-6)


@pytest.mark.parametrize('seed', range(2))
def test_gradient_against_loops(seed):
    """All four vectors carry gradient to the embedding map."""
    problem = maps(2, 6, 5, seed=seed)
    more = dict(grid=(2, 2), num_classes=CLASSES)
    grads = []
    for function in (pool_segments, by_loops):
        embedding = problem[0].clone().requires_grad_()
        out = function(embedding, *problem[1:], **more)
        get = out.get if isinstance(out, dict) else lambda name, o=out: getattr(o, name)
        total = 0
        for k, name in enumerate(FLOATS):
            g = torch.Generator().manual_seed(k)
            value = get(name)
            total = (
                total
                + (
                    value * torch.randn(value.shape, generator=g, dtype=torch.float64)
                ).sum()
            )
        total.backward()
        grads.append(embedding.grad)
    assert (grads[0] - grads[1]).abs().max() <= 1e-10
    narrow = problem[0].float().requires_grad_()
    pool_segments(narrow, *problem[1:], **more).prototypes.sum().backward()
    assert torch.isfinite(narrow.grad).all()


@pytest.mark.parametrize('name', FLOATS)
def test_gradcheck(name):
    embedding, labels, regions, tags = maps(1, 3, 3, dim=3, seed=5)

    def function(embedding):
        out = pool_segments(
            embedding, labels, regions, tags, grid=(2, 2), num_classes=CLASSES
        )
        return getattr(out, name)

    assert torch.autograd.gradcheck(function, embedding.requires_grad_())


def test_autocast_changes_nothing():
    embedding, labels, regions, tags = maps(2, 40, 40, dim=16, dtype=torch.float32)
    more = dict(grid=(4, 4), num_classes=CLASSES, affinity_threshold=0.95)
    expected = pool_segments(embedding, labels, regions, tags, **more)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = pool_segments(embedding, labels, regions, tags, **more)
    for name in (*TABLES, *FLOATS, 'label_sets'):
        left, right = getattr(out, name), getattr(expected, name)
        assert left.dtype == right.dtype, name
        assert torch.equal(left, right), name


def test_half_precision_embeddings():
    """Finite and unit: the sums run in float32."""
    embedding, labels, regions, tags = maps(2, 8, 8, dim=16)
    for dtype in (torch.bfloat16, torch.float16):
        try:
            out = pool_segments(
                embedding.to(dtype), labels, regions, tags, grid=(2, 2), num_classes=4
            )
        except (TypeError, ValueError) as error:
            assert 'float' in str(error)
            continue
        assert out.prototypes.dtype == torch.float32
        norms = out.prototypes.norm(dim=1)
        assert torch.allclose(norms, torch.ones_like(norms), atol=1e-3)


def test_inputs_stay_as_they_are():
    problem = maps(2, 6, 6)
    local = torch.randn(2, 6, 6, 3, dtype=torch.float64)
    copies = [tensor.clone() for tensor in (*problem, local)]
    versions = [tensor._version for tensor in (*problem, local)]
    out = pool_segments(
        *problem,
        grid=(2, 2),
        num_classes=CLASSES,
        local_features=local,
        affinity_threshold=0.9,
    )
    out.to_memory()
    for tensor, copy, version in zip((*problem, local), copies, versions):
        assert torch.equal(tensor, copy) and tensor._version == version


def test_non_contiguous():
    embedding, labels, regions, tags = maps(2, 6, 5)
    more = dict(grid=(2, 2), num_classes=CLASSES)
    expected = by_loops(embedding, labels, regions, tags, **more)
    last = embedding.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    turned = [t.transpose(1, 2).contiguous().transpose(1, 2) for t in (labels, regions)]
    agree(pool_segments(last, *turned, tags, **more), expected)


@pytest.mark.parametrize(
    'change',
    [
        dict(embedding=torch.rand(2, 3, 4)),
        dict(labels=torch.zeros(2, 4, 5, dtype=torch.int64)),
        dict(labels=torch.zeros(1, 4, 4, dtype=torch.int64)),
        dict(regions=torch.zeros(2, 8, 8, dtype=torch.int64)),
        dict(regions=torch.zeros(4, 4, dtype=torch.int64)),
        dict(tags=torch.zeros(3, CLASSES, dtype=torch.bool)),
        dict(tags=torch.zeros(2, CLASSES + 1, dtype=torch.bool)),
        dict(local_features=torch.zeros(2, 4, 5, 2)),
        dict(local_features=torch.zeros(1, 4, 4, 2)),
    ],
    ids=lambda change: ' '.join(f'{k}{tuple(v.shape)}' for k, v in change.items()),
)
def test_wrong_shapes_are_named(change):
    arguments = dict(
        embedding=torch.rand(2, 3, 4, 4),
        labels=torch.zeros(2, 4, 4, dtype=torch.int64),
        regions=torch.zeros(2, 4, 4, dtype=torch.int64),
        tags=torch.zeros(2, CLASSES, dtype=torch.bool),
    )
    more = dict(grid=(2, 2), num_classes=CLASSES)
    pool_segments(**arguments, **more)
    with pytest.raises(ValueError) as error:
        pool_segments(**{**arguments, **change}, **more)
    text = str(error.value)
    assert any(character.isdigit() for character in text), text


# ------------------------------------------------------------------- dataclass


def pooled(seed=0, sets=True):
    return pool_segments(
        *maps(2, 5, 5, seed=seed),
        grid=(2, 2),
        num_classes=CLASSES,
        affinity_threshold=0.95 if sets else None,
    )


def test_concat_renumbers_segments_and_keeps_gradient():
    parts = [pooled(seed) for seed in range(3)]
    parts[1].prototypes = parts[1].prototypes.clone().requires_grad_()
    joined = Segments.concat(parts)
    before = start = images = 0
    for part in parts:
        end = start + len(part.pixels)
        own = joined.pixel_segment[start:end]
        assert torch.equal(own, part.pixel_segment + before)
        assert torch.equal(joined.pixel_image[start:end], part.pixel_image + images)
        assert torch.equal(joined.tags[own], part.tags[part.pixel_segment])
        assert torch.equal(joined.label[own], part.pixel_label)
        before += len(part.label)
        images += part.num_images
        start = end
    assert len(joined.pixels) == start and len(joined.label) == before
    assert joined.label_sets.shape == (before, CLASSES)
    joined.prototypes.sum().backward()
    assert parts[1].prototypes.grad is not None


def test_concat_errors():
    with pytest.raises(ValueError):
        Segments.concat([])
    with pytest.raises(ValueError, match='label'):
        Segments.concat([pooled(0), pooled(1, sets=False)])


def test_concat_with_an_empty_part():
    embedding, labels, regions, tags = maps(1, 4, 4)
    empty = pool_segments(
        embedding,
        torch.full_like(labels, 255),
        regions,
        tags,
        grid=(2, 2),
        num_classes=CLASSES,
    )
    part = pooled(sets=False)
    for parts in ([empty, part], [part, empty]):
        joined = Segments.concat(parts)
        assert torch.equal(joined.prototypes, part.prototypes)
        assert torch.equal(joined.pixel_segment, part.pixel_segment)


def test_memory_holds_detached_segments_without_pixels():
    embedding, labels, regions, tags = maps(2, 5, 5)
    segments = pool_segments(
        embedding.requires_grad_(), labels, regions, tags, grid=(2, 2), num_classes=4
    )
    memory = segments.to_memory()
    assert len(memory.pixels) == len(memory.pixel_segment) == 0
    assert segments.prototypes.requires_grad and len(segments.pixels)
    assert not memory.prototypes.requires_grad
    assert torch.equal(memory.prototypes, segments.prototypes)
    assert memory.prototypes_loc.shape == (len(segments), 0)
    for name in ('label', 'region', 'image', 'tags'):
        assert torch.equal(getattr(memory, name), getattr(segments, name))
    joined = Segments.concat([segments, memory])
    assert torch.equal(joined.pixel_segment, segments.pixel_segment)
    assert len(joined.label) == 2 * len(segments.label)
    assert joined.prototypes_loc.shape == (2 * len(segments), 0)


@pytest.mark.parametrize(
    'label, region', [(300, 0), (2**40, -1), (7, 2**33), (255, 0), (4, -(2**62))]
)
def test_labels_and_regions_of_any_size(label, region):
    """Values beyond the bits of the quick key split segments all the same."""
    embedding, labels, regions, tags = maps(2, 6, 6, void=0)
    labels[:, 1::2, 1] = label
    regions[:, 2::3, 2] = region
    more = dict(grid=(2, 2), num_classes=CLASSES, void=254)
    problem = (embedding, labels, regions, tags)
    agree(pool_segments(*problem, **more), by_loops(*problem, **more))


def test_negative_labels_are_refused():
    embedding, labels, regions, tags = maps(1, 4, 4)
    labels[0, 2, 2] = -1
    with pytest.raises(ValueError, match='labels must be 0 or more, got -1'):
        pool_segments(
            embedding, labels, regions, tags, grid=(2, 2), num_classes=CLASSES
        )


@pytest.mark.parametrize('name', ['labels', 'regions'])
def test_maps_must_be_integers(name):
    arguments = dict(zip(('embedding', 'labels', 'regions', 'tags'), maps(1, 4, 4)))
    arguments[name] = arguments[name].float()
    with pytest.raises(ValueError, match=f'{name} must be integers'):
        pool_segments(**arguments, grid=(2, 2), num_classes=CLASSES)


def test_a_pooler_is_the_function_with_its_options():
    embedding, labels, regions, tags = maps(2, 6, 6, dtype=torch.float32)
    pooler = SegmentPooler(CLASSES, (2, 3), 4, 0.9, 0.2)
    expected = pool_segments(
        embedding, labels, regions, tags, grid=(2, 3), iterations=4,
        num_classes=CLASSES, affinity_threshold=0.9, affinity_squeeze=0.2,
    )  # fmt: skip
    found = pooler(embedding, labels, regions, tags)
    for name, value in expected.tensors().items():
        assert torch.equal(getattr(found, name), value), name
    large = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    bare = pooler(embedding, large)
    assert not bare.image_tags.any() and not bare.region.any()
    assert torch.equal(bare.pixel_label, expected.pixel_label)


# ---------------------------------------------------------------- small blocks


@pytest.mark.parametrize('count, groups', [(0, 0), (0, 3), (1, 1), (30, 7)])
def test_mean_direction(count, groups):
    g = torch.Generator().manual_seed(0)
    vectors = torch.randn(count, 4, generator=g, dtype=torch.float64)
    group = torch.randint(max(groups, 1), (count,), generator=g)
    out = mean_direction(vectors, group, groups + 1)
    for s in range(groups + 1):
        total = sum(
            (vectors[i].numpy() for i in range(count) if group[i] == s), np.zeros(4)
        )
        assert np.abs(out[s].numpy() - reference.normalize(total)).max() <= 1e-12


def test_mean_direction_of_a_cancelling_group():
    vectors = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    out = mean_direction(vectors, torch.zeros(2, dtype=torch.int64), 1)
    assert torch.equal(out, torch.zeros(1, 2))
    out.sum().backward()
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize('size', [(1, 1), (3, 5), (9, 4), (20, 13)])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
def test_resize_labels(size, dtype):
    """Large ids survive: 16777217 is the first integer that float32 has not."""
    labels = torch.randint(0, 250, (2, 9, 11))
    if dtype != torch.uint8:
        labels += 16_777_000
    labels = labels.to(dtype)
    out = resize_labels(labels, size)
    assert out.dtype == dtype
    for i in range(size[0]):
        for j in range(size[1]):
            y, x = i * 9 // size[0], j * 11 // size[1]
            assert torch.equal(out[:, i, j], labels[:, y, x])
