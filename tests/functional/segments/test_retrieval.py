import numpy as np
import pytest
import reference
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmseg_spml.functional.segments.retrieval import (
    class_counts,
    class_frequencies,
    majority_vote,
    nearest_segments,
)


def unit(count, dim, seed, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, dim, generator=g, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1).to(dtype)


@pytest.mark.parametrize('queries, bank', [(1, 1), (3, 20), (20, 7), (31, 200)])
@pytest.mark.parametrize('k', [1, 2, 5, 20, 200])
def test_against_loops(queries, bank, k):
    k = min(k, bank)
    query, vectors = unit(queries, 6, 0), unit(bank, 6, 1)
    out = nearest_segments(query, vectors, k)
    assert out.dtype == torch.int64 and out.shape == (queries, k)
    expected = reference.nearest_segments(query.numpy(), vectors.numpy(), k)
    assert np.array_equal(out, expected)


def test_equal_neighbors_are_all_found():
    """Which of them comes first is another test's matter."""
    bank = torch.eye(3)[[2, 0, 1, 0, 0, 1, 0]]
    out = nearest_segments(torch.eye(3)[:2], bank, 4)
    assert sorted(out[0].tolist()) == [1, 3, 4, 6]
    assert sorted(out[1, :2].tolist()) == [2, 5]
    assert len(set(out[1].tolist())) == 4


def test_large_bank_against_a_full_sort():
    query, bank = unit(70, 8, 0), unit(40_000, 8, 1)
    out = nearest_segments(query, bank, 20)
    expected = (query @ bank.t()).topk(20, dim=1)
    assert torch.equal(out, expected.indices)


@pytest.mark.parametrize('descending', [False, True])
def test_a_bank_in_order_of_similarity(descending):
    """Ascending, each block has better ones than all before."""
    query, bank = unit(3, 8, 0), unit(9_000, 8, 1)
    order = (bank @ query[0]).argsort(descending=descending)
    out = nearest_segments(query, bank[order], 20)
    expected = (query @ bank[order].t()).topk(20, dim=1)
    assert torch.equal(out, expected.indices)


def test_many_equal_ones():
    bank = torch.eye(4).repeat(3_000, 1)
    out = nearest_segments(torch.eye(4), bank, 50)
    assert (out % 4 == torch.arange(4)[:, None]).all()
    assert all(len(set(row.tolist())) == 50 for row in out)


def test_faiss_finds_the_same():
    pytest.importorskip('faiss', reason='the extra "faiss" is not installed')
    query, bank = unit(70, 8, 0).float(), unit(5_000, 8, 1).float()
    expected = nearest_segments(query, bank, 20)
    assert torch.equal(nearest_segments(query, bank, 20, backend='faiss'), expected)


def test_backends(monkeypatch):
    query, bank = unit(2, 3, 0), unit(5, 3, 1)
    with pytest.raises(ValueError, match="'annoy'"):
        nearest_segments(query, bank, 1, backend='annoy')
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        nearest_segments(query, bank, 1, backend='faiss')


def test_float32_neighbors_are_as_near():
    """Up to products within 1e-6 of each other."""
    query, bank = unit(200, 32, 0), unit(5_000, 32, 1)
    out = nearest_segments(query.float(), bank.float(), 20)
    products = (query @ bank.t()).gather(1, out)
    best = (query @ bank.t()).topk(20, dim=1).values
    assert (products - best).abs().max() <= 1e-6
    assert all(len(set(row.tolist())) == 20 for row in out)


def test_vectors_need_not_be_unit():
    query, bank = 50 * unit(9, 4, 0), unit(30, 4, 1) * torch.rand(30, 1) * 100
    bank[3] = 0
    out = nearest_segments(query, bank, 30)
    expected = reference.nearest_segments(query.numpy(), bank.numpy(), 30)
    assert np.array_equal(out, expected)


def test_negative_products_are_neighbors_too():
    bank = -unit(1, 3, 0).repeat(4, 1) * torch.tensor([[1.0], [0.5], [0.25], [2.0]])
    assert nearest_segments(unit(1, 3, 0), bank, 4).tolist() == [[2, 1, 0, 3]]


class Largest(TorchDispatchMode):
    """Number of elements of the largest tensor made."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


def test_nothing_of_size_queries_by_bank():
    query, bank = unit(3_000, 2, 0).float(), unit(60_000, 2, 1).float()
    with Largest() as seen:
        nearest_segments(query, bank, 3)
    assert 0 < seen.numel < 3_000 * 60_000 / 8


def test_no_queries():
    assert nearest_segments(torch.zeros(0, 3), torch.rand(5, 3), 2).shape == (0, 2)


@pytest.mark.parametrize('k', [0, -1, 6])
def test_impossible_k_is_refused(k):
    with pytest.raises(ValueError, match=str(k)):
        nearest_segments(torch.rand(2, 3), torch.rand(5, 3), k)


def test_empty_bank_is_refused():
    with pytest.raises(ValueError, match='0'):
        nearest_segments(torch.rand(2, 3), torch.zeros(0, 3), 1)


@pytest.mark.parametrize(
    'query, bank', [((2, 3), (5, 4)), ((3,), (5, 3)), ((2, 3), (5,))]
)
def test_wrong_shapes_are_named(query, bank):
    with pytest.raises(ValueError) as error:
        nearest_segments(torch.rand(query), torch.rand(bank), 1)
    assert any(character.isdigit() for character in str(error.value))


def test_autocast_changes_nothing():
    query, bank = (unit(n, 16, n, torch.float32) for n in (50, 600))
    expected = nearest_segments(query, bank, 20)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(nearest_segments(query, bank, 20), expected)


def test_no_gradient_non_contiguous_and_inputs():
    query = unit(50, 16, 0, torch.float32).requires_grad_()
    bank = unit(600, 16, 1, torch.float32).requires_grad_()
    copies = query.detach().clone(), bank.detach().clone()
    expected = nearest_segments(*copies, 20)
    assert torch.equal(nearest_segments(query, bank, 20), expected)
    assert not expected.requires_grad
    strided = [tensor.t().contiguous().t() for tensor in copies]
    assert torch.equal(nearest_segments(*strided, 20), expected)
    assert torch.equal(query, copies[0]) and torch.equal(bank, copies[1])


@pytest.mark.parametrize('count, k', [(1, 1), (40, 3), (40, 20), (0, 5)])
def test_votes(count, k):
    labels = torch.randint(6, (count, k), generator=torch.Generator().manual_seed(k))
    before = labels.clone()
    counts = reference.class_counts(labels.numpy(), 6)
    assert np.array_equal(class_counts(labels, 6), counts)
    frequencies = class_frequencies(labels, 6)
    assert frequencies.shape == (count, 6) and frequencies.dtype == torch.float32
    assert np.abs(frequencies.numpy() - counts / k).max(initial=0) <= 1e-6
    winners = majority_vote(labels, 6)
    assert winners.dtype == torch.int64
    expected = reference.majority_vote(labels.numpy(), 6)
    assert np.array_equal(winners, expected)
    assert torch.equal(labels, before)


def test_vote_ties_go_to_the_lowest_class():
    labels = torch.tensor([[5, 2, 2, 5], [3, 2, 1, 0], [4, 4, 5, 5], [5, 5, 5, 0]])
    assert majority_vote(labels, 6).tolist() == [2, 0, 4, 5]


def test_vote_with_one_query_and_one_class():
    assert majority_vote(torch.zeros(1, 20, dtype=torch.int64), 1).tolist() == [0]
    assert class_frequencies(torch.zeros(1, 20).long(), 1).tolist() == [[1.0]]


@pytest.mark.parametrize('number', [1024, 1025, 1088])
def test_no_queries_of_any_bank(number):
    assert nearest_segments(unit(0, 8, 0), unit(number, 8, 1), 5).shape == (0, 5)
