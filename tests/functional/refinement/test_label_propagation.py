"""Label propagation against loops over pixels and segments in float64."""

import math

import pytest
import torch

from mmseg_spml.functional import pool_segments, propagate_to_targets

C, D = 4, 6
UNLABELED, VOID = C, 255


def by_loops(segments, colors, positions, probabilities, allowed, **options):
    """Targets as the docstring defines them."""
    extents = options.get('extents', torch.ones(len(segments.pixels), C))
    probabilities = probabilities * extents
    rounds = options.get('rounds', 3)
    damping = options.get('damping', 0.9)
    rgb, xy = options.get('sigma_rgb', 25.0), options.get('sigma_xy', 100.0)
    concentration = options.get('concentration', 10.0)
    floor, sharpness = options.get('floor', 0.3), options.get('sharpness', 2.0)
    count = len(segments.pixels)
    f = [
        [float(x) / rgb for x in colors[i]]
        + [float(x) / xy for x in positions[i]]
        + [math.sqrt(concentration) * float(x) for x in segments.pixels[i]]
        for i in range(count)
    ]
    targets = torch.zeros(count, C, dtype=torch.float64)
    for image in range(segments.num_images):
        pixels = [i for i in range(count) if segments.pixel_image[i] == image]
        members = [
            [i for i in pixels if segments.pixel_segment[i] == s]
            for s in range(len(segments))
            if segments.image[s] == image
        ]
        shown = [bool(a) for a in allowed[image]]
        for i in pixels:
            if segments.pixel_label[i] < C:
                shown[int(segments.pixel_label[i])] = True
        if not any(shown):
            shown = [True] * C
        p = {}
        for i in pixels:
            label = int(segments.pixel_label[i])
            if label < C:
                p[i] = [float(k == label) for k in range(C)]
                continue
            p[i] = [
                shown[k]
                * float(probabilities[i, k])
                / max(floor, max(float(probabilities[j, k]) for j in pixels))
                for k in range(C)
            ]
        mean = [
            [sum(f[i][d] for i in group) / len(group) for d in range(len(f[0]))]
            for group in members
        ]
        q = dict(p)
        for _ in range(rounds):
            means = [
                [sum(q[i][k] for i in group) / len(group) for k in range(C)]
                for group in members
            ]
            walked = {}
            for i in pixels:
                if segments.pixel_label[i] < C:
                    walked[i] = p[i]
                    continue
                distance = [sum((a - b) ** 2 for a, b in zip(f[i], m)) for m in mean]
                # Relative to the nearest segment, because all could underflow.
                weight = [
                    len(group) * math.exp((min(distance) - d) / 2)
                    for group, d in zip(members, distance)
                ]
                walked[i] = [
                    damping * sum(w * m[k] for w, m in zip(weight, means)) / sum(weight)
                    + (1 - damping) * p[i][k]
                    for k in range(C)
                ]
            q = walked
        for i in pixels:
            inside = extents[i].tolist()
            if segments.pixel_label[i] < C:
                inside = [1.0] * C
            powers = [(x * there) ** sharpness for x, there in zip(q[i], inside)]
            if sum(powers):
                for k, power in enumerate(powers):
                    targets[i, k] = power / sum(powers)
    return targets


def scene(count=2, size=(5, 6), seed=0, labeled=0.2, void=0.1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, dtype=dtype)

    embedding = uniform(count, D, *size) - 0.5
    draw = uniform(count, *size)
    labels = torch.full((count, *size), UNLABELED)
    chosen = draw < labeled
    labels[chosen] = torch.randint(C, (int(chosen.sum()),), generator=generator)
    labels[draw > 1 - void] = VOID
    regions = torch.randint(3, (count, *size), generator=generator)
    tags = torch.zeros(count, C)
    segments = pool_segments(
        embedding, labels, regions, tags, grid=(2, 2), num_classes=C
    )
    pixels = len(segments.pixels)
    return (
        segments,
        255 * uniform(pixels, 3),
        60 * uniform(pixels, 2),
        uniform(pixels, C).softmax(dim=1),
        uniform(count, C) < 0.6,
    )


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(rounds=0),
        dict(rounds=1, damping=1.0),
        dict(damping=0.0),
        dict(rounds=7, damping=0.5, floor=1e-6, sharpness=0.7),
        dict(sigma_rgb=200.0, sigma_xy=5.0, concentration=0.0),
        dict(sigma_rgb=1.0, sigma_xy=1.0, concentration=100.0),
    ],
)
@pytest.mark.parametrize('size', [(1, 1), (1, 7), (5, 6)])
def test_equals_loops(size, options):
    inputs = scene(size=size)
    expected = by_loops(*inputs, **options)
    found = propagate_to_targets(*inputs, **options)
    assert found.dtype == torch.float64
    assert torch.allclose(found, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize('labeled, void', [(0, 0), (1, 0), (0.5, 1), (0.1, 0.9)])
def test_extreme_shares_of_labels(labeled, void):
    inputs = scene(count=3, labeled=labeled, void=void, seed=4)
    found = propagate_to_targets(*inputs)
    assert torch.allclose(found, by_loops(*inputs), rtol=1e-8, atol=1e-12)
    sums = found.sum(dim=1)
    assert torch.allclose(sums, torch.ones_like(sums))


def test_one_segment():
    segments, *rest = scene(count=1, labeled=0, void=0)
    segments.pixel_segment = torch.zeros_like(segments.pixel_segment)
    for name in ('prototypes', 'prototypes_loc', 'label', 'region', 'image'):
        setattr(segments, name, getattr(segments, name)[:1])
    found = propagate_to_targets(segments, *rest)
    assert torch.allclose(found, by_loops(segments, *rest), rtol=1e-8, atol=1e-12)


def test_float32_and_autocast_are_near():
    inputs = scene(size=(9, 11), seed=2)
    expected = propagate_to_targets(*inputs)
    segments, *rest = scene(size=(9, 11), seed=2)
    segments.pixels = segments.pixels.float()
    found = propagate_to_targets(segments, *rest)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), expected, atol=1e-4)
    with torch.autocast('cpu', torch.bfloat16):
        again = propagate_to_targets(segments, *rest)
    assert torch.equal(again, found)


@pytest.mark.parametrize('largest', [1, 40, 200])
def test_blocks_change_nothing(largest):
    inputs = scene(size=(8, 9), seed=3)
    found = propagate_to_targets(*inputs, largest_matrix=largest)
    assert torch.allclose(found, propagate_to_targets(*inputs), rtol=1e-10)


def test_classes_that_are_ruled_out_are_no_targets():
    segments, colors, positions, probabilities, allowed = scene(seed=5)
    found = propagate_to_targets(segments, colors, positions, probabilities, allowed)
    for image in range(2):
        rows = segments.pixel_image == image
        labels = segments.pixel_label[rows]
        shown = allowed[image].clone()
        shown[labels[labels < C]] = True
        assert not found[rows][:, ~shown].any()
    assert not allowed.all()


@pytest.mark.parametrize('size, share', [((5, 6), 0.5), ((1, 7), 0.2), ((2, 2), 0.0)])
def test_extents_of_boxes_equal_loops(size, share):
    segments, *inputs = scene(size=size)
    generator = torch.Generator().manual_seed(1)
    extents = torch.rand(len(segments.pixels), C, generator=generator) < share
    found = propagate_to_targets(segments, *inputs, extents=extents)
    expected = by_loops(segments, *inputs, extents=extents.double())
    assert torch.allclose(found, expected, atol=1e-12)
    unlabeled = segments.pixel_label >= C
    assert not found[unlabeled][~extents[unlabeled]].any()
    everywhere = propagate_to_targets(
        segments, *inputs, extents=torch.ones_like(extents)
    )
    assert torch.equal(everywhere, propagate_to_targets(segments, *inputs))


def test_no_class_allowed_means_all():
    segments, *rest, allowed = scene(labeled=0, seed=6)
    none = propagate_to_targets(segments, *rest, torch.zeros_like(allowed))
    everything = propagate_to_targets(segments, *rest, torch.ones_like(allowed))
    assert torch.equal(none, everything)


def test_labels_spread_by_color():
    """Two halves of one color each, a label in each, and even probabilities."""
    labels = torch.full((1, 4, 8), UNLABELED)
    labels[0, 1, 1], labels[0, 2, 6] = 0, 1
    segments = pool_segments(
        torch.ones(1, D, 4, 8),
        labels,
        torch.zeros(1, 4, 8).long(),
        torch.ones(1, C),
        grid=(2, 4),
        num_classes=C,
    )
    right = torch.arange(8).ge(4).expand(4, 8).flatten()
    colors = torch.where(right[:, None], 200.0, 50.0).expand(-1, 3)
    found = propagate_to_targets(
        segments,
        colors,
        torch.zeros(32, 2),
        torch.full((32, C), 1 / C),
        torch.tensor([[True, True, False, False]]),
        rounds=40,
        damping=1.0,
    )
    assert torch.equal(found.argmax(dim=1), right.long())


def test_inputs_are_not_changed_and_get_no_gradient():
    inputs = scene(seed=7)
    inputs[3].requires_grad_()
    before = [value.detach().clone() for value in inputs[1:]]
    found = propagate_to_targets(*inputs)
    assert not found.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before, inputs[1:]))


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(rounds=-1), 'rounds'),
        (dict(damping=1.1), 'damping'),
        (dict(sigma_rgb=0), 'sigma_rgb'),
        (dict(sigma_xy=-1), 'sigma_xy'),
        (dict(floor=0), 'floor'),
        (dict(concentration=-1), 'concentration'),
        (dict(sharpness=0), 'sharpness'),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        propagate_to_targets(*scene(), **options)


@pytest.mark.parametrize('index', [1, 2, 3, 4])
def test_shapes_that_do_not_fit(index):
    inputs = list(scene())
    inputs[index] = inputs[index][1:]
    names = ['segments', 'colors', 'positions', 'probabilities', 'allowed']
    with pytest.raises(ValueError, match=names[index]):
        propagate_to_targets(*inputs)


def test_extents_that_do_not_fit():
    segments, *inputs = scene()
    extents = torch.ones(len(segments.pixels), C)
    with pytest.raises(TypeError, match='extents must be bool'):
        propagate_to_targets(segments, *inputs, extents=extents)
    with pytest.raises(ValueError, match='extents must be'):
        propagate_to_targets(segments, *inputs, extents=extents[1:].bool())


def test_allowed_must_be_bool():
    *inputs, allowed = scene()
    with pytest.raises(TypeError, match='allowed'):
        propagate_to_targets(*inputs, allowed.float())
