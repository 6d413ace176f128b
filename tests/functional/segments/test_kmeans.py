import numpy as np
import pytest
import reference
import torch

from mmseg_spml.functional.segments import kmeans
from mmseg_spml.functional.segments.kmeans import (
    compact_grid_labels,
    grid_labels,
    location_color_features,
    location_features,
    spherical_kmeans,
)


def unit(count, dim, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(count, dim, generator=g, dtype=torch.float64)
    return torch.nn.functional.normalize(points, dim=1).to(dtype)


def integers(count, high, seed=0):
    return torch.randint(high, (count,), generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ start grid


@pytest.mark.parametrize('grid', [(1, 1), (2, 2), (6, 6), (3, 7), (12, 12), (24, 24)])
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (8, 1), (3, 4), (33, 17), (128, 96)])
def test_grid(size, grid):
    labels = grid_labels(size, grid)
    assert labels.dtype == torch.int64
    assert np.array_equal(labels, reference.grid_labels(size, grid))


def test_grid_of_all_sizes():
    """Exact everywhere but at halves, which rounding of linspace may miss by an ulp."""
    for h in range(2, 140):
        for k in (2, 3, 6, 12, 24):
            labels = grid_labels((h, 1), (k, 1)).flatten().tolist()
            expected = reference.grid_labels((h, 1), (k, 1)).flatten().tolist()
            for i, (value, target) in enumerate(zip(labels, expected)):
                half = 2 * i * (k - 1) % (h - 1) == 0 and i * (k - 1) % (h - 1) != 0
                assert abs(value - target) <= half, (h, k, i)


@pytest.mark.parametrize('h, k', [(3, 2), (5, 4), (5, 6), (9, 4), (11, 6), (17, 12)])
def test_halves_that_floats_hold_go_to_even(h, k):
    labels = grid_labels((h, 1), (k, 1))
    assert np.array_equal(labels, reference.grid_labels((h, 1), (k, 1)))


def test_border_cells_are_half_as_wide():
    counts = torch.bincount(grid_labels((128, 1), (6, 1)).flatten())
    assert counts.tolist() == [13, 26, 25, 25, 26, 13]


@pytest.mark.parametrize('size, grid', [((3, 4), (6, 6)), ((1, 1), (6, 6))])
def test_compact_grid_has_no_gaps(size, grid):
    labels, count = compact_grid_labels(size, grid)
    raw = reference.grid_labels(size, grid)
    values, expected = np.unique(raw, return_inverse=True)
    assert count == len(values)
    assert np.array_equal(labels, expected.reshape(size))


def test_large_grids_are_not_kept():
    kept = kmeans._kept_grid_labels.cache_info().currsize
    labels, count = compact_grid_labels((513, 512), (2, 3))
    assert labels.shape == (513, 512) and count == 6
    assert kmeans._kept_grid_labels.cache_info().currsize == kept


def test_compact_grid_is_not_spoilt_by_its_user():
    first, _ = compact_grid_labels((5, 7), (2, 3))
    before = first.clone()
    try:
        first += 1
    except RuntimeError:
        pass
    again, _ = compact_grid_labels((5, 7), (2, 3))
    assert torch.equal(again, before) or torch.equal(again, before + 1)


@pytest.mark.parametrize('size, grid', [((0, 4), (2, 2)), ((4, 4), (0, 2))])
def test_empty_grid_is_refused(size, grid):
    with pytest.raises(ValueError, match='0'):
        grid_labels(size, grid)


# -------------------------------------------------------------- local features


@pytest.mark.parametrize('size', [(1, 1), (1, 6), (7, 1), (5, 8), (128, 128)])
def test_location(size):
    out = location_features(size)
    assert out.dtype == torch.float32
    assert np.abs(out.numpy() - reference.location_features(size)).max() <= 1e-6
    out = location_features(size, dtype=torch.float64)
    assert out.dtype == torch.float64
    assert np.abs(out.numpy() - reference.location_features(size)).max() <= 1e-14


@pytest.mark.parametrize('size', [(5, 4), (9, 13), (20, 3), (1, 1)])
@pytest.mark.parametrize('smoothing', ['distance', 'none'])
def test_colors(size, smoothing):
    g = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 14, 17, generator=g, dtype=torch.float64)
    before = images.clone()
    out = location_color_features(images, size, smoothing=smoothing)
    expected = reference.location_color_features(
        images.numpy(), size, smoothing == 'distance'
    )
    assert out.shape == (2, *size, 5)
    if size == (1, 1):  # one pixel minus its mean: zero up to rounding, over itself
        out, expected = out[..., :2], expected[..., :2]
    assert np.abs(out.numpy() - expected).max() <= 1e-10
    assert torch.equal(images, before)
    if size != (1, 1):
        narrow = location_color_features(images.float(), size, smoothing=smoothing)
        assert narrow.dtype == torch.float32
        assert np.abs(narrow.numpy() - expected).max() <= 1e-5


@pytest.mark.parametrize('smoothing', ['distance', 'gaussian', 'none'])
@pytest.mark.parametrize('value', [0.0, 1.0, -2.25])
def test_colors_of_a_flat_image_are_finite(smoothing, value):
    images = torch.full((1, 3, 12, 12), value)
    out = location_color_features(images, (4, 5), smoothing=smoothing)
    assert torch.isfinite(out).all()
    assert out.abs().max() <= 1


def test_colors_are_per_image_and_channel():
    images = torch.randn(2, 3, 12, 12)
    both = location_color_features(images, (6, 6))
    alone = location_color_features(images[1:], (6, 6))
    assert torch.allclose(both[1:], alone, atol=1e-6)
    factor = torch.tensor([1.0, 7.0, 0.1])[:, None, None]
    scaled = location_color_features(images * factor + 3, (6, 6))
    assert torch.allclose(scaled, both, atol=1e-4)


def test_gaussian_kernel_peaks_in_the_middle():
    image = torch.zeros(1, 3, 9, 9)
    image[:, :, 4, 4] = 1
    out = location_color_features(image, (5, 5), smoothing='gaussian')[0, ..., 2]
    assert out.argmax() == 12
    assert torch.allclose(out, out.t(), atol=1e-6)
    assert torch.allclose(out, out.flip(0), atol=1e-6)
    assert out[2, 2] > out[2, 1] > out[2, 0] > out[0, 0]
    distance = location_color_features(image, (5, 5), smoothing='distance')[0, ..., 2]
    assert distance.argmin() == 12


def test_color_errors():
    with pytest.raises(ValueError, match='median'):
        location_color_features(torch.rand(1, 3, 9, 9), (3, 3), smoothing='median')
    with pytest.raises(ValueError, match='4'):
        location_color_features(torch.rand(1, 3, 4, 9), (3, 3))


# ---------------------------------------------------------------------- k-means


@pytest.mark.parametrize(
    'count, dim, clusters, images',
    [(1, 1, 1, 1), (40, 3, 5, 1), (75, 4, 6, 3), (30, 2, 9, 4), (12, 5, 20, 2)],
)
@pytest.mark.parametrize('iterations', [0, 1, 2, 10])
def test_kmeans(count, dim, clusters, images, iterations):
    """Images come mixed, some clusters start empty, some images have no points."""
    points = unit(count, dim, seed=count)
    initial, image = integers(count, clusters, 1), integers(count, images, 2) * 2
    for number in (None, clusters + 3):
        out = spherical_kmeans(points, initial, image, iterations, number)
        expected = reference.spherical_kmeans(
            points.numpy(), initial.numpy(), image.numpy(), iterations, number
        )
        assert out.dtype == torch.int64
        assert np.array_equal(out, expected)


@pytest.mark.parametrize('seed', range(3))
def test_float32_agrees(seed):
    points, image = unit(600, 16, seed), integers(600, 2, seed).sort().values
    initial = integers(600, 9, seed + 1)
    wide = spherical_kmeans(points, initial, image)
    narrow = spherical_kmeans(points.float(), initial, image)
    assert (wide == narrow).double().mean() >= 0.99


def test_each_image_is_on_its_own():
    points, initial, image = unit(90, 5), integers(90, 6, 1), integers(90, 3, 2)
    together = spherical_kmeans(points, initial, image, 5, 6)
    for n in range(3):
        mine = image == n
        alone = spherical_kmeans(
            points[mine], initial[mine], torch.zeros_like(image[mine]), 5, 6
        )
        assert torch.equal(together[mine], alone)


@pytest.mark.parametrize('rows', [1, 7, 16384])
@pytest.mark.parametrize('count', [1, 3, 5])
def test_all_images_at_once(count, rows, monkeypatch):
    """As on a GPU: one product for all images gives each the same clusters."""
    points, initial = unit(90, 5), integers(90, 6, 1)
    image = integers(90, count, 2)
    expected = spherical_kmeans(points, initial, image, 5, 6)
    monkeypatch.setattr(kmeans, '_cluster_each', kmeans._cluster_together)
    monkeypatch.setattr(kmeans, '_ROWS_PER_CHUNK', rows)
    found = spherical_kmeans(points, initial, image, 5, 6, num_images=count)
    assert torch.equal(found, expected)


def test_ties_go_to_the_lowest_cluster():
    """Exact vectors: clusters 0, 1, 2 have the same center, 3 another."""
    points = torch.eye(4)[[0, 0, 0, 1, 2]]
    initial = torch.tensor([1, 2, 4, 3, 0])
    out = spherical_kmeans(points, initial, torch.zeros(5, dtype=torch.int64), 1)
    assert out.tolist() == [1, 1, 1, 3, 0]


def test_a_point_equally_near_to_two_centers():
    points = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    initial = torch.tensor([1, 0, 2])
    # the third point's own center wins; without it clusters 0 and 1 tie
    zero = torch.zeros(3, dtype=torch.int64)
    assert spherical_kmeans(points, initial, zero, 1).tolist() == [1, 0, 2]
    points = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert spherical_kmeans(points, initial, zero, 1).tolist() == [1, 0, 0]


def test_an_empty_cluster_wins_opposed_points():
    """Its center is zero, so it beats negative dot products."""
    points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    initial = torch.zeros(3, dtype=torch.int64)
    zero = torch.zeros(3, dtype=torch.int64)
    out = spherical_kmeans(points, initial, zero, 1, num_clusters=3)
    assert out.tolist() == [0, 0, 1]
    assert spherical_kmeans(points, initial, zero, 1).tolist() == [0, 0, 0]


def test_zero_and_duplicate_points():
    points = torch.zeros(6, 3, dtype=torch.float64)
    points[3:] = unit(1, 3)
    initial = torch.tensor([2, 1, 3, 3, 2, 1])
    zero = torch.zeros(6, dtype=torch.int64)
    out = spherical_kmeans(points, initial, zero, 10)
    expected = reference.spherical_kmeans(points.numpy(), initial.numpy(), zero.numpy())
    assert np.array_equal(out, expected)


def test_cancelling_cluster():
    """Members that sum to zero leave a zero center, not NaN."""
    points = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    initial = torch.tensor([0, 0, 1])
    out = spherical_kmeans(points, initial, torch.zeros(3, dtype=torch.int64), 1)
    assert out.tolist() == [0, 0, 1]


@pytest.mark.parametrize('number', [None, 4])
def test_no_points(number):
    none = torch.zeros(0, dtype=torch.int64)
    out = spherical_kmeans(torch.zeros(0, 5), none, none, 10, number)
    assert out.shape == (0,) and out.dtype == torch.int64


def test_inputs_stay_and_no_gradient():
    points = unit(40, 4).requires_grad_()
    initial, image = integers(40, 5, 1), integers(40, 2, 2)
    copies = points.detach().clone(), initial.clone(), image.clone()
    for iterations in (0, 3):
        out = spherical_kmeans(points, initial, image, iterations)
        out += 1  # the result is not a view of the input
        assert not out.requires_grad
        for tensor, copy in zip((points.detach(), initial, image), copies):
            assert torch.equal(tensor, copy)


def test_non_contiguous():
    points, initial, image = unit(40, 4), integers(40, 5, 1), integers(40, 2, 2)
    expected = spherical_kmeans(points, initial, image, 4)
    out = spherical_kmeans(
        points.t().contiguous().t(),
        torch.stack([initial, initial], 1)[:, 0],
        torch.stack([image, image], 1)[:, 1],
        4,
    )
    assert torch.equal(out, expected)


@pytest.mark.parametrize('which', ['initial', 'image'])
def test_other_integers_work_or_are_refused(which):
    points, initial, image = unit(40, 4), integers(40, 5, 1), integers(40, 2, 2)
    expected = spherical_kmeans(points, initial, image, 4)
    if which == 'initial':
        initial = initial.int()
    else:
        image = image.int()
    try:
        out = spherical_kmeans(points, initial, image, 4)
    except (TypeError, ValueError) as error:
        assert 'int' in str(error)
    else:
        assert torch.equal(out, expected)
        assert out.dtype == torch.int64


def test_autocast_changes_nothing():
    points = unit(5000, 16, dtype=torch.float32)
    initial, image = integers(5000, 20, 1), integers(5000, 2, 2)
    expected = spherical_kmeans(points, initial, image)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(spherical_kmeans(points, initial, image), expected)


@pytest.mark.parametrize(
    'points, initial, image',
    [
        ((4, 2), (3,), (4,)),
        ((4, 2), (4,), (5,)),
        ((4,), (4,), (4,)),
        ((4, 2), (4, 1), (4,)),
    ],
)
def test_wrong_shapes_are_named(points, initial, image):
    with pytest.raises(ValueError) as error:
        spherical_kmeans(
            torch.rand(points),
            torch.zeros(initial, dtype=torch.int64),
            torch.zeros(image, dtype=torch.int64),
        )
    assert any(character.isdigit() for character in str(error.value))


def test_negative_iterations_are_refused():
    zero = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match='-1'):
        spherical_kmeans(torch.eye(2), zero, zero, -1)


def test_large_batch_with_unequal_images():
    """Images of very different size; checked cluster by cluster in float64."""
    image = torch.cat([torch.full((n,), i) for i, n in enumerate((3000, 1, 700))])
    points = unit(len(image), 6, seed=3)
    initial = integers(len(image), 36, 4)
    out = spherical_kmeans(points, initial, image, 1, 36)
    for n in range(3):
        mine = image == n
        centers = torch.stack([points[mine & (initial == k)].sum(0) for k in range(36)])
        centers = centers / centers.norm(dim=1, keepdim=True).clamp_min(1e-12)
        assert torch.equal(out[mine], (points[mine] @ centers.t()).argmax(1))
