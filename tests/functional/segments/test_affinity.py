import numpy as np
import pytest
import reference
import torch

from mmseg_spml.functional.segments.affinity import (
    affinity_label_sets,
    nearest_label_sets,
)

CLASSES = 5


def make(queries, segments, images=3, seed=0, dim=3):
    g = torch.Generator().manual_seed(seed)
    unit = torch.nn.functional.normalize
    return dict(
        queries=unit(torch.randn(queries, dim, generator=g).double(), dim=1),
        query_image=torch.randint(images, (queries,), generator=g),
        prototypes=unit(torch.randn(segments, dim, generator=g).double(), dim=1),
        label=torch.randint(CLASSES + 2, (segments,), generator=g),
        image=torch.randint(images, (segments,), generator=g),
        num_classes=CLASSES,
    )


def by_loops(problem, **more):
    arrays = {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in problem.items()
    }
    return reference.nearest_label_sets(**arrays, **more)


@pytest.mark.parametrize('k', [1, 2, 3, 50])
@pytest.mark.parametrize('threshold', [-1.0, 0.0, 0.5, 0.95, 1.1])
@pytest.mark.parametrize('queries, segments', [(1, 1), (40, 30), (25, 4), (6, 90)])
def test_against_loops(queries, segments, k, threshold):
    """K beyond the labeled segments of an image takes those that there are."""
    problem = make(queries, segments, seed=queries)
    out = nearest_label_sets(**problem, k=k, threshold=threshold)
    assert out.shape == (queries, CLASSES) and out.dtype == torch.bool
    assert np.array_equal(out, by_loops(problem, k=k, threshold=threshold))


def test_defaults_are_top_1_and_095():
    problem = make(60, 80)
    out = nearest_label_sets(**problem)
    assert np.array_equal(out, by_loops(problem, k=1, threshold=0.95))
    assert out.any() and not out.any(1).all()


def test_other_images_and_unlabeled_segments_are_no_neighbors():
    vectors = torch.eye(2)[[0, 0, 0]]
    problem = dict(
        queries=vectors[:1],
        query_image=torch.tensor([1]),
        prototypes=vectors,
        label=torch.tensor([0, CLASSES, 255]),
        image=torch.tensor([0, 1, 1]),
        num_classes=CLASSES,
    )
    for threshold in (-2.0, 0.95):
        assert not nearest_label_sets(**problem, k=3, threshold=threshold).any()


def test_threshold_itself_counts():
    problem = make(1, 1, images=1)
    problem.update(
        queries=torch.eye(3)[:1], prototypes=torch.eye(3)[:1], label=torch.tensor([2])
    )
    assert nearest_label_sets(**problem, threshold=1.0)[0, 2]
    problem['queries'] = torch.tensor([[0.0, 1.0, 0.0]])
    assert nearest_label_sets(**problem, threshold=0.0)[0, 2]
    assert not nearest_label_sets(**problem, threshold=1e-6).any()


@pytest.mark.parametrize('queries, segments', [(0, 5), (4, 0), (0, 0)])
def test_nothing(queries, segments):
    out = nearest_label_sets(**make(queries, segments))
    assert out.shape == (queries, CLASSES)
    assert not out.any()


def test_nothing_labeled():
    problem = make(7, 9)
    problem['label'][:] = CLASSES
    assert not nearest_label_sets(**problem, k=3, threshold=-1.0).any()


def test_zero_vectors_have_product_zero():
    problem = make(5, 6)
    problem['queries'] = torch.zeros_like(problem['queries'])
    out = nearest_label_sets(**problem, threshold=-1.0)
    assert np.array_equal(out, by_loops(problem, threshold=-1.0))
    assert not nearest_label_sets(**problem, threshold=0.5).any()


def test_float32_gradient_and_inputs():
    problem = make(200, 120, dim=16, seed=2)
    expected = nearest_label_sets(**problem, k=3, threshold=0.3)
    for name in ('queries', 'prototypes'):
        problem[name] = problem[name].float().requires_grad_()
    copies = {n: v.clone() for n, v in problem.items() if n != 'num_classes'}
    out = nearest_label_sets(**problem, k=3, threshold=0.3)
    assert not out.requires_grad
    assert torch.equal(out, expected)
    for name, copy in copies.items():
        assert torch.equal(problem[name], copy)


def test_autocast_changes_nothing():
    problem = make(2000, 400, dim=16, seed=2)
    for name in ('queries', 'prototypes'):
        problem[name] = problem[name].float()
    out = nearest_label_sets(**problem, k=3, threshold=0.3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(nearest_label_sets(**problem, k=3, threshold=0.3), out)


@pytest.mark.parametrize(
    'name, shape',
    [
        ('queries', (4, 5)),
        ('query_image', (3,)),
        ('prototypes', (7, 3)),
        ('label', (5,)),
        ('image', (7,)),
    ],
)
def test_wrong_shapes_are_named(name, shape):
    problem = make(4, 6)
    problem[name] = torch.zeros(shape, dtype=problem[name].dtype)
    with pytest.raises(ValueError) as error:
        nearest_label_sets(**problem)
    assert any(character.isdigit() for character in str(error.value))


def test_non_contiguous():
    problem = make(20, 30)
    expected = nearest_label_sets(**problem, k=2, threshold=0.5)
    for name in ('queries', 'prototypes'):
        problem[name] = problem[name].t().contiguous().t()
    for name in ('query_image', 'label', 'image'):
        problem[name] = torch.stack([problem[name]] * 2, 1)[:, 0]
    out = nearest_label_sets(**problem, k=2, threshold=0.5)
    assert torch.equal(out, expected)


@pytest.mark.parametrize('seed', range(3))
def test_filled_sets(seed):
    """Empty sets become all classes; a labeled segment finds itself."""
    problem = make(1, 40, seed=seed)
    squeezed, label, image = (problem[n] for n in ('prototypes', 'label', 'image'))
    label[image == 2] = CLASSES
    out = affinity_label_sets(squeezed, label, image, CLASSES, 0.95)
    hits = reference.nearest_label_sets(
        squeezed.numpy(), image, squeezed.numpy(), label, image, CLASSES, 1, 0.95
    )
    assert np.array_equal(out, reference.fill_label_sets(hits))
    assert out.any(1).all() and out[image == 2].all()
